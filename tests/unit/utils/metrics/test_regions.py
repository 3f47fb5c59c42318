"""What figures about regions share."""

import math

import numpy as np
import pytest

from ultralytics.errors import DatasetError
from ultralytics.utils.metrics.regions import count_regions, f_score, mean_of_labelled, pair_regions


def test_ignored_pixels_and_ids_out_of_range_are_no_region() -> None:
    predicted = np.array([[0, 1, 2, 3, -1]], np.int16)
    target = np.array([[255, 0, 255, 2, 1]], np.uint8)
    guesses, labels = pair_regions(predicted, target, 3, 255)
    assert guesses.tolist() == [[0, 2, 0, 0, 0]]
    assert labels.tolist() == [[0, 1, 0, 3, 2]]
    assert guesses.dtype == labels.dtype == np.uint16
    assert count_regions(labels, 3).tolist() == [1, 1, 1]


def test_ids_beyond_a_byte() -> None:
    ids = np.array([[299, 65535]], np.int32)
    assert [part.tolist() for part in pair_regions(ids, ids, 300, 65535)] == [[[300, 0]], [[300, 0]]]


def test_maps_of_different_size_are_refused() -> None:
    with pytest.raises(DatasetError, match=r"\(2, 3\).*\(3, 2\)"):
        pair_regions(np.zeros((2, 3), np.uint8), np.zeros((3, 2), np.uint8), 2, 255)


def test_f_score_of_each_kind_of_class() -> None:
    # Half right and all found; perfect; nothing right; predicted only; labelled only; on neither side.
    counts = np.array([[1, 5, 0, 0, 0, 0], [2, 5, 3, 4, 0, 0], [1, 7, 0, 0, 0, 0], [1, 7, 3, 0, 4, 0]])
    assert f_score(counts) == pytest.approx([2 / 3, 1, 0, 0, 0, math.nan], nan_ok=True)


def test_means_take_labelled_classes_or_the_foreground() -> None:
    values, labelled = np.array([0.5, 1.0, 0.0]), np.array([3, 1, 0])
    assert mean_of_labelled(values, labelled, binary=False) == 0.75
    assert mean_of_labelled(values, labelled, binary=True) == 1
    assert math.isnan(mean_of_labelled(values, np.zeros(3, int), binary=False))
