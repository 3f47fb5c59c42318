"""What a benchmark found: rows that are kept on disk, and shown as text, as CSV, and as a page with bars."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, fields
from operator import attrgetter
from pathlib import Path
from typing import Any

from ultralytics.deploy import FORMATS, get_format
from ultralytics.engine.results.writers import rows_to_csv, rows_to_frame
from ultralytics.utils.files import write_atomic
from ultralytics.utils.plotting.html import Bar, note, page, pairs, section, stacks, table
from ultralytics.utils.tables import text_table

PHASES = ("read", "preprocess", "inference", "postprocess")
"""Parts of a prediction, in their order."""

STATE = "benchmark.json"
"""File that marks the folder of a benchmark."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BenchmarkRow:
    """What was measured of one format; None where it is not known.

    Attributes:
        format: word of the format.
        title: what people call it.
        size: of the artefact, in MB.
        export: seconds it took to make.
        proof: seconds it took to compare with the network and, with 8 bits, with rivals of more bits.
        score: the task's headline metric on the validation split, by name.
        parity: the headline figure of the export's comparison with the network, by name.
        read: milliseconds per image, the median, to read and decode; so are the following.
        preprocess: to make the network's input.
        inference: to run the network.
        postprocess: to make the class map.
        memory: MB that the processes running it held at their peak, Python and its libraries included.
        error: why there are no figures, in a line; empty if there are.
    """

    format: str
    title: str
    size: float | None = None
    export: float | None = None
    proof: float | None = None
    score: dict[str, float | None] = field(default_factory=dict)
    parity: dict[str, float | None] = field(default_factory=dict)
    read: float | None = None
    preprocess: float | None = None
    inference: float | None = None
    postprocess: float | None = None
    memory: float | None = None
    error: str = ""

    @property
    def figures(self) -> dict[str, float | None]:
        """What the task measured, by name: its score, then parity."""
        return {**self.score, **self.parity}

    @property
    def total(self) -> float | None:
        """Milliseconds per image from file to class map."""
        phases = [getattr(self, phase) for phase in PHASES]
        return None if None in phases else sum(phases)


