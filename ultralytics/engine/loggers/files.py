"""results.csv and results.jsonl: a row and a line for each epoch."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping
from pathlib import Path

from ultralytics.engine.loggers.base import RunLogger
from ultralytics.engine.train.figures import EpochFigures, RunFacts
from ultralytics.utils.files import write_atomic
from ultralytics.utils.log import LOGGER


class ResultsCSV(RunLogger):
    """Appends rows to a table whose columns are those of its first row; numbers have six significant digits.

    Rows of epochs after those a resumed run had finished belong to a part that was cut off: they are dropped.
    """

    name = "results.csv"

    def __init__(self) -> None:
        self.path = Path(self.name)
        self._resume_epoch = 0
        self._columns: list[str] | None = None

    def start(self, facts: RunFacts) -> None:
        """Choose the file; nothing is touched before the first row."""
        self.path, self._resume_epoch, self._columns = facts.folder / self.name, facts.resume_epoch, None

    def write(self, figures: EpochFigures) -> None:
        """Append a row; a column it lacks stays empty, one the table lacks is left out with a warning."""
        row = figures.row
        if self._columns is None:
            self._columns = self._open(list(row))
        if extra := [name for name in row if name not in self._columns]:
            LOGGER.warning(f"'{self.path}' has no columns {', '.join(extra)}; they are left out.")
        cells = [f"{row[name]:.6g}" if name in row else "" for name in self._columns]
        with self.path.open("a", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerow(cells)

    def end(self, status: str) -> None:
        """Leave the file, which is whole after each row."""

    def _open(self, columns: list[str]) -> list[str]:
        """Start the file, or cut it back to the rows to keep."""
        kept = []
        if self._resume_epoch and self.path.is_file():
            header, *rows = self.path.read_text(encoding="utf-8").splitlines() or [""]
            if header.startswith("epoch,"):
                columns = header.split(",")
                kept = [row for row in rows if self._is_kept(row, len(columns))]
        text = "\n".join([",".join(columns), *kept]) + "\n"
        write_atomic(self.path, text.encode())
        return columns

    def _is_kept(self, row: str, num_columns: int) -> bool:
        cells = row.split(",")
        return len(cells) == num_columns and cells[0].isdecimal() and int(cells[0]) <= self._resume_epoch


class ResultsJSON(RunLogger):
    """Appends one JSON object a line, with all digits; figures that are not known are null."""

    name = "results.jsonl"

    def __init__(self) -> None:
        self.path = Path(self.name)
        self._kept: list[str] | None = []

    def start(self, facts: RunFacts) -> None:
        """Choose the file, and what a resumed run keeps of it."""
        self.path, self._kept = facts.folder / self.name, []
        if facts.resume_epoch and self.path.is_file():
            lines = self.path.read_text(encoding="utf-8").splitlines()
            self._kept = [line for line in lines if _epoch_of(line) <= facts.resume_epoch]

    def write(self, figures: EpochFigures) -> None:
        """Append a line."""
        if self._kept is not None:
            write_atomic(self.path, "".join(f"{line}\n" for line in self._kept).encode())
            self._kept = None
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(_plain(figures.row)) + "\n")

    def end(self, status: str) -> None:
        """Leave the file, which is whole after each line."""


def _plain(row: Mapping[str, float]) -> dict[str, float | None]:
    return {name: value if math.isfinite(value) else None for name, value in row.items()}


def _epoch_of(line: str) -> float:
    try:
        return float(json.loads(line)["epoch"])
    except (ValueError, KeyError, TypeError):  # the run was killed while it wrote
        return math.inf
