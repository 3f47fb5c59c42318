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
from ultralytics.utils.checks import check_imgsz
from ultralytics.utils.ops.letterbox import LetterboxGeometry, scaled

_FAILURES = (ArithmeticError, AttributeError, LookupError, MemoryError, OSError, RuntimeError, TypeError, ValueError)

Transforms = Callable[[Sample, Context], Any]


class BaseDataset(Dataset[Any], ABC):
    """Images of a split with their targets.

    A task says how a sample is decoded and what it is made of: `decode`, `array_specs`, `make_sample`.

    Args:
        spec: the dataset.
        pairs: files of the samples, known to be usable.
        facts: what is known of them, in the same order.
        imgsz: training images are resized so that their short side has this many pixels; others, as in prediction, so
            that they fit into a square of it or into (height, width), rounded up to the stride; None leaves every image
            at its own size.
        train: whether samples are for training.
        rect: batch size whose batches take the shape of their images; 0 for the whole of `imgsz`.
        stride: largest stride of the network, of which the sides of a batch are multiples; `regroup` changes it.
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
        imgsz: int | Sequence[int] | None,
        train: bool,
        rect: int = 0,
        stride: int = 32,
        seed: int = 0,
    ) -> None:
        self.imgsz = imgsz
        self.train, self.rect, self.stride = train, rect, stride
        order = self._order(facts) if rect else range(len(pairs))
        self.spec = spec
        self.pairs = [pairs[index] for index in order]
        self.facts = [facts[index] for index in order]
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
        return repr((self.imgsz, self.uses_short_side, self.spec.channels, "nearest"))

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

    def regroup(self, rect: int, stride: int | None = None) -> None:
        """Set the size of batches in the shape of their images, and the largest stride of the network they are for.

        `shapes` is changed in place, where transforms look.
        """
        self.rect, self.stride = rect, stride or self.stride
        if self.imgsz is not None and self.train:
            self.shapes[:] = _batch_shapes(self.facts, self._longest, rect, self.stride)
        else:
            self.shapes[:] = [self._geometry(facts.shape).shape for facts in self.facts]

    def resized_shape(self, index: int) -> tuple[int, int]:
        """Tell (height, width) of a sample as `read` returns it."""
        shape = self.facts[index].shape
        if self.imgsz is not None and self.train:
            return scaled_shape(shape, self._longest, short_side=self.uses_short_side)
        return self._geometry(shape).new_size

    def _geometry(self, shape: tuple[int, int]) -> LetterboxGeometry:
        """Place an image of (height, width) that is not trained on as prediction does; no other has a say in it."""
        if self.imgsz is None:
            return LetterboxGeometry.padded(shape, bottom=-shape[0] % self.stride, right=-shape[1] % self.stride)
        target = check_imgsz(self.imgsz, stride=self.stride)
        return LetterboxGeometry.fit(shape, target, stride=self.stride, minimal=bool(self.rect))

    def _order(self, facts: Sequence[SampleFacts]) -> list[int]:
        """Put images that can share a batch beside each other: those of one shape, in training of similar ones."""
        if self.train:
            return sorted(range(len(facts)), key=lambda index: facts[index].height / facts[index].width)
        return sorted(range(len(facts)), key=lambda index: self._geometry(facts[index].shape).new_size)

    @property
    def _longest(self) -> int:
        return self.imgsz if isinstance(self.imgsz, int) else max(self.imgsz or [0])

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
    """Scale (height, width) so that one side has `imgsz` pixels.

    Args:
        shape: (height, width).
        imgsz: wanted length.
        short_side: whether it is the length of the short side, else of the long one.
    """
    return scaled(shape, imgsz / (min(shape) if short_side else max(shape)))


def _batch_shapes(facts: Sequence[SampleFacts], imgsz: int, rect: int, stride: int) -> np.ndarray:
    """Compute (height, width) of each sample's training batch: squares, or the smallest rectangle that holds it."""
    shapes = np.full((len(facts), 2), math.ceil(imgsz / stride) * stride, np.int64)
    if not rect:
        return shapes
    aspects = np.array([fact.height / fact.width for fact in facts])
    for start in range(0, len(facts), rect):
        lowest, highest = aspects[start : start + rect].min(), aspects[start : start + rect].max()
        height, width = (highest, 1.0) if highest < 1 else (1.0, 1 / lowest) if lowest > 1 else (1.0, 1.0)
        shapes[start : start + rect] = [math.ceil(side * imgsz / stride) * stride for side in (height, width)]
    return shapes
