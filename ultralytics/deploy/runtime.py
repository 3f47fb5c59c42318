"""Opening an artefact: which row it belongs to, and whether its runtime lives in this process or in one of its own."""

from __future__ import annotations

import sys
from pathlib import Path

from ultralytics.deploy.base import Backend
from ultralytics.deploy.format import Format
from ultralytics.deploy.sandbox import environments
from ultralytics.errors import ConfigError, MissingDependency, MissingFile, RuntimeUnavailable
from ultralytics.utils.imports import load
from ultralytics.utils.side_effects import preserve_process_state


def open_backend(
    path: Path,
    row: Format,
    *,
    device: str = "cpu",
    threads: int = 1,
    runtime: str = "auto",
    policy: str = "ask",
    dnn: bool = False,
) -> Backend:
    """Open an artefact.

    Args:
        path: the artefact.
        row: its format.
        device: "cpu", or "cuda:0" and the like.
        threads: CPU threads it may use.
        runtime: "inprocess", "isolated", or "auto": in this process where its packages are here.
        policy: what to do where they have to be fetched: see the option `toolchain`.
        dnn: run an ONNX file with OpenCV.

    Raises:
        MissingFile: there is no such artefact.
        RuntimeUnavailable: this machine cannot run it; the message says what it needs.
        MissingDependency: its packages are not here and must not be fetched.
    """
    if not path.exists():
        raise MissingFile(f"'{path}' does not exist. Export it first: YOLO('best.pt').export(format='{row.name}').")
    if dnn:
        if row.name != "onnx":
            raise ConfigError(f"dnn=True runs ONNX files; '{path.name}' is {row.title}. Leave it out.")
        return _open(load("ultralytics.deploy.formats.opencv:Backend"), path, device, threads)
    if row.platforms and sys.platform not in row.platforms:
        raise RuntimeUnavailable(f"{row.title} runs only where there is {row.needs}; '{path.name}' cannot run here.")
    if row.run is None or (runtime != "isolated" and row.run.here):
        return _open(row.resolve("Backend"), path, device, threads)
    if runtime == "inprocess":
        line = f'"ultralytics-semantic[{row.run.extra}]"' if row.run.extra else " ".join(row.run.pins)
        raise MissingDependency(f"{row.title} needs {', '.join(row.run.imports)}. Install it: pip install {line}")
    from ultralytics.deploy.sandbox.isolated import IsolatedBackend

    return IsolatedBackend(
        path, backend=f"{row.module}:Backend", packages=row.run, policy=policy, device=device, threads=threads
    )


def _open(backend: type[Backend], path: Path, device: str, threads: int) -> Backend:
    with preserve_process_state():
        return backend(path, device=device, threads=threads)


def runtime_versions(row: Format, backend: Backend) -> dict[str, str]:
    """Name the packages that run an open artefact of a format, with their versions; none where torch does."""
    return {} if row.run is None else environments.versions(row.run, getattr(backend, "environment", None))
