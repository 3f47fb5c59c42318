"""Boundary scores against the definition written out pixel by pixel, and what they are for."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ultralytics.errors import DatasetError
from ultralytics.utils.metrics import BoundaryScores, ConfusionMatrix, boundary
from ultralytics.utils.metrics.boundary import between, near_contour


def eroded(mask: np.ndarray, distance: int) -> np.ndarray:
    """Pixels whose square neighbourhood lies within the mask; outside the image nothing is the mask."""
    padded = np.pad(mask, distance)
    height, width = mask.shape
    side = 2 * distance + 1
    return np.array([[padded[y : y + side, x : x + side].all() for x in range(width)] for y in range(height)])


@given(distance=st.integers(1, 3), height=st.integers(1, 12), width=st.integers(1, 12), seed=st.integers(0, 100))
@settings(max_examples=40, deadline=None)
def test_near_contour_is_each_class_minus_its_erosion(distance: int, height: int, width: int, seed: int) -> None:
    ids = np.random.default_rng(seed).integers(0, 3, (height, width)).astype(np.uint8)
    ids[1:8, 2:9] = 1
    expected = np.zeros(ids.shape, bool)
    for k in range(3):
        expected |= (ids == k) & ~eroded(ids == k, distance)
    assert np.array_equal(near_contour(ids, distance), expected)


def boxes(*corners: tuple[int, int, int, int], size: int = 60) -> np.ndarray:
    """A class map with a box of class 1, 2, ... per (top, left, bottom, right)."""
    ids = np.zeros((size, size), np.uint8)
    for k, (top, left, bottom, right) in enumerate(corners, start=1):
        ids[top:bottom, left:right] = k
    return ids


def test_boundary_iou_is_the_iou_of_boundary_pixels() -> None:
    target, predicted = boxes((10, 10, 40, 40)), boxes((10, 13, 40, 43))
    scores = BoundaryScores(2)
    scores.update(predicted, target)
    distance = round(0.02 * math.hypot(60, 60))
    bands = [(ids == 1) & ~eroded(ids == 1, distance) for ids in (target, predicted)]
    expected = (bands[0] & bands[1]).sum() / (bands[0] | bands[1]).sum()
    assert scores.iou[1] == pytest.approx(expected)
    assert 0 < expected < 1


@pytest.mark.parametrize("classes", [1, 4, 130])
def test_strips_change_nothing(classes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    target = rng.integers(0, max(classes, 2), (24, 10)).repeat(4, 0).repeat(6, 1).astype(np.uint8)
    predicted = np.where(rng.random(target.shape) < 0.05, 0, np.roll(target, 1, axis=0))
    target[:9, :7] = 255
    counts = []
    for pixels in (1 << 20, 60 * 40, 1):
        monkeypatch.setattr(boundary, "_STRIP", pixels)
        scores = BoundaryScores(classes)
        scores.update(predicted, target)
        counts.append(scores.f1_counts)
    assert counts[0].sum() > 0
    assert all(np.array_equal(one, counts[0]) for one in counts)


def test_a_shift_of_one_pixel_costs_more_here_than_in_iou() -> None:
    target = boxes((10, 10, 50, 50), (2, 52, 58, 56))
    predicted = np.roll(target, 1, axis=1)
    scores, confusion = BoundaryScores(3), ConfusionMatrix(3)
    scores.update(predicted, target)
    confusion.update(predicted, target)
    assert scores.mean_iou < confusion.miou - 0.05


def test_contours_within_the_tolerance_meet() -> None:
    target = boxes((10, 10, 40, 40))
    near, far = BoundaryScores(2, tolerance=0.025), BoundaryScores(2, tolerance=0.025)
    near.update(np.roll(target, 2, axis=1), target)
    far.update(np.roll(target, 6, axis=1), target)
    assert near.f1.tolist() == [1, 1]
    # Of the contour's 116 pixels the rows that overlap meet, and the sides' ends that lie near them.
    assert 0.3 < far.f1[1] < 0.8


@pytest.mark.parametrize("num_classes", [1, 3, 70])
def test_perfect_is_one_and_absent_is_unknown(num_classes: int) -> None:
    target = boxes((10, 10, 40, 40)) if num_classes == 1 else boxes((5, 5, 20, 20), (30, 30, 50, 50))
    target[target == 2] = max(num_classes, 2) - 1
    scores = BoundaryScores(num_classes)
    scores.update(target.copy(), target)
    present = np.isin(np.arange(scores.num_classes), target)
    assert (scores.iou[present] == 1).all()
    assert (scores.f1[present] == 1).all()
    assert np.isnan(scores.iou[~present]).all()
    assert np.isnan(scores.f1[~present]).all()
    assert scores.mean_iou == scores.mean_f1 == 1


def test_contours_are_between_classes_not_at_the_border_nor_beside_ignored_pixels() -> None:
    ids = np.array([[1, 1, 1, 1, 0], [1, 1, 1, 1, 0], [1, 1, 2, 2, 0], [1, 1, 2, 2, 0], [1, 1, 2, 2, 0]], np.uint16)
    expected = ["00000", "01110", "01110", "01100", "01100"]
    assert between(ids, ids == 0).astype(int).tolist() == [[int(mark) for mark in row] for row in expected]
    assert between(ids, np.zeros_like(ids, bool))[0].tolist() == [False, False, False, True, True]


def test_a_picture_of_one_class_has_no_contour_to_meet() -> None:
    scores = BoundaryScores(2)
    scores.update(np.zeros((20, 20), np.uint8), np.zeros((20, 20), np.uint8))
    assert math.isnan(scores.f1[0])
    assert scores.iou[0] == 1


def test_a_class_on_one_side_only_scores_nothing() -> None:
    scores = BoundaryScores(2)
    scores.update(np.zeros((20, 20), np.uint8), boxes((5, 5, 9, 9), size=20))
    assert scores.iou[1] == 0
    assert scores.f1[1] == 0


def test_what_is_predicted_beneath_ignored_pixels_changes_nothing() -> None:
    target = boxes((10, 10, 40, 40), (45, 5, 55, 55))
    target[20:50, 30:50] = 255
    predicted = np.roll(boxes((10, 10, 40, 40), (45, 5, 55, 55)), 2, axis=0)
    flipped = np.where(target == 255, 2 - predicted, predicted)
    one, other = BoundaryScores(3), BoundaryScores(3)
    one.update(predicted, target)
    other.update(flipped, target)
    assert np.array_equal(one.iou_counts, other.iou_counts)
    assert np.array_equal(one.f1_counts, other.f1_counts)


def test_nothing_counted_is_unknown() -> None:
    scores = BoundaryScores(3)
    scores.update(np.zeros((8, 8), np.uint8), np.full((8, 8), 255, np.uint8))
    assert math.isnan(scores.mean_iou)
    assert math.isnan(scores.mean_f1)


def test_one_image_at_a_time() -> None:
    with pytest.raises(DatasetError, match="one image at a time"):
        BoundaryScores(2).update(np.zeros((2, 8, 8), np.uint8), np.zeros((2, 8, 8), np.uint8))
