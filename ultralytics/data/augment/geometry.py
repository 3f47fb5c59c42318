"""Augmentations that move pixels: each moves the image and its targets by the same matrix, in one resampling.

Matrices are 3x3 and map (x, y, 1) on the scale of pixel edges: the first pixel spans 0..1, so its centre is at 0.5 and
a size is a coordinate.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from ultralytics.data.augment.base import Transform
from ultralytics.data.sample import Context, Sample
from ultralytics.errors import ConfigError
from ultralytics.utils.ops.letterbox import LetterboxGeometry, Window, letterbox, pad_value

Shape = int | tuple[int, int] | np.ndarray
"""Wanted size: a side of a square, (height, width), or an (N, 2) table of them with a row per index of the dataset."""


class Warp(NamedTuple):
    """Where a picture goes.

    Attributes:
        matrix: from the pixels of the picture to those of the result.
        shape: (height, width) of the result.
    """

    matrix: np.ndarray
    shape: tuple[int, int]


def shape_for(shape: Shape, sample: Sample) -> tuple[int, int]:
    """Look up the (height, width) that is wanted for a sample."""
    if isinstance(shape, int):
        return shape, shape
    height, width = shape[sample.index] if isinstance(shape, np.ndarray) else shape
    return int(height), int(width)


def translation(x: float, y: float) -> np.ndarray:
    """Make the matrix that moves everything by (x, y)."""
    return np.array([[1.0, 0.0, x], [0.0, 1.0, y], [0.0, 0.0, 1.0]])


_TO_CENTRES, _TO_EDGES = translation(-0.5, -0.5), translation(0.5, 0.5)  # OpenCV counts from pixel centres


def whole(sample: Sample) -> Window:
    """Make the window of a whole image."""
    height, width = sample.shape
    return slice(0, height), slice(0, width)


def blank(sample: Sample, size: tuple[int, int]) -> Sample:
    """Make a canvas of nothing but padding, with the channels and the kinds of targets of a sample."""
    dtype = sample.image.dtype
    image = np.full((*size, sample.image.shape[2]), pad_value(dtype), dtype)
    targets = {name: target.blank(size) for name, target in sample.targets.items()}
    return sample.replace(image=image, targets=targets, ratio_pad=None)


def paint(canvas: Sample, sample: Sample, matrix: np.ndarray, crop: Window | None = None) -> None:
    """Draw a part of a sample into a canvas, in place, where the image covers the centre of a pixel.

    Args:
        canvas: what is drawn on; see `blank`.
        sample: what is drawn.
        matrix: from the pixels of the part that is drawn to those of the canvas.
        crop: the part that is drawn; None for all.
    """
    crop = crop or whole(sample)
    image = sample.image[crop]
    left, top, right, bottom = _reach(matrix, image.shape[:2], canvas.shape)
    if left >= right or top >= bottom:
        return
    window, size = np.s_[top:bottom, left:right], (bottom - top, right - left)
    matrix = translation(-left, -top) @ matrix
    mask = None
    if not _is_upright(matrix):  # the image covers only a part of the window
        inside = np.ones(image.shape[:2], np.uint8)
        mask = warp_array(inside, matrix, size, cv2.INTER_NEAREST, border=cv2.BORDER_CONSTANT)
        del inside
    for name, target in canvas.targets.items():
        moved = sample.targets[name].crop(crop).warp(matrix, size)
        covers = mask is None and size == canvas.shape
        canvas.targets[name] = moved if covers else target.paste(moved, window, mask)
    if mask is None:
        warp_array(image, matrix, size, cv2.INTER_LINEAR, out=canvas.image[window])
    else:
        cv2.copyTo(warp_array(image, matrix, size, cv2.INTER_LINEAR), mask, canvas.image[window])


def warp_array(
    source: np.ndarray,
    matrix: np.ndarray,
    size: tuple[int, int],
    interpolation: int,
    *,
    border: int = cv2.BORDER_REPLICATE,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """Resample an (H, W) or (H, W, C) array.

    Args:
        source: what is resampled.
        matrix: from the pixels of the source to those of the result, on the scale of pixel edges.
        size: (height, width) of the result.
        interpolation: one of OpenCV's; for ids of the nearest kind.
        border: what is taken from beyond the source. Its nearest pixel, unless told otherwise: padding would be blended
            into the pixels at its border.
        out: array of the result's shape to write into.
    """
    if out is None:
        out = np.empty((*size, *source.shape[2:]), source.dtype)  # given to OpenCV, for it drops an axis of length 1
    matrix = _TO_CENTRES @ matrix @ _TO_EDGES
    warp, matrix = (cv2.warpAffine, matrix[:2]) if _is_affine(matrix) else (cv2.warpPerspective, matrix)
    warp(source, matrix, size[::-1], dst=out, flags=interpolation, borderMode=border)
    return out


def _is_affine(matrix: np.ndarray) -> bool:
    return not matrix[2, :2].any()


def _is_upright(matrix: np.ndarray) -> bool:
    """Tell whether an upright rectangle stays one, with the same corner at its top left."""
    return _is_affine(matrix) and not (matrix[0, 1] or matrix[1, 0]) and bool(min(matrix[0, 0], matrix[1, 1]) > 0)


def _reach(matrix: np.ndarray, source: tuple[int, int], target: tuple[int, int]) -> tuple[int, int, int, int]:
    """Bound the target's pixels whose centre a warped picture covers: left, top, right, bottom.

    For an upright matrix these are exactly the pixels covered, and those of neighbouring pictures share no pixel.
    """
    height, width = source
    x, y, depth = matrix @ np.array([[0, width, width, 0], [0, 0, height, height], [1, 1, 1, 1]], np.float64)
    if depth.min() <= 0:  # a corner behind the viewer: the rest of the picture may be anywhere
        return 0, 0, target[1], target[0]
    corners = np.stack([x, y]) / depth
    bounds = np.ceil(np.concatenate([corners.min(1), corners.max(1)]) - 0.5)
    left, top, right, bottom = np.clip(bounds, 0, target[::-1] * 2).astype(int).tolist()
    return left, top, right, bottom


class LetterBox(Transform):
    """Fit the whole image into a rectangle; `ratio_pad` tells how to get back.

    Args:
        shape: size of the rectangle.
        center: half of the padding on each side, else all of it at bottom and right.
        scaleup: allow enlarging.
    """

    def __init__(self, shape: Shape, *, center: bool = True, scaleup: bool = True) -> None:
        self.shape = shape
        self.center = center
        self.scaleup = scaleup

    def draw(self, sample: Sample, context: Context) -> LetterboxGeometry:
        """Compute the geometry; nothing is random."""
        target = shape_for(self.shape, sample)
        return LetterboxGeometry.fit(sample.shape, target, center=self.center, scaleup=self.scaleup)

    def apply(self, sample: Sample, parameters: LetterboxGeometry) -> Sample:
        """Resize and pad."""
        image = letterbox(sample.image, parameters)
        targets = {name: target.letterbox(parameters) for name, target in sample.targets.items()}
        height, width = sample.original_shape if all(sample.original_shape) else sample.shape
        gain = (parameters.new_size[0] / height, parameters.new_size[1] / width)
        ratio_pad = (gain, (parameters.left, parameters.top))
        return sample.replace(image=image, targets=targets, ratio_pad=ratio_pad)


class RandomPerspective(Transform):
    """Rotate, scale, shear, tilt and shift around the centre of the image.

    Args:
        shape: size of the result, whose centre is where the centre of the image goes; None keeps the size.
        degrees: rotation by up to this much either way.
        translate: shift by up to this fraction of the result's size.
        scale: factor between 1 - scale and 1 + scale, or between the two numbers given.
        shear: slant by up to this many degrees along each axis.
        perspective: greatest coefficient of the vanishing point, per pixel; useful up to 0.001.
    """

    def __init__(
        self,
        shape: Shape | None = None,
        *,
        degrees: float = 0.0,
        translate: float = 0.0,
        scale: float | Sequence[float] = 0.0,
        shear: float = 0.0,
        perspective: float = 0.0,
    ) -> None:
        factors = scale if isinstance(scale, Sequence) else (1 - scale, 1 + scale)
        if len(factors) != 2:
            raise ConfigError(f"scale={scale} is neither a number nor two. Give e.g. 0.5 or [0.5, 1.5].")
        self.shape = shape
        self.degrees = abs(degrees)
        self.translate = translate
        self.scale = np.maximum(sorted(factors), 0.01)  # at 0 nothing would be left of the image
        self.shear = abs(shear)
        self.perspective = perspective

    def draw(self, sample: Sample, context: Context) -> Warp | None:
        """Draw a matrix; None if the image would stay as it is."""
        shape = sample.shape if self.shape is None else shape_for(self.shape, sample)
        matrix = self.draw_matrix(context.rng, sample.shape, shape)
        unchanged = shape == sample.shape and np.array_equal(matrix, np.eye(3))
        return None if unchanged else Warp(matrix, shape)

    def draw_matrix(self, rng: np.random.Generator, canvas: tuple[int, int], shape: tuple[int, int]) -> np.ndarray:
        """Draw the matrix from a canvas of (height, width) to a result of (height, width): T·S·R·P·C.

        C moves the centre of the canvas to the origin, P tilts, R rotates and scales, S shears, T moves the origin to
        the (shifted) centre of the result.
        """
        tilt = np.eye(3)
        tilt[2, :2] = rng.uniform(-self.perspective, self.perspective, 2)
        angle = np.deg2rad(rng.uniform(-self.degrees, self.degrees))
        factor = rng.uniform(*self.scale)
        cosine, sine = factor * np.cos(angle), factor * np.sin(angle)
        rotation = np.array([[cosine, sine, 0.0], [-sine, cosine, 0.0], [0.0, 0.0, 1.0]])
        slant = np.eye(3)
        slant[0, 1], slant[1, 0] = np.tan(np.deg2rad(rng.uniform(-self.shear, self.shear, 2)))
        x, y = rng.uniform(0.5 - self.translate, 0.5 + self.translate, 2) * shape[::-1]
        center = translation(-canvas[1] / 2, -canvas[0] / 2)
        matrix: np.ndarray = translation(x, y) @ slant @ rotation @ tilt @ center
        return matrix

    def apply(self, sample: Sample, parameters: Warp) -> Sample:
        """Warp; what the image does not cover is padding."""
        canvas = blank(sample, parameters.shape)
        paint(canvas, sample, parameters.matrix)
        return canvas


def flip(sample: Sample, axis: int) -> Sample:
    """Mirror image and targets: axis 0 swaps top and bottom, 1 left and right."""
    image = cv2.flip(sample.image, axis).reshape(sample.image.shape)
    targets = {name: target.flip(axis) for name, target in sample.targets.items()}
    return sample.replace(image=image, targets=targets, ratio_pad=None)


class RandomFlip(Transform):
    """Mirror the image.

    Args:
        horizontal: chance of swapping left and right.
        vertical: chance of swapping top and bottom.
    """

    def __init__(self, horizontal: float = 0.5, vertical: float = 0.0) -> None:
        self.horizontal = horizontal
        self.vertical = vertical

    def draw(self, sample: Sample, context: Context) -> list[int] | None:
        """Draw the axes that are mirrored; None if none is."""
        horizontal, vertical = context.rng.random(2) < (self.horizontal, self.vertical)
        return [axis for axis, chosen in ((0, vertical), (1, horizontal)) if chosen] or None

    def apply(self, sample: Sample, parameters: list[int]) -> Sample:
        """Mirror."""
        for axis in parameters:
            sample = flip(sample, axis)
        return sample
