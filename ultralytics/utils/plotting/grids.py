"""Many pictures on one sheet, and pictures into files."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from ultralytics.errors import ConfigError
from ultralytics.utils.files import write_atomic
from ultralytics.utils.plotting.annotator import Color, LegendEntry, blend_mask, displayable
from ultralytics.utils.plotting.fonts import fit_text, text_mask

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})
"""What `write_image` can write."""

_INK: Color = (40, 36, 34)
_PAPER = 255
_FONT = 15
_GAP = 10


def contact_sheet(
    pictures: Sequence[Sequence[np.ndarray]],
    titles: Sequence[str] | None = None,
    *,
    columns: int | None = None,
    legend: Sequence[LegendEntry] = (),
    max_width: int = 1920,
) -> np.ndarray:
    """Arrange pictures on white paper, (H, W, 3) uint8 BGR.

    Args:
        pictures: the cells; the pictures of one cell (an image and its label, say) stand side by side without a gap.
        titles: one line above each cell.
        columns: cells in a row; None chooses a number that suits a screen.
        legend: colours and names listed below.
        max_width: width of the sheet in pixels; pictures shrink to fit, and grow to at most twice their size.
    """
    strips = [np.hstack([_same_height(picture, cell[0]) for picture in cell]) for cell in pictures if len(cell)]
    if not strips:
        return np.full((2 * _GAP, 2 * _GAP, 3), _PAPER, np.uint8)
    tall, wide = max(strip.shape[0] for strip in strips), max(strip.shape[1] for strip in strips)
    columns = min(len(strips), columns or max(1, round(math.sqrt(1.6 * len(strips) * tall / wide))))
    scale = min(2.0, ((max_width - _GAP) / columns - _GAP) / wide)
    cell_height, cell_width = max(1, round(tall * scale)), max(1, round(wide * scale))
    head = text_mask(" ", _FONT).shape[0] + 4 if titles else 0
    step_y, step_x = head + cell_height + _GAP, cell_width + _GAP
    rows = math.ceil(len(strips) / columns)
    sheet = np.full((rows * step_y + _GAP, columns * step_x + _GAP, 3), _PAPER, np.uint8)
    for number, strip in enumerate(strips):
        row, column = divmod(number, columns)
        y, x = _GAP + row * step_y, _GAP + column * step_x
        if titles:
            blend_mask(sheet, fit_text(titles[number], _FONT, cell_width), (x, y), _INK)
        # Cells of other proportions than the largest stand in the middle of their place.
        height, width = max(1, int(strip.shape[0] * scale)), max(1, int(strip.shape[1] * scale))
        top, left = y + head + (cell_height - height) // 2, x + (cell_width - width) // 2
        sheet[top : top + height, left : left + width] = _resize(strip, height, width)
    return np.vstack([sheet, legend_strip(legend, sheet.shape[1])]) if legend else sheet


def legend_strip(entries: Sequence[LegendEntry], width: int) -> np.ndarray:
    """List colours and names in rows on white paper, (H, width, 3) uint8 BGR."""
    swatch, row = _FONT, round(_FONT * 1.7)
    labels = [
        fit_text(f"{entry.name}  {entry.value}".rstrip(), _FONT, width - 2 * _GAP - swatch - 6) for entry in entries
    ]
    places, x, y = [], _GAP, 0
    for label in labels:
        if x > _GAP and x + swatch + 6 + label.shape[1] > width - _GAP:
            x, y = _GAP, y + row
        places.append((x, y))
        x += swatch + 6 + label.shape[1] + 2 * _GAP
    strip = np.full((y + row + _GAP // 2, width, 3), _PAPER, np.uint8)
    for (left, top), label, entry in zip(places, labels, entries, strict=True):
        corner = top + (row - swatch) // 2
        cv2.rectangle(strip, (left, corner, swatch, swatch), entry.color, cv2.FILLED)
        blend_mask(strip, label, (left + swatch + 6, top + (row - label.shape[0]) // 2), _INK)
    return strip


def save_grid(
    path: str | Path,
    pictures: Sequence[Sequence[np.ndarray]],
    titles: Sequence[str] | None = None,
    *,
    columns: int | None = None,
    legend: Sequence[LegendEntry] = (),
) -> Path:
    """Write a `contact_sheet` to an image file."""
    return write_image(path, contact_sheet(pictures, titles, columns=columns, legend=legend))


def encode_image(image: np.ndarray, suffix: str, quality: int = 92) -> bytes:
    """Encode an image (BGR or grey) as the file format of a suffix.

    Args:
        image: (H, W) or (H, W, 3), uint8, or uint16 for PNG and TIFF.
        suffix: one of `IMAGE_SUFFIXES`.
        quality: of JPEG and WebP, 1-100.

    Raises:
        ConfigError: the format is not one that can be written.
    """
    suffix = suffix.lower()
    if suffix not in IMAGE_SUFFIXES:
        raise ConfigError(f"Cannot write an image as '{suffix}'. Use one of {', '.join(sorted(IMAGE_SUFFIXES))}.")
    options = {
        ".jpg": [cv2.IMWRITE_JPEG_QUALITY, quality],
        ".jpeg": [cv2.IMWRITE_JPEG_QUALITY, quality],
        ".webp": [cv2.IMWRITE_WEBP_QUALITY, quality],
    }
    done, data = cv2.imencode(suffix, image, options.get(suffix, []))
    if not done:
        raise ConfigError(f"An array of shape {image.shape} and type {image.dtype} cannot be written as '{suffix}'.")
    return data.tobytes()


def write_image(path: str | Path, image: np.ndarray, quality: int = 92) -> Path:
    """Write an image (BGR or grey) to a file, all or nothing; missing folders are made."""
    path = Path(path)
    write_atomic(path, encode_image(image, path.suffix, quality))
    return path


def _same_height(picture: np.ndarray, like: np.ndarray) -> np.ndarray:
    picture = displayable(picture)
    height, width = picture.shape[:2]
    wanted = like.shape[0]
    return picture if height == wanted else _resize(picture, wanted, max(1, round(width * wanted / height)))


def _resize(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    shrinks = height < picture.shape[0]
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
