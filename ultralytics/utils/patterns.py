"""Paths with wildcards: only the part that the user meant as a pattern is one.

A folder may be called "site [A]". The longest leading part of a path that exists is taken literally; wildcards count in
what follows.
"""

from __future__ import annotations

import glob
from collections.abc import Iterator
from pathlib import Path

_WILDCARDS = frozenset("*?[")


def split_pattern(path: str | Path) -> tuple[Path, str]:
    """Divide a path into the part that exists and the pattern below it; the pattern is empty where all of it exists."""
    path = Path(path)
    if path.exists():
        return path, ""
    base = Path(path.anchor)
    parts = path.parts[1:] if path.anchor else path.parts
    for number, part in enumerate(parts):
        if not (base / part).exists():
            return base, "/".join(parts[number:])
        base = base / part
    return base, ""


def is_pattern(path: str | Path) -> bool:
    """Tell whether a path holds wildcards beyond what exists."""
    return bool(_WILDCARDS & set(split_pattern(path)[1]))


def expand(path: str | Path) -> Iterator[Path]:
    """Yield what a path or pattern stands for, without hidden files; `**` goes through all subfolders."""
    base, pattern = split_pattern(path)
    if not pattern:
        yield base
    elif _WILDCARDS & set(pattern):
        for name in glob.iglob(pattern, root_dir=base, recursive=True):  # noqa: PTH207 - Path.glob finds hidden files
            yield base / name
