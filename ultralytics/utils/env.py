"""Facts about the process and the machine, looked up when asked for."""

from __future__ import annotations

import functools
import os
import platform
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
"""Folder of the installed package."""

RANK = int(os.environ.get("RANK", "-1"))
"""Index of this process among those of a distributed run; -1 for a single process."""

WINDOWS, MACOS, LINUX = (platform.system() == name for name in ("Windows", "Darwin", "Linux"))


def is_main_process() -> bool:
    """Tell whether this process writes files and prints for the run."""
    return RANK in {-1, 0}


def is_interactive() -> bool:
    """Tell whether progress bars and questions reach a person."""
    return sys.stderr is not None and sys.stderr.isatty()


@functools.lru_cache(maxsize=1)
def num_cores() -> int:
    """Count the CPU cores this process may use (its affinity mask where the system has one)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def memory_total() -> int | None:
    """Bytes of physical memory, or None where the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def memory_available() -> int | None:
    """Bytes of memory that can be used without swapping, or None where the system does not tell."""
    meminfo = Path("/proc/meminfo")
    if meminfo.is_file():
        for line in meminfo.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    total = memory_total()
    return None if total is None else total // 2


def memory_peak() -> int | None:
    """Bytes of memory that this process has held at most, or None where the system does not tell.

    On Linux those of the processes it started and that still run are added.
    """
    if LINUX:  # `getrusage` begins there with what the process held that started this one
        return _peak(os.getpid())
    if WINDOWS:
        return None
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if MACOS else 1024)


def _peak(process: int) -> int:
    folder = Path(f"/proc/{process}")
    try:
        peaks = [line for line in (folder / "status").read_text().splitlines() if line.startswith("VmHWM:")]
        children = {int(child) for file in folder.glob("task/*/children") for child in file.read_text().split()}
    except OSError:  # it has ended
        return 0
    return sum(int(line.split()[1]) * 1024 for line in peaks) + sum(map(_peak, children))


@functools.lru_cache(maxsize=1)
def cpu_name() -> str:
    """Name the processor."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def user_cache_folder() -> Path:
    """Folder for what can be made again, outside datasets and runs; it is not created here.

    `YOLO_CACHE_DIR` moves it, else `YOLO_CONFIG_DIR`, else the system's folder for caches holds it.
    """
    if folder := os.environ.get("YOLO_CACHE_DIR"):
        return Path(folder).expanduser()
    if folder := os.environ.get("YOLO_CONFIG_DIR"):
        return Path(folder).expanduser() / "cache"
    import platformdirs

    return platformdirs.user_cache_path("ultralytics-semantic", appauthor=False)
