"""One HTML page about a validation: figures, table per class, confusions, worst images.

The page holds everything it shows, pictures included, so that it can be mailed or archived as one file.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
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
        _tiles(metrics),
        f"<p class=note>{escape(policy)}</p>",
        _section("Classes", _table(per_class)),
        _section("Confusion matrix", _confusion(np.asarray(confusion), rows)),
        _section("Worst images", _legend(style) + "".join(_case(case, style) for case in worst)) if worst else "",
        _section("Settings", _pairs(settings)) if settings else "",
    ]
    write_atomic(path, _page("Validation report", sections).encode())
    return path


def _page(title: str, sections: Iterable[str]) -> str:
    return (
        f"<!doctype html>\n<html lang=en>\n<head><meta charset=utf-8><title>{escape(title)}</title>\n"
        f'<meta name=viewport content="width=device-width, initial-scale=1">\n<style>{_CSS}</style></head>\n'
        f"<body><main>\n<h1>{escape(title)}</h1>\n" + "\n".join(filter(None, sections)) + "\n</main></body></html>\n"
    )


def _section(title: str, body: str) -> str:
    return f"<section><h2>{escape(title)}</h2>\n{body}</section>"


def _tiles(metrics: Mapping[str, float]) -> str:
    tiles = (
        f"<div class=tile><b>{escape(_figure(value))}</b><span>{escape(name.rpartition('/')[2])}</span></div>"
        for name, value in metrics.items()
    )
    return f"<div class=tiles>{''.join(tiles)}</div>"


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Lay rows out as a table; a share of one has a bar behind it."""
    if not rows:
        return "<p class=note>No class has labelled pixels.</p>"
    columns = [column for column in rows[0] if column != _REPEATED]
    head = "".join(f"<th>{escape(str(column))}</th>" for column in columns)
    body = "".join("<tr>" + "".join(_cell(row.get(column, "")) for column in columns) + "</tr>\n" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table>"


def _cell(value: Any) -> str:
    text = escape(_figure(value))
    if isinstance(value, float) and 0 <= value <= 1:
        return f'<td class=bar style="--share:{value:.4f}">{text}</td>'
    return f"<td class=number>{text}</td>" if isinstance(value, int | float) else f"<td>{text}</td>"


def _figure(value: Any) -> str:
    if isinstance(value, float):
        return "–" if np.isnan(value) else f"{value:.4f}" if abs(value) < 100 else f"{value:,.1f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _confusion(matrix: np.ndarray, names: Mapping[int, str]) -> str:
    picture = _picture(encode_figure(confusion_figure(matrix, names), dpi=90), "png", "Confusion matrix")
    rows = [
        {
            "label": names[true],
            "predicted": names.get(predicted, "(no class)"),
            "share of label": share,
            "pixels": count,
        }
        for true, predicted, share, count in _largest_confusions(matrix)
    ]
    return f"<div class=wide>{picture}</div>" + (f"<h3>Largest confusions</h3>{_table(rows)}" if rows else "")


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
        f"<figure>{_picture(_jpeg(picture), 'jpeg', title)}<figcaption>{escape(title)}</figcaption></figure>"
        for title, picture in pictures.items()
    )
    return f"<h3>{escape(case.file)} <span class=note>{_figure(case.score)}</span></h3><div class=strip>{figures}</div>"


def _jpeg(image: np.ndarray) -> bytes:
    height, width = image.shape[:2]
    if width > _PICTURE_WIDTH:
        size = (_PICTURE_WIDTH, max(1, round(height * _PICTURE_WIDTH / width)))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return encode_image(image, ".jpg", quality=85)


def _picture(data: bytes, kind: str, description: str) -> str:
    return f'<img alt="{escape(description)}" src="data:image/{kind};base64,{base64.b64encode(data).decode()}">'


def _pairs(settings: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<tr><td>{escape(str(key))}</td><td>{escape(str(value))}</td></tr>" for key, value in settings.items()
    )
    return f"<table><tbody>{rows}</tbody></table>"


_CSS = """
:root { color-scheme: light dark; --ink: #22262c; --paper: #fff; --soft: #f3f5f8; --line: #dfe3e8; --bar: #bcd7ef; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e7eb; --paper: #16191d; --soft: #20252b; --line: #343b44; --bar: #27496b; }
}
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 2rem 1.5rem 4rem; }
h1 { font-size: 1.7rem; margin: 0 0 1rem; }
h2 { font-size: 1.2rem; margin: 2.5rem 0 .8rem; border-bottom: 1px solid var(--line); padding-bottom: .3rem; }
h3 { font-size: 1rem; margin: 1.6rem 0 .5rem; overflow-wrap: anywhere; }
.note { opacity: .75; font-weight: normal; }
.tiles { display: flex; flex-wrap: wrap; gap: .8rem; }
.tile { background: var(--soft); border-radius: 8px; padding: .7rem 1.1rem; min-width: 7rem; }
.tile b { display: block; font-size: 1.5rem; font-variant-numeric: tabular-nums; }
table { border-collapse: collapse; }
th { text-align: left; font-weight: 600; }
th, td { padding: .25rem .9rem .25rem .4rem; border-bottom: 1px solid var(--line); }
.number, .bar { text-align: right; font-variant-numeric: tabular-nums; }
.bar { min-width: 8rem; background: linear-gradient(var(--bar) 0 0) 0 50% / calc(var(--share) * 100%) 70% no-repeat; }
.wide { overflow-x: auto; }
img { max-width: 100%; border-radius: 4px; }
.strip { display: grid; grid-template-columns: repeat(auto-fit, minmax(240px, 1fr)); gap: .6rem; }
figure { margin: 0; }
figcaption { font-size: .85rem; opacity: .75; }
.chip { display: inline-block; margin: 0 1rem .2rem 0; white-space: nowrap; }
.chip i { display: inline-block; width: .8em; height: .8em; margin-right: .4em; border-radius: 2px; }
"""
