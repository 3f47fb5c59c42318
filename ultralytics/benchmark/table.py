"""What a benchmark found: rows that are kept on disk, and shown as text, as CSV, and as a page with bars."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ultralytics.deploy import FORMATS, get_format
from ultralytics.deploy.capabilities import text_table
from ultralytics.engine.results.writers import rows_to_csv, rows_to_frame
from ultralytics.utils.files import write_atomic
from ultralytics.utils.plotting.html import Bar, note, page, pairs, section, stacks, table

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
        miou: mean IoU on the validation split.
        equal_pixels: share of pixels that are equal to the network's, as the export's report has it.
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
    miou: float | None = None
    equal_pixels: float | None = None
    read: float | None = None
    preprocess: float | None = None
    inference: float | None = None
    postprocess: float | None = None
    memory: float | None = None
    error: str = ""

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
        return "\n".join([text_table([_texts(row) for row in self.rows]), *failed])

    def to_dicts(self) -> list[dict[str, Any]]:
        """One mapping per row."""
        return [asdict(row) for row in self.rows]

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
        whole = [name for name in _COLUMNS if name not in PHASES]
        latency = {row.title: {phase: getattr(row, phase) for phase in PHASES} for row in done}
        explained = (
            "Proof: the seconds that the export took besides, to compare with the network in PyTorch; equal pixels: "
            "what it found. "
            "Total: per image from file to class map, the sum of the medians below. Memory: peak of the processes that "
            "run it, Python and its libraries included. Bars are relative to the largest value of a column."
        )
        sections = [
            section("Formats", f"<div class=wide>{table(_bars(done, whole))}</div>" + note(explained)) if done else "",
            section("Latency", stacks(latency, "ms") + table(_bars(done, PHASES))) if done else "",
            section("Not measured", pairs(failed)) if failed else "",
            section("Settings", pairs(self.settings)),
        ]
        return page("Benchmark", sections)

    def save(self) -> None:
        """Write the state that a later run goes on from, the CSV file and the page."""
        state = {"settings": self.settings, "rows": self.to_dicts()}
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


_COLUMNS = {
    "size": ("MB", "{:.1f}", 1.0), "export": ("export s", "{:.1f}", 1.0), "proof": ("proof s", "{:.1f}", 1.0),
    "miou": ("mIoU", "{:.4f}", 1.0), "equal_pixels": ("equal %", "{:.3f}", 100.0), "read": ("read ms", "{:.1f}", 1.0),
    "preprocess": ("pre ms", "{:.1f}", 1.0), "inference": ("infer ms", "{:.1f}", 1.0),
    "postprocess": ("post ms", "{:.1f}", 1.0), "total": ("total ms", "{:.1f}", 1.0),
    "memory": ("memory MB", "{:.0f}", 1.0),
}  # fmt: skip
"""Title, format and factor of what is shown of a row."""


def _texts(row: BenchmarkRow) -> dict[str, str]:
    values = {name: getattr(row, name) for name in _COLUMNS}
    shown = {
        title: "–" if values[name] is None else form.format(factor * values[name])
        for name, (title, form, factor) in _COLUMNS.items()
    }
    return {"format": row.title, **shown, "": "failed" if row.error else ""}


def _bars(rows: Sequence[BenchmarkRow], names: Sequence[str]) -> list[dict[str, Any]]:
    """Give each figure a bar, relative to the largest of its column."""
    largest = {name: max(getattr(row, name) or 0.0 for row in rows) or 1.0 for name in names}
    titles = {name: _COLUMNS[name][0] for name in names}
    return [
        {"format": row.title}
        | {titles[name]: Bar(_texts(row)[titles[name]], (getattr(row, name) or 0.0) / largest[name]) for name in names}
        for row in rows
    ]
