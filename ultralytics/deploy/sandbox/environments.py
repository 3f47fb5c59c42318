"""Environments of Python packages: made whole or not at all, by one process at a time, and known again by a hash.

An environment is built beside its place and moved there with its marker file, so a folder with a marker is whole.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ultralytics.deploy.format import Packages
from ultralytics.deploy.sandbox import integrity
from ultralytics.deploy.sandbox.pip_settings import uv_settings
from ultralytics.errors import MissingDependency, ToolchainMissing
from ultralytics.utils.env import WINDOWS, is_interactive
from ultralytics.utils.files import disk_size, write_atomic
from ultralytics.utils.log import LOGGER

MARKER = "toolchain.json"
PYTHON = "3.11"
"""Version that the pins were measured with."""

_ALWAYS = ("numpy>=1.26", "pyyaml>=6.0")
"""What the package itself needs inside."""

_NOT_FOR_UV = (
    "PYTHONPATH", "PYTHONHOME", "UV_SYSTEM_PYTHON", "UV_VENV_SEED", "UV_PROJECT", "UV_WORKING_DIR",
    "UV_COMPILE_BYTECODE",  # workers keep what they compile elsewhere
)  # fmt: skip


def key(packages: Packages) -> str:
    """Hash of what an environment is made from; other pins are another environment."""
    content = json.dumps([requirements(packages), list(packages.overrides), PYTHON])
    content += json.dumps(packages.npm) if packages.npm else ""
    return hashlib.sha256(content.encode()).hexdigest()


def requirements(packages: Packages) -> list[str]:
    """List what is installed: the pins, and what the package itself needs inside."""
    names = {_project(pin) for pin in packages.pins}
    return [*packages.pins, *(need for need in _ALWAYS if _project(need) not in names)]


def python_of(folder: Path) -> Path:
    """Where the Python of an environment lies."""
    return folder / "Scripts" / "python.exe" if WINDOWS else folder / "bin" / "python"


def marker_of(folder: Path) -> dict[str, Any] | None:
    """Read what was written when an environment was whole; None if it never was."""
    try:
        content = json.loads((folder / MARKER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def fault(folder: Path, expected_key: str | None = None) -> str:
    """Say why a folder is not the environment that was made there, as the end of "it ..."; empty if it is.

    File lists and sizes are compared, not more; see `integrity.differences` for the bytes.
    """
    if not folder.is_dir():
        return "has not been made yet"
    marker = marker_of(folder)
    if marker is None:
        return "was not finished"
    if expected_key not in {None, marker.get("key")}:
        return "was made from other pins"
    if not python_of(folder).exists():
        return "lost its Python"
    return "" if marker.get("digest") == integrity.digest(folder) else "was changed after it was made"


def versions(packages: Packages, folder: Path | None = None) -> dict[str, str]:
    """Tell the versions of pinned packages that are installed in an environment, or where this process looks."""
    wanted = {_project(pin) for pin in packages.pins}
    places = sys.path if folder is None else [str(site) for site in integrity.site_folders(folder)]
    found = {_project(one.name): one.version for one in reversed([*metadata.distributions(path=places)])}
    return {name: found[name] for name in sorted(wanted & found.keys())}


def create(packages: Packages, folder: Path) -> None:
    """Make an environment, replacing whatever lies there; the caller holds its lock.

    Raises:
        MissingDependency: uv is not installed.
        ToolchainMissing: uv could not make the environment, and the message is uv's; or its files are not the wheels'.
    """
    uv = find_uv()
    partial = folder.with_name(f".{folder.name}.partial")
    remove(partial)
    partial.parent.mkdir(parents=True, exist_ok=True)
    if packages.terms:
        LOGGER.warning("Licence of '%s': %s.", packages.name, packages.terms)
    LOGGER.info("Making the environment '%s' in %s; it takes %s.", packages.name, folder, packages.space)
    try:
        _build(uv, packages, partial)
        if packages.npm:
            _npm(packages, partial)
        _verify(packages, partial)
        _mark(uv, packages, partial)
        remove(folder)
        partial.rename(folder)
    finally:
        remove(partial)


def remove(folder: Path) -> None:
    """Delete an environment, its marker first: what an interruption leaves is not taken for whole."""
    if folder.is_dir():
        (folder / MARKER).unlink(missing_ok=True)
        shutil.rmtree(folder)


def find_uv() -> str:
    """Find the program that makes environments: the user's, or that of its wheel.

    Raises:
        MissingDependency: there is none.
    """
    if found := shutil.which("uv"):
        return found
    try:
        return str(importlib.import_module("uv").find_uv_bin())
    except (ImportError, FileNotFoundError) as error:
        raise MissingDependency(
            "'uv' is needed to make an environment for packages that are not in yours. Install it: pip install uv"
        ) from error


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of an environment's place against other processes; the system frees it when this one dies."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder.with_name(f".{folder.name}.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        LOGGER.info("Waiting for another process that makes the environment %s.", folder.name)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _build(uv: str, packages: Packages, folder: Path) -> None:
    environ = {name: value for name, value in os.environ.items() if name not in _NOT_FOR_UV}
    arguments, more = uv_settings(environ)
    environ.update(more)
    # copies: uv's cache is shared with the user's environments, and a converter may write into its own packages
    link_mode = [] if "UV_LINK_MODE" in environ else ["--link-mode=copy"]
    _uv([uv, "venv", "--relocatable", "--python", _python(uv, environ), str(folder)], packages, environ)
    command = [uv, "pip", "install", "--python", str(python_of(folder)), *link_mode, *arguments]
    if packages.overrides:
        overrides = folder / "overrides.txt"
        overrides.write_text("\n".join(packages.overrides), encoding="utf-8")
        command += ["--override", str(overrides)]
    _uv([*command, *requirements(packages)], packages, environ)


def _python(uv: str, environ: dict[str, str]) -> str:
    """Choose the Python of an environment: what the user tells uv, else the one of the pins, else the running one."""
    if chosen := environ.get("UV_PYTHON"):
        return chosen
    if environ.get("UV_PYTHON_DOWNLOADS"):
        return PYTHON
    command = [uv, "python", "find", "--no-python-downloads", PYTHON]
    if subprocess.run(command, capture_output=True, env=environ, check=False).returncode == 0:
        return PYTHON
    LOGGER.warning(
        "There is no Python %s, with which the pins were tested; Python %s is used.", PYTHON, sys.version[:4]
    )
    return sys.executable


def _uv(command: list[str], packages: Packages, environ: dict[str, str]) -> None:
    """Run uv: a person sees its progress, a program gets its words."""
    seen = is_interactive()
    result = subprocess.run(
        command, env=environ, check=False, stdout=subprocess.DEVNULL, stderr=None if seen else subprocess.PIPE
    )
    if result.returncode:
        words = "uv's message stands above" if seen else result.stderr.decode(errors="replace").strip()
        raise ToolchainMissing(
            f"The environment '{packages.name}' could not be made: {words}. uv was asked for: "
            f"{', '.join(requirements(packages))}. Indexes and folders of wheels can be set with UV_DEFAULT_INDEX, "
            "UV_INDEX, UV_FIND_LINKS, or in pip's configuration."
        )


def _npm(packages: Packages, folder: Path) -> None:
    """Install packages of JavaScript; their install scripts, which may download programs, do not run."""
    npm = shutil.which("npm")
    if npm is None:
        raise MissingDependency(f"'{packages.name}' needs npm, which comes with Node.js: install it from nodejs.org.")
    switches = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-save", "--no-package-lock"]
    command = [npm, "install", "--prefix", str(folder), *switches, *packages.npm]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise ToolchainMissing(f"npm could not install {', '.join(packages.npm)}:\n{result.stderr.strip()[-2000:]}")


def _verify(packages: Packages, folder: Path) -> None:
    """Compare what lies on disk with the hashes of the wheels' own lists; uv compared the wheels with their index."""
    integrity.write_record(folder)
    if faults := integrity.differences(folder):
        raise ToolchainMissing(
            f"The environment '{packages.name}' was not kept: what was installed is not what its wheels say. "
            f"{integrity.summary(faults)}. Look for a full or failing disk, or a wheel of yours that was edited."
        )


def _mark(uv: str, packages: Packages, folder: Path) -> None:
    content = {
        "name": packages.name,
        "key": key(packages),
        "pins": requirements(packages),
        "overrides": list(packages.overrides),
        "python": _config(folder).get("version_info", ""),
        "uv": _config(folder).get("uv", uv),
        "packages": _installed(folder),
        "digest": integrity.digest(folder),
        "bytes": disk_size(folder),
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }
    write_atomic(folder / MARKER, json.dumps(content, indent=1, ensure_ascii=False).encode())


def _installed(folder: Path) -> list[str]:
    sites = [str(site) for site in integrity.site_folders(folder)]
    return sorted(f"{found.name}=={found.version}" for found in metadata.distributions(path=sites))


def _config(folder: Path) -> dict[str, str]:
    lines = (folder / "pyvenv.cfg").read_text(encoding="utf-8").splitlines()
    return {name.strip(): value.strip() for name, _, value in (line.partition("=") for line in lines)}


def _project(requirement: str) -> str:
    """Normalised name of a requirement's project."""
    return re.sub(r"[-_.]+", "-", re.split(r"[^\w.-]", requirement, maxsplit=1)[0]).lower()
