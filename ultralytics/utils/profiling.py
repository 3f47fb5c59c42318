"""Wall time by phase, without making a GPU wait."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch


class Phases:
    """Add up the time spent in named phases.

    On CUDA the end of a phase is an event on the stream, read when the figures are asked for, so measuring adds no
    synchronisation to the loop.

    Example:
        >>> phases = Phases(torch.device("cpu"))
        >>> with phases("inference"):
        ...     _ = torch.ones(3) + 1
        >>> list(phases.per_item(1))
        ['inference']
    """

    def __init__(self, device: torch.device) -> None:
        self._cuda = device.type == "cuda"
        self._seconds: dict[str, float] = {}
        self._events: list[tuple[str, torch.cuda.Event, torch.cuda.Event]] = []

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Measure the block as part of a phase."""
        if self._cuda:
            start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
            start.record()
            yield
            end.record()
            self._events.append((name, start, end))
            self._seconds.setdefault(name, 0.0)
            return
        begin = time.perf_counter()
        yield
        self._seconds[name] = self._seconds.get(name, 0.0) + time.perf_counter() - begin

    def per_item(self, count: int) -> dict[str, float]:
        """Milliseconds of each phase, divided by the number of items."""
        if self._events:
            torch.cuda.synchronize()
            for name, start, end in self._events:
                self._seconds[name] += start.elapsed_time(end) / 1000
            self._events.clear()
        return {name: 1000 * seconds / max(count, 1) for name, seconds in self._seconds.items()}
