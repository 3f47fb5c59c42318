"""Augmentations that join several samples; how their targets are joined is theirs to know.

The partners of MixUp, CutMix and CopyPaste first go through transforms of their own, so that all are treated alike.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from ultralytics.data.augment.base import Transform
from ultralytics.data.augment.geometry import (
    RandomPerspective,
    Shape,
    Warp,
    blank,
    flip,
    paint,
    shape_for,
    translation,
    whole,
)
from ultralytics.data.imread import to_depth
from ultralytics.data.sample import Context, Sample
from ultralytics.errors import ConfigError, unknown_name
from ultralytics.utils.ops.letterbox import Window


class Tile(NamedTuple):
    """A part of an image on the canvas of a mosaic.

    Attributes:
        sample: whose image it is.
        crop: rows and columns of the image that are on the canvas.
        origin: (x, y) of the part's top left corner on the canvas.
    """

    sample: Sample
    crop: Window
    origin: tuple[int, int]


class Mosaic(Transform):
    """Four images around a random point, warped as one; or, by chance, a single image warped.

    The canvas of twice the result's size exists on paper only: each tile is drawn straight into the result, through
    its place on the canvas and the warp in one.

    Args:
        shape: size of the result.
        warp: draws the warp, of the canvas or the single image.
        probability: chance of a mosaic. Where samples may not be joined, it is always the single image.
    """

    def __init__(self, shape: Shape, warp: RandomPerspective, probability: float = 1.0) -> None:
        self.shape = shape
        self.warp = warp
        self.chance = probability  # not `self.probability`: without a mosaic there is still something to do

    def draw(self, sample: Sample, context: Context) -> tuple[list[Tile], Warp]:
        """Draw the tiles, four or one, and the warp of their canvas."""
        height, width = shape_for(self.shape, sample)
        if not context.mix or context.pool is None or context.rng.random() >= self.chance:
            tiles = [Tile(sample, whole(sample), (0, 0))]
            canvas = sample.shape
        else:
            canvas = (2 * height, 2 * width)
            x, y = (int(context.rng.uniform(side / 2, side * 3 / 2)) for side in (width, height))
            samples = [sample, *_others(sample, context, 3)]
            tiles = [_tile(member, (x, y), corner, canvas) for corner, member in enumerate(samples)]
        return tiles, Warp(self.warp.draw_matrix(context.rng, canvas, (height, width)), (height, width))

    def apply(self, sample: Sample, parameters: tuple[list[Tile], Warp]) -> Sample:
        """Draw each tile into the result."""
        tiles, (matrix, shape) = parameters
        result = blank(sample, shape)
        for tile in tiles:
            paint(result, tile.sample, matrix @ translation(*tile.origin), tile.crop)
        return result


def _others(sample: Sample, context: Context, count: int) -> list[Sample]:
    """Draw further samples; their images get the depth of this one's, for a dataset may hold 8-bit and 16-bit files."""
    depth = sample.image.dtype
    others = context.others(count, apart_from=sample.index)
    return [other.replace(image=to_depth(other.image, depth)) for other in others]


def _tile(sample: Sample, center: tuple[int, int], corner: int, canvas: tuple[int, int]) -> Tile:
    """Put an image on the canvas: upper left (0), upper right (1), lower left (2) or lower right (3) of a point."""
    (height, width), (x, y) = sample.shape, center
    left = x if corner % 2 else x - width
    top = y if corner // 2 else y - height
    columns = slice(max(-left, 0), min(canvas[1] - left, width))
    rows = slice(max(-top, 0), min(canvas[0] - top, height))
    return Tile(sample, (rows, columns), (left + columns.start, top + rows.start))


