"""results.csv: one row per epoch, in columns fixed by the first."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

from ultralytics.utils.files import write_atomic
from ultralytics.utils.log import LOGGER


class ResultsCSV:
    """Appends rows to a table; numbers have six significant digits.

    Args:
        path: the file; nothing is touched before the first row.
        resume_epoch: rows up to this epoch (in the column "epoch") are kept, later ones belong to a run that was cut
            off and are dropped; 0 starts a new file.
    """

    def __init__(self, path: str | Path, resume_epoch: int = 0) -> None:
        self.path = Path(path)
        self._resume_epoch = resume_epoch
        self._columns: list[str] | None = None

    def write(self, row: Mapping[str, float]) -> None:
        """Append a row; a column it lacks stays empty, one the table lacks is left out with a warning."""
        if self._columns is None:
            self._columns = self._open(list(row))
        if extra := [name for name in row if name not in self._columns]:
            LOGGER.warning(f"'{self.path}' has no columns {', '.join(extra)}; they are left out.")
        cells = [f"{row[name]:.6g}" if name in row else "" for name in self._columns]
        with self.path.open("a", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerow(cells)

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