@dataclass(kw_only=True, slots=True)
class BenchmarkTable:
    """The rows of a benchmark.

    Attributes:
        folder: where its files are: `index.html`, `results.csv`, the artefacts, and a log of each row.
        settings: what was measured, and how.
        rows: in the order of the formats.
    """

    folder: Path
    settings: dict[str, Any] = field(default_factory=dict)
    rows: list[BenchmarkRow] = field(default_factory=list)

    def __iter__(self) -> Iterator[BenchmarkRow]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, name: str) -> BenchmarkRow:
        """Return the row of a format."""
        return next(row for row in self.rows if row.format == get_format(name, FORMATS).name)

    def __str__(self) -> str:
        failed = [f"{row.title}: {row.error}" for row in self.rows if row.error]
        shown = [_texts(row, self._shown()) for row in self.rows]
        return "\n".join([text_table(shown), *failed])

    def to_dicts(self) -> list[dict[str, Any]]:
        """One mapping per row."""
        columns = self._columns()
        return [{name: found(row) for name, found in columns.items()} for row in self.rows]

    def _columns(self) -> dict[str, Callable[[BenchmarkRow], Any]]:
        """Name every value of a row, and how to read it; the task's figures stand where it puts them."""
        columns: dict[str, Callable[[BenchmarkRow], Any]] = {}
        for entry in fields(BenchmarkRow):
            if entry.name in {"score", "parity"}:
                names = dict.fromkeys(name for row in self.rows for name in getattr(row, entry.name))
                columns |= {name: _figure(name) for name in names}
            else:
                columns[entry.name] = attrgetter(entry.name)
        return columns

    def _shown(self) -> list[_Column]:
        """List the columns of the text and the page."""
        known = [_Column(name, title, form, attrgetter(name)) for name, (title, form) in _TITLES.items()]
        figures = dict.fromkeys(name for row in self.rows for name in row.figures)
        own = [_Column(name, name.replace("_", " "), "{:.5f}", _figure(name)) for name in figures]
        return [*known[:3], *own, *known[3:]]

    def to_csv(self) -> str:
        """Write the rows as CSV text; what is not known is empty."""
        return rows_to_csv(self.to_dicts())

    def to_df(self) -> Any:
        """Make a data frame, with polars or else pandas, whichever is installed."""
        return rows_to_frame(self.to_dicts())

    def to_html(self) -> str:
        """Make a page that holds everything it shows."""
        done = [row for row in self.rows if not row.error]
        failed = {row.title: row.error for row in self.rows if row.error}
        columns = self._shown()
        phases = [column for column in columns if column.name in PHASES]
        whole = [column for column in columns if column.name not in PHASES]
        latency = {row.title: {phase: getattr(row, phase) for phase in PHASES} for row in done}
        explained = (
            "Proof: seconds the export spent on the comparison with the network in PyTorch. Total: per image from "
            "file to result, the sum of the medians below. Memory: peak of the processes that run it, Python and its "
            "libraries included. Bars are relative to the largest value of a column."
        )
        sections = [
            section("Formats", f"<div class=wide>{table(_bars(done, whole))}</div>" + note(explained)) if done else "",
            section("Latency", stacks(latency, "ms") + table(_bars(done, phases))) if done else "",
            section("Not measured", pairs(failed)) if failed else "",
            section("Settings", pairs(self.settings)),
        ]
        return page("Benchmark", sections)

    def save(self) -> None:
        """Write the state that a later run goes on from, the CSV file and the page."""
        state = {"settings": self.settings, "rows": [asdict(row) for row in self.rows]}
        write_atomic(self.folder / STATE, json.dumps(state, indent=1, ensure_ascii=False).encode())
        write_atomic(self.folder / "results.csv", self.to_csv().encode())
        write_atomic(self.folder / "index.html", self.to_html().encode())

    @classmethod
    def load(cls, folder: Path) -> BenchmarkTable:
        """Read what `save` wrote; an empty table where there is nothing."""
        if not (folder / STATE).is_file():
            return cls(folder=folder)
        state = json.loads((folder / STATE).read_text(encoding="utf-8"))
        return cls(folder=folder, settings=state["settings"], rows=[BenchmarkRow(**row) for row in state["rows"]])


@dataclass(frozen=True, slots=True)
class _Column:
    """One column of what is shown.

    Attributes:
        name: of the value.
        title: of the column.
        form: how a value is written.
        read: takes the value from a row.
    """

    name: str
    title: str
    form: str
    read: Callable[[BenchmarkRow], float | None]

    def text(self, row: BenchmarkRow) -> str:
        value = self.read(row)
        return "–" if value is None else self.form.format(value)


_TITLES = {
    "size": ("MB", "{:.1f}"), "export": ("export s", "{:.1f}"), "proof": ("proof s", "{:.1f}"),
    "read": ("read ms", "{:.1f}"), "preprocess": ("pre ms", "{:.1f}"), "inference": ("infer ms", "{:.1f}"),
    "postprocess": ("post ms", "{:.1f}"), "total": ("total ms", "{:.1f}"), "memory": ("memory MB", "{:.0f}"),
}  # fmt: skip
"""Title and form of the columns that every task has; those of a task's own figures come after the third."""


def _figure(name: str) -> Callable[[BenchmarkRow], float | None]:
    return lambda row: row.figures.get(name)


def _texts(row: BenchmarkRow, columns: Sequence[_Column]) -> dict[str, str]:
    shown = {column.title: column.text(row) for column in columns}
    return {"format": row.title, **shown, "": "failed" if row.error else ""}


def _bars(rows: Sequence[BenchmarkRow], columns: Iterable[_Column]) -> list[dict[str, Any]]:
    """Give each figure a bar, relative to the largest of its column."""
    columns = list(columns)
    largest = {column.name: max(column.read(row) or 0.0 for row in rows) or 1.0 for column in columns}
    return [
        {"format": row.title}
        | {column.title: Bar(column.text(row), (column.read(row) or 0.0) / largest[column.name]) for column in columns}
        for row in rows
    ]
