"""The bootstrap interval on splits whose variation is known."""

import math

import numpy as np
import pytest
import torch

from ultralytics.utils.metrics import ConfusionMatrix, miou_interval


def tallies(*shares: float, pixels: int = 1000) -> np.ndarray:
    """Binary counts of images whose foreground has these IoUs."""
    return np.array([[[0, int(share * pixels)], [0, pixels], [0, int(share * pixels)]] for share in shares])


def test_equal_images_leave_no_doubt() -> None:
    assert miou_interval(tallies(0.4, 0.4, 0.4)) == pytest.approx((0.4, 0.4))


def test_two_kinds_of_images_follow_the_binomial() -> None:
    # 100 images, half with IoU 0 and half with 1: the mean of a resampled split has deviation 0.05.
    low, high = miou_interval(tallies(*[0.0, 1.0] * 50), samples=4000)
    assert low == pytest.approx(0.5 - 1.96 * 0.05, abs=0.015)
    assert high == pytest.approx(0.5 + 1.96 * 0.05, abs=0.015)
    narrow = miou_interval(tallies(*[0.0, 1.0] * 50), level=0.5)
    assert low < narrow.low < narrow.high < high


def test_interval_holds_the_figure_and_repeats() -> None:
    rng = np.random.default_rng(0)
    whole, counts = ConfusionMatrix(4), []
    for _ in range(30):
        target = rng.integers(0, 4, (16, 16)).astype(np.uint8)
        predicted = np.where(rng.random((16, 16)) < rng.random(), target, 3).astype(np.uint8)
        image = ConfusionMatrix(4)
        image.update(predicted, target)
        whole.merge(image)
        counts.append(image.tallies.numpy())
    interval = miou_interval(np.stack(counts))
    assert interval.low < whole.miou < interval.high
    assert interval == miou_interval(np.stack(counts))


def test_binary_is_the_foreground_alone() -> None:
    confusion = ConfusionMatrix(1)
    confusion.update(torch.tensor([0, 0, 1, 1]), torch.tensor([0, 0, 0, 1]))
    counts = confusion.tallies.numpy()[None]
    assert miou_interval(counts, binary=True) == pytest.approx((0.5, 0.5))
    assert miou_interval(counts) == pytest.approx((confusion.miou_present,) * 2)


@pytest.mark.parametrize("images", [0, 3])
def test_nothing_counted_is_unknown(images: int) -> None:
    assert all(math.isnan(end) for end in miou_interval(np.zeros((images, 3, 5), np.int64)))
