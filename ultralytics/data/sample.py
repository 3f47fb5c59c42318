"""A sample: one image and what is known about it.

Images are (H, W, C) uint8 or uint16 in OpenCV's channel order (BGR for three channels) until the last step makes a
tensor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from ultralytics.data.targets import Target


@dataclass(slots=True)
class Sample:
    """An image with its targets, as it travels through the augmentations.

    Attributes:
        image: (H, W, C) uint8 or uint16.
        targets: what is known of the image, by name; the samples of a dataset all have the same. The names are also
            those of the arguments of users' augmentations.
        image_file: where the image came from.
        label_file: where its targets came from.
        original_shape: (height, width) of the file, upright.
        ratio_pad: ((gain_h, gain_w), (left, top)) of a letterbox, None where geometry was augmented.
        index: position in its dataset.
    """

    image: np.ndarray
    targets: dict[str, Target] = field(default_factory=dict)
    image_file: Path | None = None
    label_file: Path | None = None
    original_shape: tuple[int, int] = (0, 0)
    ratio_pad: tuple[tuple[float, float], tuple[int, int]] | None = None
    index: int = -1

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) of the image as it is now."""
        height, width = self.image.shape[:2]
        return height, width

    def replace(self, **changes: Any) -> Sample:
        """Copy this sample with some fields changed; arrays are shared."""
        return replace(self, **changes)


class SampleKey(NamedTuple):
    """What a sampler asks a dataset for: everything that decides a training sample, so that workers need no state.

    Attributes:
        epoch: pass over the data, part of the random seed.
        index: position in the dataset.
        mix: whether augmentations that join several samples (mosaic, mixup, cutmix, copy-paste) may act.
    """

    epoch: int
    index: int  # type: ignore[assignment]  # hides tuple.index, which nobody asks a key for
    mix: bool = True


class Pool(Protocol):
    """Where augmentations that join samples find others: a dataset, without its augmentations."""

    def __len__(self) -> int:
        """Number of samples."""

    def read(self, index: int) -> Sample:
        """Read one sample as stored (resized for training, not augmented); the caller may change its arrays."""


@dataclass(slots=True)
class Context:
    """What a transform may use besides the sample: its random numbers and other samples.

    Attributes:
        rng: generator seeded by (seed, epoch, index): the same sample in the same epoch is always the same.
        pool: source of further samples; None where there are none.
        mix: whether samples may be joined (see `SampleKey`).
    """

    rng: np.random.Generator
    pool: Pool | None = None
    mix: bool = True

    def others(self, count: int, apart_from: int) -> Sequence[Sample]:
        """Read `count` further samples drawn at random, none of them the one at index `apart_from`.

        A pool of one sample has no other: it gives that one.
        """
        if self.pool is None:
            return []
        size = len(self.pool)
        apart = 0 <= apart_from < size and size > 1
        # One draw from the others: those from `apart_from` on move up by one.
        indices = self.rng.integers(0, size - apart, count)
        return [self.pool.read(int(index) + int(apart and index >= apart_from)) for index in indices]
