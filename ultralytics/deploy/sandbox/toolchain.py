"""Toolchains: environments of their own for converters and runtimes whose packages the user's environment lacks.

Nothing is downloaded unless the user said so: in answer to a question, by the option `toolchain`, or by an environment
variable. The user's own environment is never changed.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE, STDOUT, TimeoutExpired
from typing import Any

from ultralytics.deploy.format import Packages
from ultralytics.deploy.sandbox import environments, integrity
from ultralytics.deploy.sandbox.confinement import end_process, ending, start_worker, tail
from ultralytics.errors import ConfigError, ExportError, ToolchainMissing, unknown_name
from ultralytics.utils.env import user_cache_folder
from ultralytics.utils.files import disk_size
from ultralytics.utils.log import LOGGER
from ultralytics.utils.tables import text_table

POLICIES = ("ask", "auto", "never")
VARIABLE = "YOLO_TOOLCHAIN"
"""Environment variable that decides in place of `toolchain=ask`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolchainInfo:
    """An environment in the cache folder.

    Attributes:
        name: name of its folder; `clean` takes it.
        folder: where it lies.
        packages: what is installed, as name==version.
        bytes: its size on disk.
        created: when it was made, ISO 8601 in UTC; empty if it never was whole.
        fault: why it cannot be used, as the end of "it ..."; empty if it can.
    """

    name: str
    folder: Path
    packages: tuple[str, ...]
    bytes: int
    created: str
    fault: str


def toolchain_folder() -> Path:
    """Folder of all toolchains, in the user's cache folder; it is not created here."""
    return user_cache_folder() / "toolchains"


def ensure(packages: Packages, policy: str = "ask") -> Path:
    """Find the environment for some packages, making it first if that is allowed.

    Args:
        packages: what the environment holds.
        policy: "ask" a person, "auto" to make what is missing, "never", or a folder: an environment that is used as it
            is, or a place for environments, asking before one is made there. `YOLO_TOOLCHAIN` stands in for "ask".

    Returns:
        Its Python program.

    Raises:
        ToolchainMissing: there is none, and none may be made: refused, forbidden, or nobody can be asked.
        ConfigError: the policy is neither a word nor a folder.
        MissingDependency: uv is needed and not installed.
    """
    if policy == "ask":
        policy = os.environ.get(VARIABLE) or policy
    root = toolchain_folder()
    if policy not in POLICIES:
        given = _folder(policy)
        if environments.python_of(given).exists():
            return environments.python_of(given)
        if (given / "pyvenv.cfg").is_file():
            raise ToolchainMissing(f"The environment {given} lost its Python. Make it again. {_remedies(packages)}")
        root, policy = given, "ask"
    key = environments.key(packages)
    folder = root / f"{re.sub(r'[^0-9a-z]+', '-', packages.name.lower())}-{key[:12]}"
    if fault := environments.fault(folder, key):
        _allow(packages, policy, folder, fault)
        with environments.locked(folder):
            if environments.fault(folder, key):  # another process may have made it meanwhile
                environments.create(packages, folder)
    return environments.python_of(folder)


def toolchains() -> list[ToolchainInfo]:
    """List the toolchains of the cache folder, by name."""
    return [_info(folder) for folder in _folders()]


def toolchain_table(infos: Iterable[ToolchainInfo]) -> str:
    """Return the toolchains as a text table, with the folder they lie in."""
    rows = [
        {
            "toolchain": info.name,
            "size": f"{info.bytes / 1e6:.0f} MB",
            "made": info.created[:10],
            "packages": f"it {info.fault}"
            if info.fault
            else ", ".join(info.packages[:4]) + ", …" * (len(info.packages) > 4),
        }
        for info in infos
    ]
    table = [text_table(rows, right=["size"])] if rows else []
    return "\n".join([f"{len(rows)} toolchains in {toolchain_folder()}", *table])


def check(names: Iterable[str] | None = None) -> dict[str, str]:
    """Compare every byte of toolchains with the hashes that were kept when they were made.

    Args:
        names: as `toolchains` has them; None for all.

    Returns:
        What is wrong with each, as the end of "it ..."; empty if nothing is.

    Raises:
        ConfigError: there is no toolchain of a name.
    """
    return {name: _damage(toolchain_folder() / name) for name in _named(names)}


def clean(names: Iterable[str] | None = None) -> int:
    """Remove toolchains.

    Args:
        names: of those to remove, as `toolchains` has them; None for all, and what broken-off creations left.

    Returns:
        Bytes freed.

    Raises:
        ConfigError: there is no toolchain of a name; nothing is removed then.
    """
    root = toolchain_folder()
    wanted = _named(names)
    if names is None:
        wanted += [path.name[1:].removesuffix(".partial") for path in root.glob(".*.partial") if path.is_dir()]
    freed = 0
    for name in dict.fromkeys(wanted):
        with environments.locked(root / name):
            for folder in (root / name, root / f".{name}.partial"):
                freed += disk_size(folder)
                environments.remove(folder)
    return freed


