"""Time and peak memory of a function, and the machine they were measured on."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from pathlib import Path

import torch

from ultralytics.utils.env import cpu_name, num_cores

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def machine() -> str:
    """One line on what the figures were measured with."""
    threads = torch.get_num_threads()
    return f"{cpu_name()}, {num_cores()} cores, {threads} torch thread(s), torch {torch.__version__}"


def best_ms(function: Callable[[], object], seconds: float = 2.0) -> float:
    """Smallest wall time of several runs in milliseconds: the one least disturbed by others on the machine."""
    function()
    best, spent, runs = float("inf"), 0.0, 0
    while runs < 3 or (spent < seconds and runs < 50):
        start = time.perf_counter()
        function()
        elapsed = time.perf_counter() - start
        best, spent, runs = min(best, elapsed), spent + elapsed, runs + 1
    return best * 1e3


def peak_mib(function: Callable[[], object]) -> float:
    """Memory the function needed at its peak, its result included, in MiB (Linux with glibc; elsewhere NaN)."""
    if not _CLEAR.exists() or not hasattr(ctypes.CDLL(None), "malloc_trim"):
        return float("nan")
    function()
    # Give freed memory back first, or the function would find it there and seem to need none.
    ctypes.CDLL(None).malloc_trim(0)
    _CLEAR.write_text("5")
    before = _resident("VmRSS")
    function()
    return _resident("VmHWM") - before


def _resident(field: str) -> float:
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith(field))
    return int(line.split()[1]) / 1024
