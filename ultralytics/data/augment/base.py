"""The shape of an augmentation: draw the parameters once, then apply them to the image and to each target.

A transform knows no kind of target: it tells each what happened to the image, see `ultralytics.data.targets.Target`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any

from ultralytics.data.sample import Context, Sample


class Transform(ABC):
    """One augmentation.

    A subclass draws its random parameters in `draw` (None means: leave this sample as it is) and changes image and
    targets in `apply`, which is a pure function of sample and parameters and never writes into the arrays it is given.

    Attributes:
        probability: chance that `draw` is asked at all.
        mixes: whether it joins several samples; such transforms rest when `context.mix` is false.
    """

    probability: float = 1.0
    mixes: bool = False

    def __call__(self, sample: Sample, context: Context) -> Sample:
        """Draw, then apply; or leave the sample as it is."""
        if self.mixes and (not context.mix or context.pool is None):
            return sample
        if self.probability < 1.0 and context.rng.random() >= self.probability:
            return sample
        parameters = self.draw(sample, context)
        return sample if parameters is None else self.apply(sample, parameters)

    @abstractmethod
    def draw(self, sample: Sample, context: Context) -> Any | None:
        """Choose the parameters for this sample; None leaves it unchanged."""

    @abstractmethod
    def apply(self, sample: Sample, parameters: Any) -> Sample:
        """Return the changed sample."""


class Compose(Transform):
    """Several transforms, one after the other."""

    def __init__(self, transforms: Iterable[Transform]) -> None:
        self.transforms = list(transforms)

    def __call__(self, sample: Sample, context: Context) -> Sample:
        """Run the members in order."""
        for transform in self.transforms:
            sample = transform(sample, context)
        return sample

    def draw(self, sample: Sample, context: Context) -> None:
        """Draw nothing: every member draws for itself."""

    def apply(self, sample: Sample, parameters: Any) -> Sample:
        """Never called: `__call__` runs the members."""
        raise NotImplementedError
