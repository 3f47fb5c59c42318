"""BaseDataset: an index of files, read, resized, cached, then augmented.

It has no state that changes while it is used: everything that decides a sample comes with the `SampleKey`, so workers
can be kept for a whole training and a resumed one draws the same samples.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np
from torch import Tensor
from torch.utils.data import Dataset

from ultralytics.data.augment import collate
from ultralytics.data.cache import Arrays, ArraySpec, ArrayStore, DiskStore, RamStore
from ultralytics.data.description.spec import DatasetSpec
from ultralytics.data.sample import Context, Sample, SampleKey
from ultralytics.data.scan import SampleFacts, SamplePaths, content_key
from ultralytics.errors import ConfigError, DatasetError, UltralyticsError

STRIDE = 32
"""Sides of a batch are multiples of the largest stride of a network."""

_FAILURES = (ArithmeticError, AttributeError, LookupError, MemoryError, OSError, RuntimeError, TypeError, ValueError)

Transforms = Callable[[Sample, Context], Any]


class BaseDataset(Dataset[Any], ABC):
    """Images of a split with their targets.

    A task says how a sample is decoded and what it is made of: `decode`, `array_specs`, `make_sample`.

    Args:
        spec: the dataset.
        pairs: files of the samples, known to be usable.
        facts: what is known of them, in the same order.
        imgsz: training images are resized so that their short side has this many pixels, others by their long side;
            None leaves every image at its own size.
        train: whether samples are for training.
        rect: batch size whose batches take the shape of their images; 0 for squares.
        seed: part of the seed of every sample.

    Attributes:
        transforms: applied to what `read` returns; None gives `Sample`s.
        shapes: (N, 2) height and width of the batch each index belongs to.
        last_read: scalar int64 in shared memory where the index read last is noted, in case this process dies; or None.
        collate: makes a batch of items.
    """

    collate = staticmethod(collate)

    def __init__(
        self,
        spec: DatasetSpec,
        pairs: Sequence[SamplePaths],
        facts: Sequence[SampleFacts],
        *,
        imgsz: int | None,
        train: bool,
        rect: int = 0,
        seed: int = 0,
    ) -> None:
        order = _by_aspect(facts) if rect else range(len(pairs))
        self.spec = spec
        self.pairs = [pairs[index] for index in order]
        self.facts = [facts[index] for index in order]
        self.imgsz = imgsz
        self.train = train
        self.seed = seed
        self.shapes = np.zeros((len(pairs), 2), np.int64)
        self.regroup(rect)
        self.transforms: Transforms | None = None
        self.last_read: Tensor | None = None
        self._store: ArrayStore | None = None

    @abstractmethod
    def decode(self, index: int) -> Arrays:
        """Decode the image and the array targets of a sample at the size at which they are used."""

    @abstractmethod
    def array_specs(self, index: int) -> list[ArraySpec]:
        """Tell shape and type of what `decode` returns, without decoding."""

    @abstractmethod
    def make_sample(self, index: int, arrays: Arrays) -> Sample:
        """Make a sample of decoded arrays."""

    @property
    def content(self) -> str:
        """Text that changes with anything but the files that changes what `decode` returns."""
        return repr((self.imgsz, self.uses_short_side, self.spec.channels))

    @property
    def uses_short_side(self) -> bool:
        """Whether `imgsz` is the length of the short side: in training, where crops are taken from the image."""
        return self.train and not self.rect

    def cache(self, place: bool | str) -> None:
        """Keep decoded samples from now on, or no longer.

        Args:
            place: "ram" or True, "disk", or False for nowhere.

        Raises:
            DatasetError: they do not fit there.
            ConfigError: there is no such place.
        """
        if place not in {True, False, "ram", "disk", None}:
            raise ConfigError(f"cache={place!r} is given. Allowed: ram, disk, False.")
        self._store = None
        if not place:
            return
        specs = [self.array_specs(index) for index in range(len(self))]
        if place == "disk":
            keys = [f"{content_key(pair)}|{self.content}" for pair in self.pairs]
            store: ArrayStore = DiskStore(self.spec.root, keys, specs)
        else:
            store = RamStore(specs)
        store.fill(self.decode, len(self))
        self._store = store

    def regroup(self, rect: int) -> None:
        """Set the size of batches in the shape of their images; `shapes` is changed in place, where transforms look."""
        self.rect = rect
        self.shapes[:] = _batch_shapes(self.facts, self.imgsz, rect)

    def resized_shape(self, index: int) -> tuple[int, int]:
        """Tell (height, width) of a sample as `read` returns it."""
        shape = self.facts[index].shape
        return shape if self.imgsz is None else scaled_shape(shape, self.imgsz, short_side=self.uses_short_side)

    def read(self, index: int) -> Sample:
        """Read one sample, resized but not augmented; the caller may change its arrays."""
        if self.last_read is not None:
            self.last_read.fill_(index)
        arrays = self._store.get(index) if self._store else self.decode(index)
        return self.make_sample(index, arrays)

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, key: SampleKey | int) -> Any:
        """Read and augment a sample; the same key always gives the same item.

        Args:
            key: epoch and index, and whether samples may be joined; a plain index means epoch 0.

        Raises:
            UltralyticsError: the message names the image.
        """
        epoch, index, mix = key if isinstance(key, tuple) else SampleKey(0, int(key))
        if not 0 <= index < len(self):
            raise IndexError(f"index {index} of a dataset of {len(self)} images")
        try:
            sample = self.read(index)
            if self.transforms is None:
                return sample
            return self.transforms(sample, Context(np.random.default_rng((self.seed, epoch, index)), self, mix))
        except UltralyticsError:
            raise
        except (*_FAILURES, cv2.error) as error:
            raise DatasetError(f"'{self.pairs[index].image}': {type(error).__name__}: {error}") from error


def scaled_shape(shape: tuple[int, int], imgsz: int, *, short_side: bool) -> tuple[int, int]:
    """Scale (height, width) so that one side has `imgsz` pixels; the other is rounded up.

    Args:
        shape: (height, width).
        imgsz: wanted length.
        short_side: whether it is the length of the short side, else of the long one.
    """
    given = min(shape) if short_side else max(shape)
    ratio = imgsz / given
    height, width = (imgsz if side == given else math.ceil(side * ratio) for side in shape)
    return height, width


def _by_aspect(facts: Sequence[SampleFacts]) -> list[int]:
    """Order by height / width, so that the images of a batch have similar shapes."""
    return sorted(range(len(facts)), key=lambda index: facts[index].height / facts[index].width)


def _batch_shapes(facts: Sequence[SampleFacts], imgsz: int | None, rect: int) -> np.ndarray:
    """Compute (height, width) of the batch of each sample: squares, or the smallest rectangles that hold all of it."""
    if imgsz is None:  # batches of one
        return np.array([[math.ceil(side / STRIDE) * STRIDE for side in fact.shape] for fact in facts], np.int64)
    shapes = np.full((len(facts), 2), math.ceil(imgsz / STRIDE) * STRIDE, np.int64)
    if not rect:
        return shapes
    aspects = np.array([fact.height / fact.width for fact in facts])
    for start in range(0, len(facts), rect):
        lowest, highest = aspects[start : start + rect].min(), aspects[start : start + rect].max()
        height, width = (highest, 1.0) if highest < 1 else (1.0, 1 / lowest) if lowest > 1 else (1.0, 1.0)
        shapes[start : start + rect] = [math.ceil(side * imgsz / STRIDE) * STRIDE for side in (height, width)]
    return shapes
