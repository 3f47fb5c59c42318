"""Sheets of a batch: every image beside itself tinted with its label, or with what was predicted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from ultralytics.engine.results import SemanticMask, Style
from ultralytics.utils.plotting import Annotator, LegendEntry, resolve_palette, save_grid
from ultralytics.utils.plotting.colors import PaletteLike

_MAX_IMAGES = 16


def plot_batch(
    batch: Mapping[str, Any],
    names: Mapping[int, str] | Sequence[str],
    palette: PaletteLike | None,
    path: str | Path,
    max_images: int = _MAX_IMAGES,
) -> Path:
    """Draw the first images of a batch, each beside its class map, with a legend of the classes that occur.

    Args:
        batch: "img" (B, C, H, W) RGB, 0-255; "semantic_mask" (B, h, w) labels or predicted ids; optionally
            "im_file", whose names become titles.
        names: class names by id.
        palette: colours of the dataset, None for the default ones.
        path: image to write.
        max_images: how many images the sheet holds at most.
    """
    style = make_style(names, palette)
    pictures, present = [], set()
    for image, ids in zip(batch["img"][:max_images], batch["semantic_mask"][:max_images], strict=True):
        mask = SemanticMask(ids, names=style.names)
        pictures.append((to_bgr(image), overlay(to_bgr(image), mask, style)))
        present.update(mask.classes)
    titles = [Path(file).name for file in batch["im_file"][:max_images]] if "im_file" in batch else None
    return save_grid(path, pictures, titles, legend=legend_of(sorted(present), style))


def make_style(names: Mapping[int, str] | Sequence[str], palette: PaletteLike | None) -> Style:
    """Collect what drawing class maps needs, without legends in the pictures."""
    by_id = dict(names) if isinstance(names, Mapping) else dict(enumerate(names))
    return Style(names=by_id, palette=resolve_palette(palette, max(by_id) + 1), alpha=0.6, legend=False)


def overlay(image: np.ndarray, mask: SemanticMask, style: Style) -> np.ndarray:
    """Tint an image (BGR) with a class map, (H, W, 3) uint8 BGR; pixels without a class stay as they are."""
    canvas = Annotator(image)
    mask.draw(canvas, style)
    return canvas.image


def legend_of(classes: Sequence[int], style: Style) -> list[LegendEntry]:
    """List colours and names of classes."""
    colors = style.palette[:, ::-1].tolist()
    return [LegendEntry(tuple(colors[class_id]), str(style.names[class_id])) for class_id in classes]


def to_bgr(image: Tensor) -> np.ndarray:
    """Turn one image of a batch, (C, H, W), into (H, W, C) of its type; three channels become BGR."""
    array = image.detach().cpu().permute(1, 2, 0)
    return np.ascontiguousarray((array.flip(2) if array.shape[2] == 3 else array).numpy())
