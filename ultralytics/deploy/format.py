"""What is known of a format without loading anything that belongs to it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ultralytics.errors import ModelError
from ultralytics.utils.imports import available


@dataclass(frozen=True, kw_only=True, slots=True)
class Format:
    """One row of the table of formats.

    Attributes:
        name: word of the option `format`.
        title: what people call it.
        suffix: ending of its files or folders.
        packages: import names of what runs it.
        convertible: whether this package makes it.
    """

    name: str
    title: str
    suffix: str
    packages: tuple[str, ...]
    convertible: bool

    @property
    def runs_here(self) -> bool:
        """Whether what runs it is installed."""
        return all(map(available, self.packages))


def find_format(path: str | Path, formats: Iterable[Format]) -> Format:
    """Find the format of a file or folder by its ending.

    Raises:
        ModelError: no format has such an ending.
    """
    formats = list(formats)
    for row in formats:
        if str(path).endswith(row.suffix):
            return row
    known = ", ".join(row.suffix for row in formats)
    raise ModelError(
        f"'{path}' has the ending of no format that runs here. Give a .yaml architecture, or one of: {known}."
    )


def format_table(formats: Iterable[Format]) -> str:
    """Lay the formats out for a terminal."""
    row = "{:<12} {:<12} {:<10} {:<8} {:<8}"
    lines = [row.format("format", "argument", "suffix", "convert", "run here")]
    for one in formats:
        yes_no = ("yes" if answer else "no" for answer in (one.convertible, one.runs_here))
        lines.append(row.format(one.title, one.name, one.suffix, *yes_no))
    return "\n".join(lines)
