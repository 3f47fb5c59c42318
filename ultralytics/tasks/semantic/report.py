"""One HTML page about a validation: figures, table per class, confusions, worst images.

The page holds everything it shows, pictures included, so that it can be mailed or archived as one file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ultralytics.engine.results import SemanticMask, Style
from ultralytics.engine.results.base import Array, as_numpy
from ultralytics.tasks.semantic.plots import legend_of, make_style, overlay
from ultralytics.utils.files import write_atomic
from ultralytics.utils.plotting.annotator import displayable
from ultralytics.utils.plotting.colors import PaletteLike
from ultralytics.utils.plotting.curves import confusion_figure, encode_figure
from ultralytics.utils.plotting.grids import encode_image
from ultralytics.utils.plotting.html import figure, note, page, pairs, picture, section, table, tiles

POLICY = (
    "All pixels of the split are counted in one int64 confusion matrix; ignored pixels are left out, and a prediction "
    "outside the class range is an error. The mean IoU averages the classes that have labelled pixels."
)
"""What the figures mean, where the caller does not say it more exactly."""

_PICTURE_WIDTH = 560
_CONFUSIONS = 12
_REPEATED = "mIoU"  # the metric's rows hold it, the same figure in each
_ERROR = np.array([[230, 30, 40]], np.uint8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """An image worth looking at.

    Attributes:
        file: where it came from.
        score: its figure, such as its own mean IoU.
        image: (H, W, C) uint8 BGR.
        label: (H, W) ids.
        prediction: (H, W) ids.
    """

    file: str
    score: float
    image: np.ndarray
    label: Array
    prediction: Array


def write_report(
    path: str | Path,
    *,
    metrics: Mapping[str, float],
    names: Mapping[int, str] | Sequence[str],
    per_class: Sequence[Mapping[str, Any]],
    confusion: np.ndarray,
    worst: Sequence[Case] = (),
    settings: Mapping[str, Any] | None = None,
    policy: str = POLICY,
    palette: PaletteLike | None = None,
) -> Path:
    """Write the page.

    Args:
        path: HTML file to write.
        metrics: figures of the whole split by name, shown in this order.
        names: class names by id.
        per_class: rows of the table, as `SemanticMetrics.summary` makes them; the keys of the first are its columns.
        confusion: (C, C) pixels [label, prediction]; C is 2 for a model of one class, whose row 0 is the background.
        worst: images to show, worst first.
        settings: what was validated and how.
        policy: what the figures mean.
        palette: colours of the dataset, None for the default ones.
    """
    path = Path(path)
    style = make_style(names, palette)
    rows = {0: "background", 1: style.names[0]} if len(style.names) == 1 and len(confusion) == 2 else style.names
    sections = [
        tiles({name.rpartition("/")[2]: value for name, value in metrics.items()}),
        note(policy),
        section("Classes", _classes(per_class)),
        section("Confusion matrix", _confusion(np.asarray(confusion), rows)),
        section("Worst images", _legend(style) + "".join(_case(case, style) for case in worst)) if worst else "",
        section("Settings", pairs(settings)) if settings else "",
    ]
    write_atomic(path, page("Validation report", sections).encode())
    return path


def _classes(rows: Sequence[Mapping[str, Any]]) -> str:
    if not rows:
        return note("No class has labelled pixels.")
    return table([{key: value for key, value in row.items() if key != _REPEATED} for row in rows])


def _confusion(matrix: np.ndarray, names: Mapping[int, str]) -> str:
    chart = picture(encode_figure(confusion_figure(matrix, names), dpi=90), "png", "Confusion matrix")
    rows = [
        {
            "label": names[true],
            "predicted": names.get(predicted, "(no class)"),
            "share of label": share,
            "pixels": count,
        }
        for true, predicted, share, count in _largest_confusions(matrix)
    ]
    return f"<div class=wide>{chart}</div>" + (f"<h3>Largest confusions</h3>{table(rows)}" if rows else "")


def _largest_confusions(matrix: np.ndarray) -> list[tuple[int, int, float, int]]:
    """List wrong pairs (label, prediction) by the share of the label's pixels they take."""
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    np.fill_diagonal(shares, 0)
    order = np.argsort(-shares, axis=None, kind="stable")[:_CONFUSIONS]
    pairs = zip(*np.unravel_index(order, matrix.shape), strict=True)
    return [(int(i), int(j), float(shares[i, j]), int(matrix[i, j])) for i, j in pairs if shares[i, j] > 0]


def _legend(style: Style) -> str:
    chips = (
        f'<span class=chip><i style="background:rgb{entry.color[::-1]}"></i>{escape(entry.name)}</span>'
        for entry in legend_of(sorted(style.names), style)
    )
    return (
        f'<p>{"".join(chips)}<span class=chip><i style="background:rgb{tuple(_ERROR[0].tolist())}"></i>wrong</span></p>'
    )


def _case(case: Case, style: Style) -> str:
    """Show an image, its label, what was predicted, and where they differ."""
    label, prediction = as_numpy(case.label), as_numpy(case.prediction)
    image = displayable(case.image)
    counted = label < max(2, len(style.names))
    wrong = counted & (label != prediction)
    grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    errors = Style(names={0: "", 1: ""}, palette=_ERROR, alpha=0.75, legend=False)
    pictures = {
        "image": image,
        "label": overlay(image, SemanticMask(label), style),
        "prediction": overlay(image, SemanticMask(prediction), style),
        f"wrong: {wrong.sum() / max(1, counted.sum()):.1%}": overlay(
            grey, SemanticMask(np.where(wrong, np.uint8(0), np.uint8(255))), errors
        ),
    }
    figures = "".join(
        f"<figure>{picture(_jpeg(shown), 'jpeg', title)}<figcaption>{escape(title)}</figcaption></figure>"
        for title, shown in pictures.items()
    )
    return f"<h3>{escape(case.file)} <span class=note>{figure(case.score)}</span></h3><div class=strip>{figures}</div>"


def _jpeg(image: np.ndarray) -> bytes:
    height, width = image.shape[:2]
    if width > _PICTURE_WIDTH:
        size = (_PICTURE_WIDTH, max(1, round(height * _PICTURE_WIDTH / width)))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return encode_image(image, ".jpg", quality=85)
