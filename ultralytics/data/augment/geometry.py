"""Augmentations that move pixels: each moves image and class map by the same matrix, in one resampling.

Matrices are 3x3 and map (x, y, 1) on the scale of pixel edges: the first pixel spans 0..1, so its centre is at 0.5 and
a size is a coordinate. Class ids are never interpolated: a pixel of the result takes the id its centre falls on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from ultralytics.data.augment.base import Transform
from ultralytics.data.sample import ClassMap, Context, Sample
from ultralytics.errors import ConfigError
from ultralytics.utils.ops.letterbox import LetterboxGeometry, letterbox, pad_value

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


def classes_in(class_map: ClassMap) -> np.ndarray:
    """List the ids that occur, without the ignored one."""
    counts = np.bincount(class_map.ids.ravel(), minlength=class_map.ignore_index + 1)
    counts[class_map.ignore_index] = 0
    return np.flatnonzero(counts)


def random_pixel(ids: np.ndarray, class_id: int, rng: np.random.Generator) -> tuple[int, int]:
    """Draw (row, column) of a pixel of a class that occurs."""
    pixels = np.flatnonzero(ids == class_id)
    row, column = divmod(int(pixels[rng.integers(len(pixels))]), ids.shape[1])
    return row, column


def blank(sample: Sample, shape: tuple[int, int]) -> Sample:
    """Make a canvas of nothing but padding, with the channels of a sample's image, and a class map if it has one."""
    dtype = sample.image.dtype
    image = np.full((*shape, sample.image.shape[2]), pad_value(dtype), dtype)
    class_map = sample.class_map
    if class_map is not None:
        ids = np.full(shape, class_map.ignore_index, class_map.ids.dtype)
        class_map = ClassMap(ids, class_map.ignore_index)
    return sample.replace(image=image, class_map=class_map, ratio_pad=None)


def paint(canvas: Sample, sample: Sample, matrix: np.ndarray, crop: tuple[slice, slice] = np.s_[:, :]) -> None:
    """Draw image and class map of a sample into a canvas, in place, where the picture covers the centre of a pixel.

    Args:
        canvas: what is drawn on; see `blank`.
        sample: what is drawn.
        matrix: from the pixels of the part that is drawn to those of the canvas.
        crop: rows and columns of the part that is drawn.
    """
    height, width = sample.image[crop].shape[:2]
    left, top, right, bottom = _reach(matrix, (height, width), canvas.shape)
    if left >= right or top >= bottom:
        return
    window = np.s_[top:bottom, left:right]
    matrix = translation(-left - 0.5, -top - 0.5) @ matrix @ translation(0.5, 0.5)  # OpenCV counts from pixel centres
    layers = [(canvas.image[window], sample.image[crop], cv2.INTER_LINEAR)]
    if canvas.class_map is not None and sample.class_map is not None:
        layers.append((canvas.class_map.ids[window], sample.class_map.ids[crop], cv2.INTER_NEAREST))
    if _is_upright(matrix):
        for target, source, interpolation in layers:
            _warp(source, matrix, target, interpolation)
        return
    inside = np.zeros((bottom - top, right - left), np.uint8)  # the picture covers only a part of the window
    _warp(np.ones((height, width), np.uint8), matrix, inside, cv2.INTER_NEAREST, cv2.BORDER_CONSTANT)
    for target, source, interpolation in layers:
        warped = np.empty(target.shape, target.dtype)
        _warp(source, matrix, warped, interpolation)
        cv2.copyTo(warped, inside, target)


