"""Charts of training and validation: curves, confusion matrix, bars per class.

Every chart is a `Figure` of its own, never matplotlib's shared state, so a host program's plots and backend stay as
they are. Class names are shown letter by letter: `$` starts no formula and letters without a glyph raise no warning.
"""

from __future__ import annotations

import csv
import io
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ultralytics.errors import ConfigError, MissingFile
from ultralytics.utils.files import write_atomic
from ultralytics.utils.plotting.fonts import OTHER_FAMILIES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_BLUE, _ORANGE, _INK, _GRID, _ABSENT = "#1f6fb4", "#d5641e", "#2b2f36", "#e3e6ea", "#f1f2f4"
_WORDS = {"ce": "CE", "bce": "BCE", "miou": "mIoU", "iou": "IoU", "acc": "accuracy", "aux": "auxiliary", "lr": "LR"}
_MANY = 30  # with more classes than this a number in every cell can no longer be read


def plot_results(file: str | Path, save_to: str | Path | None = None) -> Path:
    """Draw the curves of a training run.

    Args:
        file: results.csv of the run.
        save_to: image to write; None puts `results.png` beside the file.

    Raises:
        MissingFile: there is no such file.
        ConfigError: the file holds no figures yet.
    """
    file = Path(file)
    columns = _read_columns(file)
    epochs = columns.pop("epoch", None)
    panels = _panels(columns)
    if not panels:
        raise ConfigError(f"'{file}' holds no figures to draw. Give the results.csv of a run with at least one epoch.")
    if epochs is None:
        epochs = np.arange(1, len(next(iter(columns.values()))) + 1, dtype=np.float64)
    across = min(len(panels), 3 if len(panels) <= 6 else 4)
    down = -(-len(panels) // across)
    figure = _figure(4.2 * across, 2.9 * down)
    axes = figure.subplots(down, across, squeeze=False).ravel()
    for axis, (title, lines) in zip(axes, panels.items(), strict=False):
        _draw_panel(axis, title, lines, epochs)
    for axis in axes[len(panels) :]:
        axis.set_visible(False)
    return write_figure(figure, save_to or file.with_name("results.png"))


def plot_confusion_matrix(
    matrix: np.ndarray, names: Mapping[int, str] | Sequence[str], path: str | Path, *, normalize: bool = True
) -> Path:
    """Draw a confusion matrix to an image file; see `confusion_figure`."""
    return write_figure(confusion_figure(matrix, names, normalize=normalize), path)


def confusion_figure(matrix: np.ndarray, names: Mapping[int, str] | Sequence[str], *, normalize: bool = True) -> Figure:
    """Draw a confusion matrix.

    Args:
        matrix: (num_classes, num_classes) counts [label, prediction]; one more column counts predictions that are no
            class.
        names: class names by id.
        normalize: show each row as percent of the label's pixels; else counts, on a logarithmic scale.
    """
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LogNorm, PowerNorm

    matrix = np.asarray(matrix, dtype=np.float64)
    rows, columns = matrix.shape
    labels = _labels(names, rows)
    with np.errstate(invalid="ignore"):
        values = 100 * matrix / matrix.sum(axis=1, keepdims=True) if normalize else matrix
    shown = np.ma.masked_invalid(values) if normalize else np.ma.masked_equal(values, 0)
    cell = 0.56 if rows <= 12 else 0.4 if rows <= _MANY else 0.24 if rows <= 60 else 0.17
    font = cell * 72 * (0.3 if rows <= _MANY else 0.62)
    figure = _figure(cell * columns + 3.0, cell * rows + 2.4)
    axis = figure.subplots()
    # A plain scale would leave confusions of a few percent, the ones to look for, next to invisible.
    scale = PowerNorm(0.6, 0, 100) if normalize else LogNorm(1, max(10.0, float(matrix.max(initial=0))))
    colored = ScalarMappable(scale, colormaps["Blues"].with_extremes(bad=_ABSENT))
    axis.imshow(colored.to_rgba(shown), interpolation="nearest")  # ready colours: a third of the time for 150 classes
    named: dict[str, Any] = {"parse_math": False, "fontfamily": _families(labels), "fontsize": max(font, 6.0)}
    axis.set_xticks(range(columns), [*labels, "(no class)"][:columns], rotation=90, **named)
    axis.set_yticks(range(rows), labels, **named)
    axis.set_xlabel("predicted")
    axis.set_ylabel("label")
    axis.set_title("Confusion matrix" + (" (% of the label's pixels)" if normalize else " (pixels)"), fontsize=11)
    for spine in axis.spines.values():
        spine.set_visible(False)
    figure.colorbar(colored, ax=axis, fraction=0.03, pad=0.02, aspect=40).outline.set_visible(False)  # type: ignore[operator]
    if rows <= _MANY:
        axis.set_xticks(np.arange(columns + 1) - 0.5, minor=True)
        axis.set_yticks(np.arange(rows + 1) - 0.5, minor=True)
        axis.grid(which="minor", color="white", linewidth=0.6)
        _write_cells(axis, values, normalize, font)
    axis.tick_params(which="both", length=0, colors=_INK)
    return figure


def plot_class_iou(
    iou: Sequence[float] | np.ndarray, names: Mapping[int, str] | Sequence[str], path: str | Path
) -> Path:
    """Draw the IoU of each class as a bar, best first, with the mean as a line.

    Args:
        iou: of each class, 0-1; NaN for a class without labels, which the mean leaves out.
        names: class names by id.
        path: image to write.
    """
    iou = np.asarray(iou, dtype=np.float64)
    order = np.argsort(np.where(np.isnan(iou), np.inf, -iou), kind="stable")
    labels = _labels(names, len(iou))
    notes = ["no labels" if np.isnan(value) else f"{value:.3f}" for value in iou[order]]
    figure = _bar_figure(np.nan_to_num(iou[order]), [labels[i] for i in order], notes, "IoU of each class")
    axis = figure.axes[0]
    axis.set_xlim(0, 1.1)
    axis.set_xticks(np.linspace(0, 1, 6))
    if not np.isnan(iou).all():
        mean = float(np.nanmean(iou))
        axis.axvline(mean, color=_ORANGE, linewidth=1.4, zorder=3)
        axis.set_title(f"mean {mean:.3f}", loc="right", fontsize=10, color=_ORANGE)
    return write_figure(figure, path)


def plot_class_pixels(
    pixels: Sequence[int] | np.ndarray,
    names: Mapping[int, str] | Sequence[str],
    path: str | Path,
    *,
    images: Sequence[int] | np.ndarray | None = None,
    num_images: int = 0,
    ignored: int = 0,
) -> Path:
    """Draw how many pixels each class has in the labels, on a logarithmic scale.

    Args:
        pixels: labelled pixels of each class.
        names: class names by id.
        path: image to write.
        images: images that show each class.
        num_images: images counted.
        ignored: pixels that carry no class.
    """
    pixels = np.asarray(pixels, dtype=np.float64)
    labels = _labels(names, len(pixels))
    total = max(pixels.sum(), 1.0)
    share = 100 * pixels / total
    notes = [f"{value:.2g} %" if value < 10 else f"{value:.1f} %" for value in share]
    notes = [note if count else "none" for note, count in zip(notes, pixels, strict=True)]
    if images is not None and num_images:
        notes = [f"{note}, in {count} of {num_images}" for note, count in zip(notes, images, strict=True)]
    about = f"{_short(total)} labelled pixels"
    about += f" in {num_images:,} images" if num_images else ""
    about += f", {100 * ignored / (total + ignored):.1f} % ignored" if ignored else ""
    figure = _bar_figure(share, labels, notes, f"Share of each class: {about}", log=True)
    figure.axes[0].set_xlabel("% of labelled pixels")
    return write_figure(figure, path)


def write_figure(figure: Figure, path: str | Path) -> Path:
    """Write a figure to an image file, all or nothing; missing folders are made."""
    path = Path(path)
    write_atomic(path, encode_figure(figure, path.suffix))
    return path


def encode_figure(figure: Figure, suffix: str = ".png", dpi: int = 120) -> bytes:
    """Render a figure as the file format of a suffix."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # A class name in a script that no font of this machine has shows as boxes: worth no warning, and no crash.
        warnings.filterwarnings("ignore", message=".*[Gg]lyph", category=UserWarning)
        figure.savefig(buffer, format=suffix.lstrip(".").lower() or "png", dpi=dpi, facecolor="white")
    return buffer.getvalue()


def _read_columns(file: Path) -> dict[str, np.ndarray]:
    """Read a CSV of numbers; a cell that is none becomes NaN."""
    if not file.is_file():
        raise MissingFile(f"'{file}' does not exist. Give the results.csv of a training run.")
    with file.open(newline="", encoding="utf-8-sig") as lines:
        header, *rows = [[cell.strip() for cell in row] for row in csv.reader(lines) if row] or [[]]
    columns = {name: [_number(row[i]) if i < len(row) else np.nan for row in rows] for i, name in enumerate(header)}
    return {name: np.array(values, dtype=np.float64) for name, values in columns.items()}


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


def _panels(columns: Mapping[str, np.ndarray]) -> dict[str, dict[str, np.ndarray]]:
    """Group columns into panels: the training and validation side of a loss together, all learning rates together."""
    panels: dict[str, dict[str, np.ndarray]] = {}
    for name, values in columns.items():
        group, _, what = name.rpartition("/")
        if name == "time" or not np.isfinite(values).any():
            continue
        title, line = ("learning rate", what) if group == "lr" else (what, "" if group == "metrics" else group)
        panels.setdefault(title, {})[line] = values
    return panels


def _draw_panel(axis: Axes, title: str, lines: Mapping[str, np.ndarray], epochs: np.ndarray) -> None:
    from matplotlib.ticker import MaxNLocator

    palette = {"train": _BLUE, "val": _ORANGE, "": _BLUE}
    marker = "o" if len(epochs) <= 25 else None
    for number, (name, values) in enumerate(lines.items()):
        color = palette.get(name, (_BLUE, _ORANGE, "#2a9d6f", "#8b5fbf")[number % 4])
        axis.plot(epochs, values, color=color, label=name or None, marker=marker, markersize=3, linewidth=1.7)
    if "" in lines:
        best = int(np.nanargmax(lines[""]))
        axis.plot(epochs[best], lines[""][best], "o", color=_ORANGE, markersize=6, zorder=3)
        note = f"{lines[''][best]:.4g} at epoch {epochs[best]:g}"
        axis.set_title(f"best {note}", loc="right", fontsize=8, color=_ORANGE)
    elif len(lines) > 1:
        axis.legend(frameon=False, fontsize=8)
    words = (_WORDS.get(word.lower(), word) for word in title.split("_"))
    axis.set_title(" ".join(words), loc="left", fontsize=10, color=_INK, parse_math=False)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    _plain(axis)


def _bar_figure(
    values: np.ndarray,
    labels: Sequence[str],
    notes: Sequence[str],
    title: str,
    *,
    log: bool = False,
    room: float = 1.35,
) -> Figure:
    """Draw horizontal bars, the first on top, each with its note at the end."""
    figure = _figure(8.0, 1.3 + 0.27 * max(len(values), 2))
    axis = figure.subplots()
    places = np.arange(len(values))
    floor = _log_axis(axis, values) if log else 0.0
    axis.barh(places, np.maximum(values, floor), height=0.72, color=_BLUE, zorder=2)
    around = {"facecolor": "white", "edgecolor": "none", "pad": 1.0}
    for place, value, note in zip(places, values, notes, strict=True):
        at = (max(value, floor), place)
        axis.annotate(
            note, at, (5, 0), textcoords="offset points", va="center", fontsize=8, color=_INK, bbox=around, zorder=4
        )
    axis.set_yticks(places, labels, fontsize=9, parse_math=False, fontfamily=_families(labels))
    axis.set_ylim(len(values) - 0.4, -0.6)
    axis.set_title(title, loc="left", fontsize=10, color=_INK)
    _plain(axis)
    axis.grid(visible=False, axis="y")
    return figure


def _log_axis(axis: Axes, percents: np.ndarray) -> float:
    """Make the x axis logarithmic, from the power of ten below the smallest bar to 100 % and room; return its start."""
    positive = percents[percents > 0]
    first = min(0, int(np.floor(np.log10(positive.min())))) if positive.size else 0
    axis.set_xscale("log")
    # Notes stand right of the bars: they need 40 % of the axis, and on this axis room is a factor.
    axis.set_xlim(10.0**first, 100 * (100 / 10.0**first) ** 0.4)
    ticks = [10.0**power for power in range(first, 3)]
    axis.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axis.minorticks_off()
    return 10.0**first


def _write_cells(axis: Axes, values: np.ndarray, normalize: bool, font: float) -> None:
    """Write the figure into every cell that has one worth reading."""
    strong = 45 if normalize else 10 ** (0.6 * np.log10(max(values.max(initial=0), 10)))
    for (row, column), value in np.ndenumerate(values):
        if np.isnan(value) or value < (0.5 if normalize else 1):
            continue
        text = f"{value:.0f}" if normalize else _short(value)
        color = "white" if value > strong else _INK
        axis.text(column, row, text, ha="center", va="center", color=color, fontsize=font * (1 if normalize else 0.85))


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height))
    figure.set_layout_engine("constrained", w_pad=0.12, h_pad=0.12)
    return figure


def _plain(axis: Axes) -> None:
    """Take away what is not data."""
    axis.grid(color=_GRID, linewidth=0.8)
    axis.set_axisbelow(True)
    axis.tick_params(length=0, labelsize=8, colors=_INK)
    for name, spine in axis.spines.items():
        spine.set_visible(name == "bottom")
        spine.set_color(_GRID)


def _labels(names: Mapping[int, str] | Sequence[str], count: int) -> list[str]:
    by_id = names if isinstance(names, Mapping) else dict(enumerate(names))
    return [str(by_id.get(class_id, class_id)) for class_id in range(count)]


def _families(labels: Sequence[str]) -> list[str]:
    """Name the fonts to look for letters in, in order."""
    if all(label.isascii() for label in labels):
        return ["DejaVu Sans"]
    from matplotlib import font_manager

    installed = {font.name for font in font_manager.fontManager.ttflist}
    return ["DejaVu Sans", *(family for family in OTHER_FAMILIES if family in installed)]


def _short(count: float) -> str:
    """Write a count in at most four characters and a unit: 950, 12k, 3.4M."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if count >= size:
            return f"{count / size:.1f}{unit}" if count < 10 * size else f"{count / size:.0f}{unit}"
    return f"{count:.0f}"
