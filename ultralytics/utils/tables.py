"""Tables for a terminal: one look for all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def text_table(rows: Sequence[Mapping[str, str]], *, right: Sequence[str] = ()) -> str:
    """Lay rows with the same keys out in columns under their titles.

    Args:
        rows: texts by title; at least one row.
        right: titles of the columns that are aligned to the right.

    Example:
        >>> print(text_table([{"id": "7", "class": "road"}], right=["id"]))
          id  class
           7  road
    """
    from tabulate import tabulate

    titles = list(rows[0])
    table = tabulate(
        [[row[title] for title in titles] for row in rows],
        headers=titles,
        tablefmt="plain",
        colalign=["right" if title in right else "left" for title in titles],
        disable_numparse=True,
        preserve_whitespace=True,
    )
    return "\n".join(line.rstrip() for line in table.splitlines())
