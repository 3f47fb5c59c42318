"""One way to run a function over many files: threads, since decoding leaves Python's lock."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from ultralytics.utils.env import num_cores
from ultralytics.utils.progress import progress

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_threads(function: Callable[[Item], Result], items: Sequence[Item], *, desc: str) -> Iterator[Result]:
    """Yield the results in the order of the items, behind a progress bar; an interrupt drops what has not begun."""
    pool = ThreadPoolExecutor(min(num_cores() + 1, 32))
    try:
        yield from progress(pool.map(function, items), desc=desc, total=len(items), leave=False)
    finally:
        pool.shutdown(cancel_futures=True)
