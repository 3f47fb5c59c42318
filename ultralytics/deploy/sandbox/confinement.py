"""How a process in another environment is started: what it sees of the user's machine, and how it ends."""

from __future__ import annotations

import contextlib
import fnmatch
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ultralytics.deploy.format import Packages
from ultralytics.deploy.sandbox import worker
from ultralytics.deploy.sandbox.environments import MARKER
from ultralytics.errors import MissingDependency
from ultralytics.utils.env import WINDOWS

_KEPT = (
    "LANG", "LANGUAGE", "LC_*", "TZ", "TERM", "SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "COMSPEC", "PATHEXT", "OS",
    "PROGRAMDATA", "PROGRAMFILES*", "NUMBER_OF_PROCESSORS", "PROCESSOR_*", "OMP_*", "MKL_*", "KMP_*", "OPENBLAS_*",
    "CUDA_*", "NVIDIA_*", "HIP_*", "ROCM_*", "ROCR_*", "LD_LIBRARY_PATH", "DYLD_*", "JAVA_HOME",
    "*_SDK_ROOT", "*_SDK_HOME",
)  # fmt: skip
"""Environment variables a worker gets: language, machine, threads, devices, toolkits; no secrets, no installers."""

_HIDDEN = re.compile(rf"(?:{worker.INSTALLERS}|python[\d.]*|pypy[\d.]*)(?:\.exe)?", re.IGNORECASE)
"""Programs of the system that are not on a worker's PATH: installers, and Pythons that would find one."""


def start_worker(
    python: Path, request: Mapping[str, Any], scratch: Path, packages: Packages, *, cwd: Path, **streams: Any
) -> subprocess.Popen[bytes]:
    """Start the worker in an environment.

    Args:
        python: Python of the environment.
        request: what it shall do, see `worker`.
        scratch: folder for its home, its temporary files and its PATH.
        packages: what it was made for; names the programs that stay reachable.
        cwd: its working folder.
        **streams: stdin, stdout and stderr of `subprocess.Popen`.

    Raises:
        MissingDependency: a program is not installed.
    """
    # files compiled from this package must not be written into the user's environment
    own = (python.parents[1] / MARKER).is_file()
    bytecode = (python.parents[1] if own else scratch) / "bytecode"
    command = [str(python), "-I", "-X", f"pycache_prefix={bytecode}", worker.__file__, json.dumps(request)]
    environ = worker_environment(python, scratch, packages.programs, os.environ)
    apart: dict[str, Any] = {"start_new_session": True}  # Ctrl-C is for the user's process, which ends this one
    if sys.platform == "win32":
        apart = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return subprocess.Popen(command, env={**environ, "PYTHONPYCACHEPREFIX": str(bytecode)}, cwd=cwd, **streams, **apart)


def worker_environment(
    python: Path, scratch: Path, programs: tuple[str, ...], environ: Mapping[str, str]
) -> dict[str, str]:
    """Make the environment variables of a worker.

    Raises:
        MissingDependency: one of the programs is not on the user's PATH.
    """
    home, temporary = scratch / "home", scratch / "tmp"
    for folder in (home, temporary):
        folder.mkdir(parents=True, exist_ok=True)
    kept = {
        name: value for name, value in environ.items() if any(fnmatch.fnmatchcase(name.upper(), kind) for kind in _KEPT)
    }
    homes = ("HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA")
    return {
        **kept,
        **dict.fromkeys(homes if WINDOWS else homes[:1], str(home)),
        **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(temporary)),
        "PATH": os.pathsep.join(map(str, _search_path(python, scratch, programs))),
        "ORT_DISABLE_TELEMETRY": "1",  # ONNX Runtime reports to its maker, past Python's events
        "PYTHONNOUSERSITE": "1",
        "PYTHONUTF8": "1",
    }


def end_process(process: subprocess.Popen[bytes]) -> None:
    """End a worker and what it started, at once; does nothing to what has ended."""
    if sys.platform == "win32":
        if process.poll() is None:
            subprocess.run(["taskkill", "/T", "/F", "/PID", str(process.pid)], capture_output=True, check=False)
    else:
        with contextlib.suppress(ProcessLookupError, PermissionError):  # the latter: only zombies are left, on macOS
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def ending(code: int) -> str:
    """Say how a process ended, as the end of "it ..."."""
    if code >= 0:
        return f"ended with status {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"


def tail(words: str, lines: int = 15) -> str:
    """Quote the last lines of an output; empty if there are none."""
    last = [line.rstrip() for line in words.splitlines() if line.strip()][-lines:]
    return "\n  ".join(["\nIts last words:", *last]) if last else ""


def _search_path(python: Path, scratch: Path, programs: tuple[str, ...]) -> list[Path]:
    """Folders of a worker's PATH: the environment's, links to the programs it needs, and the system's."""
    if WINDOWS:
        root = Path(os.environ.get("SYSTEMROOT", "C:/Windows"))
        system = [root / "System32", root, root / "System32" / "Wbem"]
        return [python.parent, *(_program(name).parent for name in programs), *system]
    links = scratch / "bin"
    links.mkdir(exist_ok=True)
    for name in programs:
        (links / name).symlink_to(_program(name).resolve())
    system = [Path(name) for name in ("/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin")]
    places = dict.fromkeys(folder.resolve() for folder in system if folder.is_dir())
    shown = [_without_installers(folder, scratch / f"bin-{index}") for index, folder in enumerate(places)]
    return [_without_installers(python.parent, scratch / "bin-own", own=True), links, *shown]


def _without_installers(folder: Path, links: Path, own: bool = False) -> Path:
    """Return a folder of programs, or one of links to its programs if an installer is among them."""
    hidden = re.compile(f"(?:{worker.INSTALLERS})", re.IGNORECASE) if own else _HIDDEN
    names = [program.name for program in folder.iterdir()]
    if not any(map(hidden.fullmatch, names)):
        return folder
    links.mkdir(exist_ok=True)
    for name in names:
        if not hidden.fullmatch(name):
            (links / name).symlink_to(folder / name)
    return links


def _program(name: str) -> Path:
    found = shutil.which(name)
    if found is None:
        raise MissingDependency(
            f"The program '{name}' is needed and is not on the PATH. Install it with your system's tools."
        )
    return Path(found)
