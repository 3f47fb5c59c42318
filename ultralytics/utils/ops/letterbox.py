"""Fit an image into a rectangle without distorting it: the geometry, its inverse and its application.

The geometry is made of whole pixels, so a prediction is mapped back by the very numbers the image was placed with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

PAD_VALUE = 114
"""Grey level, of 255, that fills what no image covers."""

Window = tuple[slice, slice]
"""Rows and columns of an image, with both ends given."""


@dataclass(frozen=True, slots=True)
class LetterboxGeometry:
    """Where an image lies in the rectangle it was fitted into.

    Attributes:
        source: (height, width) of the image.
        new_size: (height, width) it is resized to, at least 1 each.
        pads: pixels added at top, left, bottom, right.
        ratio: the common scale factor before rounding to whole pixels; `gain` is what each axis got.

    Example:
        >>> LetterboxGeometry.fit((1080, 1920), (640, 640), minimal=True).pads
        (12, 0, 12, 0)
    """

    source: tuple[int, int]
    new_size: tuple[int, int]
    pads: tuple[int, int, int, int]
    ratio: float = 1.0

    @classmethod
    def fit(
        cls,
        source: Sequence[int],
        target: Sequence[int],
        *,
        stride: int = 32,
        minimal: bool = False,
        center: bool = True,
        scaleup: bool = True,
    ) -> LetterboxGeometry:
        """Fit an image of (height, width) `source` into `target`.

        Args:
            source: (height, width) of the image, at least 1 each.
            target: (height, width) to fit into, at least 1 each.
            stride: the step of `minimal`.
            minimal: leave whole multiples of `stride` out of the padding; a target of such multiples shrinks to the
                smallest rectangle of them that holds the image.
            center: half of the padding on each side, the odd pixel at bottom and right; else all of it there.
            scaleup: allow enlarging.
        """
        ratio = min(target[0] / source[0], target[1] / source[1])
        if not scaleup:
            ratio = min(ratio, 1.0)
        height, width = scaled(source, ratio)
        rows, columns = target[0] - height, target[1] - width
        if minimal:
            rows, columns = rows % stride, columns % stride
        top, left = (rows // 2, columns // 2) if center else (0, 0)
        return cls((source[0], source[1]), (height, width), (top, left, rows - top, columns - left), ratio)

    @classmethod
    def padded(
        cls, source: Sequence[int], *, top: int = 0, left: int = 0, bottom: int = 0, right: int = 0
    ) -> LetterboxGeometry:
        """Describe an image that is padded but not resized."""
        size = (source[0], source[1])
        return cls(size, size, (top, left, bottom, right))

    @property
    def top(self) -> int:
        """Rows above the image."""
        return self.pads[0]

    @property
    def left(self) -> int:
        """Columns to the left of the image."""
        return self.pads[1]

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) of the rectangle."""
        top, left, bottom, right = self.pads
        return top + self.new_size[0] + bottom, left + self.new_size[1] + right

    @property
    def gain(self) -> tuple[float, float]:
        """Scale factor of (height, width), rounding included."""
        return self.new_size[0] / self.source[0], self.new_size[1] / self.source[1]

    @property
    def window(self) -> Window:
        """Rows and columns of the rectangle that the image covers, to index an array with."""
        return slice(self.top, self.top + self.new_size[0]), slice(self.left, self.left + self.new_size[1])

    def logits_region(self, stride: float) -> tuple[float, float, float, float]:
        """Tell which part of a map of the rectangle at 1/`stride` of its resolution the image covers.

        Returns:
            top, left, height, width in pixels of that map, whose first pixel spans 0..1; not rounded. That part,
            resized to `source`, lies exactly over the image.
        """
        return self.top / stride, self.left / stride, self.new_size[0] / stride, self.new_size[1] / stride


def scaled(source: Sequence[int], ratio: float) -> tuple[int, int]:
    """Scale (height, width) to the nearest whole pixels, at least 1 each; prediction and datasets round alike."""
    return max(round(source[0] * ratio), 1), max(round(source[1] * ratio), 1)


def letterbox(
    image: np.ndarray,
    geometry: LetterboxGeometry,
    *,
    value: int | None = None,
    interpolation: int = cv2.INTER_LINEAR,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """Resize and pad an (H, W) or (H, W, C) array.

    Args:
        image: of size `geometry.source`; uint8, uint16 or float32.
        geometry: where it goes.
        value: fills the padding; None is grey, see `pad_value`.
        interpolation: one of OpenCV's; for class ids of the nearest kind.
        out: array of the result's shape to write into. Without it, an image that needs no change is returned itself.
    """
    if out is None:
        if geometry.new_size == geometry.shape:
            return resize(image, geometry.new_size, interpolation)
        out = np.empty((*geometry.shape, *image.shape[2:]), image.dtype)
    value = pad_value(image.dtype) if value is None else value
    rows, columns = geometry.window
    out[: rows.start] = out[rows.stop :] = value
    out[rows, : columns.start] = out[rows, columns.stop :] = value
    if geometry.new_size == image.shape[:2]:
        out[rows, columns] = image
    else:
        cv2.resize(image, geometry.new_size[::-1], dst=out[rows, columns], interpolation=interpolation)
    return out


def pad_value(dtype: np.dtype) -> int:
    """Give the level that is as grey in 16 bits (0..65535) as `PAD_VALUE` is in 8 bits, or in floats of 0..255."""
    return PAD_VALUE * 257 if dtype == np.uint16 else PAD_VALUE


def resize(image: np.ndarray, size: tuple[int, int], interpolation: int = cv2.INTER_LINEAR) -> np.ndarray:
    """Resize an (H, W) or (H, W, C) array to (height, width), keeping an axis of length 1; the same size: no copy."""
    if image.shape[:2] == size:
        return image
    return cv2.resize(image, size[::-1], interpolation=interpolation).reshape(*size, *image.shape[2:])
