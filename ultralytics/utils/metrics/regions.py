"""What figures about the shape of regions share: pairs of maps ready for morphology, and means of the counts."""

from __future__ import annotations

import math

import numpy as np

from ultralytics.errors import DatasetError


def pair_regions(
    predicted: np.ndarray, target: np.ndarray, num_classes: int, ignore_index: int
) -> tuple[np.ndarray, np.ndarray]:
    """Cut ignored pixels and ids out of range out of a prediction and its label.

    Args:
        predicted: (H, W) integer class ids.
        target: (H, W) true ids, in [0, C) or `ignore_index`.
        num_classes: C.
        ignore_index: label of the pixels that are not counted.

    Returns:
        Prediction and label as (H, W) uint16, which OpenCV knows: class k as k + 1, and 0 for what is no region.

    Raises:
        DatasetError: the shapes differ.
    """
    if predicted.shape != target.shape or target.ndim != 2:
        raise DatasetError(
            f"Predicted ids of shape {predicted.shape} and labels of shape {target.shape} cannot be compared: "
            f"give one image at a time, both (H, W)."
        )
    counted = target != ignore_index
    guesses, labels = (
        np.where(counted & (ids >= 0) & (ids < num_classes), ids.astype(np.int32) + 1, 0).astype(np.uint16)
        for ids in (predicted, target)
    )
    return guesses, labels


def count_regions(ids: np.ndarray, num_classes: int) -> np.ndarray:
    """Count the pixels of each class in ids as `pair_regions` makes them, as (C,) int64."""
    return np.bincount(ids.ravel(), minlength=num_classes + 1)[1:]


def quotient(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Divide; what is divided by zero is NaN, without a warning."""
    result = np.full(len(part), np.nan)
    np.divide(part, whole, out=result, where=whole > 0)
    return result


def f_score(counts: np.ndarray) -> np.ndarray:
    """Join precision and recall in their harmonic mean.

    Args:
        counts: (4, C) integers: predicted things that are right, all of them, true ones that were found, all of them.

    Returns:
        (C,) NaN for a class with things on neither side, 0 with things on one side only.
    """
    right, predicted, found, true = counts
    precision, recall = (np.nan_to_num(quotient(*pair)) for pair in ((right, predicted), (found, true)))
    score = np.nan_to_num(quotient(2 * precision * recall, precision + recall))
    return np.where(predicted + true > 0, score, np.nan)


def mean_of_labelled(values: np.ndarray, labelled: np.ndarray, *, binary: bool) -> float:
    """Average figures over the classes with labelled pixels; of a binary model take the foreground's."""
    if binary:
        return float(values[1])
    return float(values[labelled > 0].mean()) if labelled.any() else math.nan
