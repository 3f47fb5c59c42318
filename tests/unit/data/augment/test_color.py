"""Colours change, and only colours."""

from __future__ import annotations

import colorsys

import numpy as np
import pytest

from ultralytics.data.augment import RandomHSV, SwapChannels
from ultralytics.data.sample import Context, Sample


def context(seed: int = 0) -> Context:
    return Context(np.random.default_rng(seed))


def sample_of(image: object, dtype: type = np.uint8) -> Sample:
    return Sample(np.array(image, dtype))


def hsv(pixel: np.ndarray) -> tuple[float, float, float]:
    blue, green, red = (int(value) / 255 for value in pixel)
    return colorsys.rgb_to_hsv(red, green, blue)


COLOURS = [[[40, 90, 160], [200, 60, 30], [20, 130, 70]]]


@pytest.mark.parametrize("axis", range(3))
def test_each_strength_changes_its_own_property(axis):
    strengths = [0.0, 0.0, 0.0]
    strengths[axis] = 0.3
    changes = []
    for seed in range(20):
        out = RandomHSV(*strengths)(sample_of(COLOURS), context(seed)).image[0]
        for before, after in zip(COLOURS[0], out, strict=True):
            difference = np.abs(np.subtract(hsv(np.array(before)), hsv(after)))
            difference[0] = min(difference[0], 1 - difference[0])
            changes.append(difference)
    changes = np.array(changes)
    others = np.delete(changes, axis, axis=1)
    assert changes[:, axis].max() > 0.1
    assert others.max() < 0.03


def test_brightness_is_scaled_within_the_range():
    grey = sample_of(np.full((1, 1, 3), 100))
    values = [RandomHSV(0, 0, 0.4)(grey, context(seed)).image[0, 0, 0] for seed in range(300)]
    assert 60 <= min(values) < 64
    assert 136 < max(values) <= 140


def test_bright_and_saturated_colours_do_not_wrap_around():
    white = sample_of(np.full((1, 1, 3), 250))
    assert min(RandomHSV(0.5, 0.9, 0.4)(white, context(seed)).image.min() for seed in range(50)) >= 149


@pytest.mark.parametrize(
    "sample",
    [
        sample_of(np.full((4, 4, 1), 9)),
        sample_of(np.full((4, 4, 5), 9)),
        sample_of(np.full((4, 4, 3), 900), np.uint16),
    ],
    ids=["grey", "five bands", "16 bit"],
)
def test_images_without_eight_bit_colours_pass(sample):
    assert RandomHSV(0.5, 0.9, 0.9)(sample, context()) is sample


def test_swap_exchanges_red_and_blue():
    out = SwapChannels(1.0)(sample_of([[[1, 2, 3]]]), context())
    assert out.image.tolist() == [[[3, 2, 1]]]
    grey = sample_of(np.ones((2, 2, 1)))
    assert SwapChannels(1.0)(grey, context()) is grey