def run_job(call: str, folder: Path, packages: Packages, policy: str = "ask", timeout: float = 3600.0) -> Any:
    """Run a function on the `ExportJob` of a folder, in the environment of its packages.

    Inside there are no installers, no network where that can be prevented, and a home folder of its own.

    Args:
        call: "module:function" that takes the job.
        folder: of the job, as `ExportJob.save` wrote it; the working folder inside.
        packages: what the function needs.
        policy: see `ensure`.
        timeout: seconds it may take, not counting the making of the environment.

    Returns:
        What the function returned, as JSON carries it; an object with `as_dict` as that.

    Raises:
        ExportError: the function failed, died or took too long; the message holds its error and last words.
        ToolchainMissing: see `ensure`.
        MissingDependency: a program that it needs is not installed.
    """
    python = ensure(packages, policy)
    folder = folder.absolute()
    # not in the job's folder: names of sockets, which lie among temporary files, are short
    with tempfile.TemporaryDirectory(prefix="ultralytics-", ignore_cleanup_errors=True) as name:
        scratch = Path(name)
        answer, log = scratch / "answer.json", scratch / "log.txt"
        request = {"mode": "run", "call": call, "folder": str(folder), "answer": str(answer)}
        with log.open("wb") as output:
            process = start_worker(
                python, request, scratch, packages, cwd=folder, stdin=PIPE, stdout=output, stderr=STDOUT
            )
            try:
                code: int | None = process.wait(timeout)
            except TimeoutExpired:
                code = None
            finally:
                end_process(process)
                if process.stdin is not None:  # kept open until here: the worker ends when its user's process does
                    process.stdin.close()
        words = log.read_text(encoding="utf-8", errors="replace")
        LOGGER.debug("%s", words)
        if code is None:
            raise ExportError(f"{call} did not end within {timeout:g} s and was stopped.{tail(words)}")
        result = json.loads(answer.read_text(encoding="utf-8")) if answer.is_file() else {}
        if "error" in result:
            error = result["error"]
            LOGGER.debug("%s", error["traceback"])
            raise ExportError(f"{call} failed: {error['type']}: {error['message']}{tail(words)}")
        if "value" not in result:
            raise ExportError(f"{call} {ending(code)} without a result.{tail(words)}")
        return result["value"]


def _folders() -> list[Path]:
    """Folders of the toolchains, by name; not those that are being made."""
    root = toolchain_folder()
    return sorted(path for path in root.glob("[!.]*") if path.is_dir())


def _named(names: Iterable[str] | None) -> list[str]:
    """Names of toolchains that exist; None: of all."""
    known = [folder.name for folder in _folders()]
    wanted = known if names is None else list(dict.fromkeys(names))
    for name in wanted:
        if name not in known:
            raise ConfigError(unknown_name("toolchain", name, known))
    return wanted


def _damage(folder: Path) -> str:
    if environments.marker_of(folder) is not None and (faults := integrity.differences(folder)):
        return f"is not as it was made: {integrity.summary(faults)}"
    return environments.fault(folder)


def _folder(policy: str) -> Path:
    """Read a policy that is no word."""
    folder = Path(policy).expanduser()
    if not folder.is_dir():
        hint = unknown_name("value of toolchain", policy, POLICIES)
        raise ConfigError(f"{hint} Or give a folder that exists: an environment, or a place for environments.")
    return folder.absolute()


def _allow(packages: Packages, policy: str, folder: Path, fault: str) -> None:
    """Return if an environment may be made."""
    if policy == "auto":
        return
    pins = ", ".join([*environments.requirements(packages), *packages.npm])
    what = (
        f"The environment '{packages.name}' in {folder} {fault}. It holds {pins}, takes {packages.space}, "
        f"and leaves your own environment as it is.{packages.terms and f' Terms: {packages.terms}.'}"
    )
    if policy == "never":
        raise ToolchainMissing(f"{what} toolchain=never forbids making it. {_remedies(packages)}")
    if sys.stdin is None or not sys.stdin.isatty() or sys.stderr is None or not sys.stderr.isatty():
        raise ToolchainMissing(f"{what} There is no terminal to ask whether it may be made. {_remedies(packages)}")
    sys.stderr.write(f"{what}\nDownload and make it? [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise ToolchainMissing(f"The environment '{packages.name}' was not wanted. {_remedies(packages)}")


def _remedies(packages: Packages) -> str:
    allow = f"Allow it with toolchain=auto or {VARIABLE}=auto, or name an environment that has them: toolchain=PATH."
    if packages.alone:
        return allow
    if packages.extra:
        line = f'pip install "ultralytics-semantic[{packages.extra}]"'
    else:
        line = f"pip install {' '.join(map(json.dumps, packages.pins))}"
    return f"{allow} Or install them into your own: {line}"


def _info(folder: Path) -> ToolchainInfo:
    marker = environments.marker_of(folder) or {}
    return ToolchainInfo(
        name=folder.name,
        folder=folder,
        packages=tuple(marker.get("packages", ())),
        bytes=disk_size(folder),
        created=str(marker.get("created", "")),
        fault=environments.fault(folder),
    )