class _Join(Transform):
    """A transform that brings in one further sample.

    Args:
        before: what the partner goes through first; the result must have the size of the sample that is changed.
        probability: chance of joining.
    """

    mixes = True

    def __init__(self, before: Transform | None = None, probability: float = 1.0) -> None:
        self.before = before
        self.probability = probability

    def partner(self, sample: Sample, context: Context) -> Sample:
        """Draw the other sample.

        Raises:
            ConfigError: its size differs.
        """
        (other,) = _others(sample, context, 1)
        if self.before is not None:
            other = self.before(other, context)
        if other.image.shape != sample.image.shape:
            raise ConfigError(
                f"{type(self).__name__} joins images of one size, not {sample.image.shape} and {other.image.shape}. "
                "Put a transform that makes them alike first, and give it as `before`, too."
            )
        return other


class MixUp(_Join):
    """Blend the images in nearly equal parts (Zhang et al. 2018)."""

    def draw(self, sample: Sample, context: Context) -> tuple[Sample, float]:
        """Draw the partner and the weight of this sample."""
        return self.partner(sample, context), context.rng.beta(32.0, 32.0)

    def apply(self, sample: Sample, parameters: tuple[Sample, float]) -> Sample:
        """Blend."""
        other, weight = parameters
        image = cv2.addWeighted(sample.image, weight, other.image, 1 - weight, 0).reshape(sample.image.shape)
        targets = {name: target.mix(other.targets[name], weight) for name, target in sample.targets.items()}
        return sample.replace(image=image, targets=targets)


class CutMix(_Join):
    """Put a rectangle of another sample in the same place (Yun et al. 2019)."""

    def draw(self, sample: Sample, context: Context) -> tuple[Sample, Window]:
        """Draw the partner and the rectangle: its share of the image is uniform, but it is cut off at the border."""
        size = np.array(sample.shape)
        extent = size * np.sqrt(context.rng.random())
        center = context.rng.uniform(0, size)
        start = np.clip(center - extent / 2, 0, size).astype(int).tolist()
        stop = np.clip(center + extent / 2, 0, size).astype(int).tolist()
        return self.partner(sample, context), np.s_[start[0] : stop[0], start[1] : stop[1]]

    def apply(self, sample: Sample, parameters: tuple[Sample, Window]) -> Sample:
        """Copy the rectangle."""
        other, window = parameters
        image = sample.image.copy()
        image[window] = other.image[window]
        targets = {
            name: target.copy().paste(other.targets[name].crop(window), window)
            for name, target in sample.targets.items()
        }
        return sample.replace(image=image, targets=targets)


class CopyPaste(_Join):
    """Put pieces of another sample, or of the mirrored sample itself, in the same place (after Ghiasi et al. 2021).

    The first target that knows pieces worth pasting chooses them. Samples without such a target pass unchanged.

    Args:
        mode: `flip` takes the regions from the mirrored sample itself, `mixup` from another one.
        regions: how many are tried.
        area: smallest and largest share of the image a region may cover.
    """

    def __init__(
        self,
        before: Transform | None = None,
        probability: float = 1.0,
        *,
        mode: str = "flip",
        regions: int = 3,
        area: tuple[float, float] = (0.0005, 0.25),
    ) -> None:
        super().__init__(before, probability)
        if mode not in ("flip", "mixup"):
            raise ConfigError(unknown_name("mode of copy-paste", mode, ("flip", "mixup")))
        self.mode = mode
        self.regions = regions
        self.area = area

    def draw(self, sample: Sample, context: Context) -> tuple[Sample, np.ndarray] | None:
        """Draw the giving sample and the (H, W) mask of what is taken from it; None if there is nothing to take."""
        if not sample.targets:
            return None
        donor = flip(sample, 1) if self.mode == "flip" else self.partner(sample, context)
        choices = (target.choose_regions(context.rng, self.regions, self.area) for target in donor.targets.values())
        taken = next((chosen for chosen in choices if chosen is not None), None)
        return (donor, taken) if taken is not None and taken.any() else None

    def apply(self, sample: Sample, parameters: tuple[Sample, np.ndarray]) -> Sample:
        """Paste."""
        donor, taken = parameters
        image = cv2.copyTo(donor.image, taken, sample.image.copy())
        targets = {
            name: target.copy().paste(donor.targets[name], whole(sample), taken)
            for name, target in sample.targets.items()
        }
        return sample.replace(image=image, targets=targets)
