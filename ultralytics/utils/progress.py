"""One progress bar for every long loop."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from tqdm import tqdm

from ultralytics.utils.env import is_main_process


def progress(iterable: Iterable | None = None, *, desc: str = "", total: int | None = None, **options: Any) -> tqdm:
    """Wrap a loop in a tqdm bar that is silent on other ranks and redraws rarely where output is not a terminal.

    A bar that would not stay (`leave=False`) is not drawn there at all.

    Args:
        iterable: what to loop over; None for a bar that is moved by hand with `update`.
        desc: what is being done.
        total: number of steps if `iterable` has no length.
        **options: anything else tqdm takes.
    """
    terminal = sys.stderr.isatty()
    options.setdefault("disable", not is_main_process() or (not terminal and not options.get("leave", True)))
    options.setdefault("dynamic_ncols", True)
    options.setdefault("mininterval", 0.1 if terminal else 30.0)
    return _Bar(iterable, desc=desc, total=total, **options)


class _Bar(tqdm):
    """A bar that says nothing when Ctrl-C comes while it is being made."""

    def __del__(self) -> None:
        if hasattr(self, "start_t"):  # what tqdm sets last
            super().__del__()
