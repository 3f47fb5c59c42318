"""How much a figure of a split would vary with other images: a bootstrap over images, from exact counts."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np


class Interval(NamedTuple):
    """Ends of a confidence interval."""

    low: float
    high: float


def miou_interval(
    counts: np.ndarray, *, binary: bool = False, level: float = 0.95, samples: int = 2000, seed: int = 0
) -> Interval:
    """Estimate the interval of the dataset-level mean IoU by drawing images with replacement.

    The percentile bootstrap of Efron, "Bootstrap Methods: Another Look at the Jackknife", 1979: each resampled split
    gives a mean IoU over the classes with labelled pixels in it; the ends are quantiles of those.

    Args:
        counts: (N, 3, C) integers, per image what `ConfusionMatrix.tallies` holds.
        binary: take the foreground's IoU alone.
        level: share of resampled splits inside the interval.
        samples: number of resampled splits.
        seed: of the random draws.

    Returns:
        The interval; NaN where no image has labelled pixels.
    """
    images, _, classes = counts.shape
    if images == 0:
        return Interval(math.nan, math.nan)
    rng = np.random.default_rng(seed)
    flat = counts.reshape(images, -1).astype(np.float64)
    values: list[np.ndarray] = []
    step = max(1, (1 << 22) // max(images, flat.shape[1]))
    for start in range(0, samples, step):
        # How often each image is drawn; float64 sums of integers are exact.
        drawn = rng.multinomial(images, np.full(images, 1 / images), size=min(step, samples - start))
        intersection, labelled, predicted = (drawn @ flat).reshape(-1, 3, classes).swapaxes(0, 1)
        union = labelled + predicted - intersection
        iou = np.divide(intersection, union, out=np.zeros_like(union), where=union > 0)
        counted = union > 0 if binary else labelled > 0
        if binary:
            counted[:, 0] = False
        number = counted.sum(1)
        values.append((iou * counted).sum(1)[number > 0] / number[number > 0])
    found = np.concatenate(values)
    if len(found) == 0:
        return Interval(math.nan, math.nan)
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))
