"""Skeletons against the published algorithm written out pixel by pixel, and what clDice is for."""

import math

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ultralytics.errors import DatasetError
from ultralytics.utils.metrics import BoundaryScores, CenterlineDice, ConfusionMatrix
from ultralytics.utils.metrics.centerline import skeletons

CLOCKWISE = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))


def guo_hall(mask: np.ndarray) -> np.ndarray:
    """Thin one mask as the paper says, pixel by pixel."""
    mask = np.pad(mask, 1)

    def goes(y: int, x: int, first: bool) -> bool:
        p2, p3, p4, p5, p6, p7, p8, p9 = (bool(mask[y + dy, x + dx]) for dy, dx in CLOCKWISE)
        components = sum([not p2 and (p3 or p4), not p4 and (p5 or p6), not p6 and (p7 or p8), not p8 and (p9 or p2)])
        neighbours = min(
            sum([p9 or p2, p3 or p4, p5 or p6, p7 or p8]),
            sum([p2 or p3, p4 or p5, p6 or p7, p8 or p9]),
        )
        side = ((p2 or p3 or not p5) and p4) if first else ((p6 or p7 or not p9) and p8)
        return components == 1 and neighbours in (2, 3) and not side

    changed = True
    while changed:
        changed = False
        for first in (True, False):
            gone = [(y, x) for y, x in np.argwhere(mask) if goes(y, x, first)]
            for y, x in gone:
                mask[y, x] = False
            changed |= bool(gone)
    return mask[1:-1, 1:-1]


def regions(seed: int, height: int, width: int) -> np.ndarray:
    """Blocks of up to three regions, with speckles."""
    rng = np.random.default_rng(seed)
    blocks = rng.integers(0, 4, (3, 4)).astype(np.uint8)
    ids = cv2.resize(blocks, (width, height), interpolation=cv2.INTER_NEAREST)
    return np.where(rng.random(ids.shape) < 0.08, rng.integers(0, 4, ids.shape), ids).astype(np.uint8)


@given(seed=st.integers(0, 1000), height=st.integers(1, 14), width=st.integers(1, 14))
def test_skeletons_are_those_of_each_region_alone(seed: int, height: int, width: int) -> None:
    ids = regions(seed, height, width)
    found = skeletons(ids)
    for k in (1, 2, 3):
        assert np.array_equal(found == k, guo_hall(ids == k))


@given(seed=st.integers(0, 1000))
def test_connected_pixels_stay_connected_and_no_region_vanishes(seed: int) -> None:
    ids = regions(seed, 40, 50)
    found = skeletons(ids)
    assert set(found[found > 0]) == set(ids[ids > 0])
    assert ((found == 0) | (found == ids)).all()
    for k in (1, 2, 3):
        before, after = (cv2.connectedComponents((part == k).astype(np.uint8))[0] for part in (ids, found))
        assert before == after


def wire(width: int = 1) -> np.ndarray:
    """A horizontal wire of class 1 across 60 columns."""
    ids = np.zeros((41, 60), np.uint8)
    ids[20 - width // 2 : 21 + width // 2] = 1
    return ids


def score(predicted: np.ndarray, target: np.ndarray, num_classes: int = 1) -> CenterlineDice:
    scores = CenterlineDice(num_classes)
    scores.update(predicted, target)
    return scores


def test_width_costs_next_to_nothing_and_a_gap_its_length() -> None:
    wide, confusion = score(wire(3), wire()), ConfusionMatrix(1)
    confusion.update(wire(3), wire())
    assert confusion.miou == pytest.approx(1 / 3)
    assert wide.mean_dice == 1
    broken = wire()
    broken[:, 10:25] = 0
    # All of the prediction lies on the wire, a quarter of the wire is not found: 2 * 1 * 0.75 / 1.75.
    assert score(broken, wire()).mean_dice == pytest.approx(1.5 / 1.75)


def test_a_wire_beside_the_wire_scores_nothing() -> None:
    assert score(np.roll(wire(), 1, axis=0), wire()).mean_dice == 0
    boundary = BoundaryScores(1)
    boundary.update(np.roll(wire(), 1, axis=0), wire())
    assert boundary.mean_f1 == 1  # contours a pixel apart meet, centrelines must lie inside


@pytest.mark.parametrize("num_classes", [1, 4])
def test_perfect_is_exactly_one_and_absent_is_unknown(num_classes: int) -> None:
    scores = score(wire(5), wire(5), num_classes)
    assert scores.dice[:2].tolist() == [1, 1]
    assert np.isnan(scores.dice[2:]).all()
    assert scores.mean_dice == 1


def test_classes_on_one_side_only() -> None:
    scores = score(np.full((41, 60), 2, np.uint8), wire(), 3)
    assert scores.dice.tolist() == [0, 0, 0]
    assert scores.mean_dice == 0


def test_counts_add_up_over_images() -> None:
    scores = score(wire(), wire())
    scores.update(np.zeros_like(wire()), wire())
    assert scores.counts[:, 1].tolist() == [60, 60, 60, 120]
    assert scores.mean_dice == pytest.approx(2 * 0.5 / 1.5)


@given(seed=st.integers(0, 100))
def test_what_is_predicted_beneath_ignored_pixels_changes_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    predicted, target = regions(seed, 20, 20), regions(seed + 1, 20, 20)
    target[4:12, 6:18] = 255
    flipped = np.where(target == 255, rng.integers(0, 256, target.shape), predicted).astype(np.uint8)
    assert np.array_equal(score(predicted, target, 4).counts, score(flipped, target, 4).counts)


def test_predictions_out_of_range_find_nothing() -> None:
    scores = score(np.full((41, 60), 9, np.uint8), wire(), 2)
    assert scores.counts[:2].tolist() == [[0, 0], [0, 0]]
    assert scores.dice.tolist() == [0, 0]


def test_nothing_counted_is_unknown() -> None:
    assert math.isnan(score(wire(), np.full((41, 60), 255, np.uint8), 3).mean_dice)


def test_one_image_at_a_time() -> None:
    with pytest.raises(DatasetError, match="one image at a time"):
        score(wire()[None], wire()[None])
