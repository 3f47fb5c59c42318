"""Coarse parallelism: independent shares of work in threads of their own instead of many small parallel operations.

An operation that torch splits over threads waits for the slowest of them. Where data loading or other programs use the
same cores, that wait costs more than the work, and a chain of short operations runs many times slower than on a single
thread. Shares that never wait for each other do not suffer so; torch releases the interpreter's lock as it computes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TypeVar

import torch

Item = TypeVar("Item")
Share = TypeVar("Share")
Result = TypeVar("Result")


def available_workers(device: torch.device) -> int:
    """Return how many shares can run at a time: torch's threads on a CPU, 1 on a device that is parallel by itself."""
    return torch.get_num_threads() if device.type == "cpu" else 1


def split_evenly(items: Sequence[Item], workers: int) -> list[Sequence[Item]]:
    """Cut a sequence into at most `workers` runs of nearly equal length, none of them empty."""
    workers = min(workers, len(items))
    edges = [len(items) * part // workers for part in range(workers + 1)] if workers else []
    return [items[start:stop] for start, stop in pairwise(edges)]


def run_in_threads(function: Callable[[Share], Result], shares: Sequence[Share], device: torch.device) -> list[Result]:
    """Apply a function to each share of the work and return the results in order; no gradients are recorded.

    On a CPU each share has a single torch thread while this lasts.

    Args:
        function: what to do, in another thread if there are several shares.
        shares: what to do it to, independent of each other.
        device: where the work happens.
    """
    inference = torch.is_inference_mode_enabled()

    def quiet(share: Share) -> Result:
        # Both modes belong to a thread; what was made in inference mode can be written to in no other.
        with torch.inference_mode(inference), torch.no_grad():
            return function(share)

    if device.type != "cpu":
        return [quiet(share) for share in shares]
    threads = torch.get_num_threads()
    try:
        if len(shares) <= 1:
            torch.set_num_threads(1)
            return [quiet(share) for share in shares]
        with ThreadPoolExecutor(len(shares), initializer=torch.set_num_threads, initargs=(1,)) as pool:
            return list(pool.map(quiet, shares))
    finally:
        torch.set_num_threads(threads)