def _warp(
    source: np.ndarray,
    matrix: np.ndarray,
    target: np.ndarray,
    interpolation: int,
    border: int = cv2.BORDER_REPLICATE,
) -> None:
    """Resample `source` into the whole of `target`."""
    size = (target.shape[1], target.shape[0])
    if _is_affine(matrix):
        cv2.warpAffine(source, matrix[:2], size, dst=target, flags=interpolation, borderMode=border)
    else:
        cv2.warpPerspective(source, matrix, size, dst=target, flags=interpolation, borderMode=border)


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
        """Resize and pad image and class map."""
        class_map = sample.class_map
        if class_map is not None:
            # The exact kind: OpenCV's other nearest neighbour moves labels by up to half a pixel of the source.
            ids = letterbox(
                class_map.ids, parameters, value=class_map.ignore_index, interpolation=cv2.INTER_NEAREST_EXACT
            )
            class_map = ClassMap(ids, class_map.ignore_index)
        height, width = sample.original_shape if all(sample.original_shape) else sample.shape
        gain = (parameters.new_size[0] / height, parameters.new_size[1] / width)
        ratio_pad = (gain, (parameters.left, parameters.top))
        return sample.replace(image=letterbox(sample.image, parameters), class_map=class_map, ratio_pad=ratio_pad)


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
        """Warp image and class map; what the image does not cover is padding."""
        canvas = blank(sample, parameters.shape)
        paint(canvas, sample, parameters.matrix)
        return canvas


def flip(sample: Sample, code: int) -> Sample:
    """Mirror image and class map; 1 swaps left and right, 0 top and bottom, -1 both."""
    class_map = sample.class_map
    if class_map is not None:
        class_map = ClassMap(cv2.flip(class_map.ids, code), class_map.ignore_index)
    image = cv2.flip(sample.image, code).reshape(sample.image.shape)
    return sample.replace(image=image, class_map=class_map, ratio_pad=None)


class RandomFlip(Transform):
    """Mirror the image.

    Args:
        horizontal: chance of swapping left and right.
        vertical: chance of swapping top and bottom.
    """

    def __init__(self, horizontal: float = 0.5, vertical: float = 0.0) -> None:
        self.horizontal = horizontal
        self.vertical = vertical

    def draw(self, sample: Sample, context: Context) -> int | None:
        """Draw the code for `flip`."""
        horizontal, vertical = context.rng.random(2) < (self.horizontal, self.vertical)
        if horizontal and vertical:
            return -1
        return 1 if horizontal else 0 if vertical else None

    def apply(self, sample: Sample, parameters: int) -> Sample:
        """Flip image and class map."""
        return flip(sample, parameters)


class RandomCrop(Transform):
    """Cut out a rectangle; where the image is smaller, it is padded.

    Args:
        shape: size of the rectangle.
        focus: chance of placing it over a random pixel of a random class instead of anywhere: each class that the
            image shows, however rare, is then equally likely to be seen.
    """

    def __init__(self, shape: Shape, focus: float = 0.0) -> None:
        self.shape = shape
        self.focus = focus

    def draw(self, sample: Sample, context: Context) -> tuple[slice, slice] | None:
        """Draw rows and columns of the image; they reach beyond it where it is smaller than the rectangle."""
        target = shape_for(self.shape, sample)
        room = [have - want for have, want in zip(sample.shape, target, strict=True)]
        if room == [0, 0]:
            return None
        point = self._point(sample, context.rng)
        starts = []
        for axis, (space, want) in enumerate(zip(room, target, strict=True)):
            low, high = min(space, 0), max(space, 0)
            if point is not None:
                low, high = max(low, point[axis] - want + 1), min(high, point[axis])
            starts.append(int(context.rng.integers(low, high + 1)))
        rows, columns = (slice(start, start + want) for start, want in zip(starts, target, strict=True))
        return rows, columns

    def _point(self, sample: Sample, rng: np.random.Generator) -> tuple[int, int] | None:
        """Draw the pixel that shall be seen; None if it may be any."""
        if sample.class_map is None or rng.random() >= self.focus:
            return None
        classes = classes_in(sample.class_map)
        return random_pixel(sample.class_map.ids, rng.choice(classes), rng) if len(classes) else None

    def apply(self, sample: Sample, parameters: tuple[slice, slice]) -> Sample:
        """Cut image and class map."""
        rows, columns = parameters
        canvas = blank(sample, (rows.stop - rows.start, columns.stop - columns.start))
        paint(canvas, sample, translation(-columns.start, -rows.start))
        return canvas
