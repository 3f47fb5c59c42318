"""What runs inside another environment: started as a file by that environment's Python, not imported for its effects.

Only this package is made importable, from where it lies; the user's other packages stay out. Connections to other
machines and attempts to install packages are refused: by Python's own events, and for programs that this process starts
by taking the network away where Linux allows that.

The one argument is a JSON object with `mode`:
    run: `call` ("module:function") on the job in `folder`; what it returns or raises goes to the file `answer`.
    serve: `call` ("module:Backend") with `path`, `device`, `threads`; requests come as lines on the standard input.
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
import json
import os
import re
import signal
import sys
import threading
import traceback
from pathlib import Path
from typing import IO, Any

INSTALLERS = r"pip[\d.]*|pipx|uvx?|conda|mamba|easy_install[\d.\-]*|curl|wget"
"""Programs that fetch what a toolchain's pins do not say, as a regular expression of their names."""

_INSTALL = re.compile(
    rf"(?:^|[/\\\s;&|'\"(])(?:{INSTALLERS}|-m\s+pip|ensurepip)(?:\.exe)?(?=$|[\s;&|'\")])", re.IGNORECASE
)
_NEW_USER, _NEW_NETWORK = 0x10000000, 0x40000000  # flags of Linux' unshare
_STARTS = {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn"}
_LOOKUPS = {"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"}
_SENDS = {"socket.connect", "socket.sendto", "socket.sendmsg"}


def main() -> None:
    """Do what the argument says."""
    request = json.loads(sys.argv[1])
    register_package()
    sys.addaudithook(refuse)
    requests = take_input()
    if request["mode"] == "run":
        cut_network()
        threading.Thread(target=end_with, args=(requests,), daemon=True).start()
        run(request)
    else:
        serve(request, requests)


def register_package() -> None:
    """Make this package importable by its name, and nothing that lies beside it."""
    root = Path(__file__).resolve().parents[2]
    spec = importlib.util.spec_from_file_location(
        root.name, root / "__init__.py", submodule_search_locations=[str(root)]
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"'{root}' is not a package.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[root.name] = module
    spec.loader.exec_module(module)


def refuse(event: str, arguments: tuple[Any, ...]) -> None:
    """Audit hook: raise a PermissionError for what leads out of this machine, or installs packages."""
    if event in _SENDS or event in _LOOKUPS:
        address = arguments[1] if event in _SENDS else arguments[0]
        host = address[0] if isinstance(address, tuple) else address if event in _LOOKUPS else None
        if not _is_here(host):
            raise PermissionError(f"A toolchain may not use the network; it tried to reach {address!r}.")
    elif event in _STARTS:
        command = {"os.system": arguments[:1], "os.spawn": arguments[1:3]}.get(event, arguments[:2])
        words = " ".join(_text(part) for part in command)
        if _INSTALL.search(words):
            raise PermissionError(f"A toolchain may not install or download anything; it tried to run: {words[:500]}")


def cut_network() -> bool:
    """Leave the machine's network for one that has nothing but itself; programs started from here have none either.

    Returns:
        Whether the system allowed it; only Linux knows how, and not for everyone.
    """
    if sys.platform != "linux":
        return False
    child = os.fork()  # tries it first: where it is half allowed, this process would be left as nobody
    if child == 0:
        try:
            _leave_network()
        except OSError:
            os._exit(1)
        os._exit(0)
    allowed = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    if allowed:
        _leave_network()
    return allowed


def take_input() -> IO[bytes]:
    """Take the standard input for this process alone: programs that it starts get an empty one."""
    taken = os.fdopen(os.dup(0), "rb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return taken


def end_with(requests: IO[bytes]) -> None:
    """End this process and what it started when the input does, as the user's process is gone then."""
    while os.read(requests.fileno(), 1):  # past the buffer, whose lock would be held when Python shuts down
        continue
    if sys.platform != "win32" and os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def run(request: dict[str, Any]) -> None:
    """Call a function on a job and write its answer; an error is written by the hook of those that nobody caught."""

    def write(content: dict[str, Any]) -> None:
        draft = Path(request["answer"] + ".draft")
        draft.write_text(json.dumps(content), encoding="utf-8")
        draft.replace(request["answer"])

    def write_error(kind: type[BaseException], error: BaseException, trace: Any) -> None:
        write({"error": _described(error)})
        sys.__excepthook__(kind, error, trace)

    sys.excepthook = write_error
    from ultralytics.deploy.base import ExportJob
    from ultralytics.utils.imports import load

    value = load(request["call"])(ExportJob.load(Path(request["folder"])))
    write({"value": value.as_dict() if hasattr(value, "as_dict") else value})


def serve(request: dict[str, Any], requests: IO[bytes]) -> None:
    """Load a backend and answer requests until there are no more.

    A request {"images", "output", "forget"} is answered by {"outputs"}, or by {"grow"} where these do not fit; then a
    request without images asks for them again (see `sharing`). Errors are {"error"}.
    """
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what the runtime prints, from C too, is no answer
    from ultralytics.deploy.sandbox.sharing import Receiver
    from ultralytics.utils.imports import load

    backend: Any = None
    receiver = Receiver()
    outputs: tuple[Any, ...] = ()
    try:
        backend = load(request["call"])(Path(request["path"]), device=request["device"], threads=request["threads"])
        _say(answers, {"metadata": backend.metadata.as_dict()})
    except Exception as error:  # noqa: BLE001 - whatever it is, the other process raises it
        _say(answers, {"error": _described(error)})
        return
    for line in requests:
        message = json.loads(line)
        try:
            receiver.meet(message)
            if "images" in message:
                outputs = backend.infer(receiver.array(message["images"]))
            _say(answers, receiver.write(outputs, message["output"]))
        except Exception as error:  # noqa: BLE001 - whatever it is, the other process raises it
            _say(answers, {"error": _described(error)})
    backend.close()


def _say(answers: IO[bytes], content: dict[str, Any]) -> None:
    answers.write(json.dumps(content).encode() + b"\n")
    answers.flush()


def _described(error: BaseException) -> dict[str, str]:
    trace = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    return {"type": type(error).__name__, "message": str(error), "traceback": trace}


def _is_here(host: Any) -> bool:
    """Tell whether a host is this machine, or an address is no host's."""
    if not isinstance(host, (str, bytes)):
        return True
    name = _text(host).lower()
    return name in {"", "localhost", "::", "::1", "0.0.0.0"} or name.startswith(("127.", "::ffff:127."))


def _text(part: Any) -> str:
    if isinstance(part, (list, tuple)):
        return " ".join(map(_text, part))
    return part.decode(errors="replace") if isinstance(part, bytes) else str(part)


def _leave_network() -> None:
    """Take a network of one's own, by right or as the only user of a world of one's own, and switch its loopback on."""
    import fcntl
    import socket
    import struct

    user, group = os.getuid(), os.getgid()
    unshare = ctypes.CDLL(None, use_errno=True).unshare
    if unshare(_NEW_NETWORK) != 0:
        if unshare(_NEW_USER | _NEW_NETWORK) != 0:
            raise PermissionError(ctypes.get_errno(), "unshare")
        Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1", encoding="ascii")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1", encoding="ascii")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, 0x8914, struct.pack("16sH14x", b"lo", 0x1 | 0x40))  # SIOCSIFFLAGS: up, running


if __name__ == "__main__":
    main()
