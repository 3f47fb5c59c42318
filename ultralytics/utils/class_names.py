"""Class names: two lists are compared by name, never by position or count."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

_PLACEHOLDER = re.compile(r"(class|cls|category|label|item|object|id)?\d+")


def fold_name(name: str) -> str:
    """Reduce a name to what identifies it: letter case, spaces, underscores and hyphens do not count."""
    return re.sub(r"[\s_-]+", "", str(name)).casefold()


def are_placeholders(names: Iterable[str]) -> bool:
    """Tell whether names only number the classes, as `class_0` or `0` do, and so say nothing about them."""
    return all(_PLACEHOLDER.fullmatch(fold_name(name)) for name in names)


def ids_by_name(names: Mapping[int, str]) -> dict[str, int]:
    """Return the first id of each folded name."""
    return {fold_name(name): number for number, name in sorted(names.items(), reverse=True)}


def have_same_classes(left: Mapping[int, str], right: Mapping[int, str]) -> bool:
    """Tell whether two lists have the same names in the same order."""
    return left.keys() == right.keys() and all(fold_name(left[k]) == fold_name(right[k]) for k in left)
