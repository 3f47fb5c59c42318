"""Palettes are distinct, stable, and say what is wrong with a given one."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from ultralytics.errors import ConfigError
from ultralytics.utils.plotting import CITYSCAPES, colors, default_palette, resolve_palette

# What deuteranopes see of linear RGB, by Vienot, Brettel and Mollon 1999: another model than the one the palette uses.
_WITHOUT_GREEN = np.array([[0.29275, 0.70725, 0.0], [0.29275, 0.70725, 0.0], [-0.02234, 0.02234, 1.0]])


@pytest.mark.parametrize("count", [1, 2, 19, 150, 256, 257, 1000, 65535])
def test_all_colours_differ(count: int) -> None:
    palette = default_palette(count)
    assert palette.shape == (count, 3)
    assert palette.dtype == np.uint8
    assert len(np.unique(palette, axis=0)) == count


def test_a_longer_palette_starts_with_the_shorter_one() -> None:
    for short, long in ((5, 19), (150, 256), (256, 400), (300, 400)):
        assert np.array_equal(default_palette(long)[:short], default_palette(short))


def test_the_first_colours_differ_to_the_colour_blind() -> None:
    linear = (default_palette(11) / 255.0) ** 2.2
    seen = np.clip(linear @ _WITHOUT_GREEN.T, 0, 1) ** (1 / 2.2)
    lab = cv2.cvtColor(seen[None].astype(np.float32), cv2.COLOR_RGB2LAB)[0]
    apart = np.linalg.norm(lab[:, None] - lab, axis=-1)[~np.eye(11, dtype=bool)]
    assert apart.min() > 8  # 2.3 is the smallest difference that people notice


def test_the_shared_palette_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="read-only"):
        default_palette(3)[0] = 0


def test_colors_is_the_default_palette_in_either_order() -> None:
    assert colors(3) == tuple(default_palette(4)[3].tolist())
    assert colors(3, bgr=True) == colors(3)[::-1]
    assert colors(np.int64(700)) == tuple(default_palette(701)[700].tolist())
    assert all(type(value) is int for value in colors(0))


def test_resolve_palette() -> None:
    assert np.array_equal(resolve_palette(None, 5), default_palette(5))
    assert np.array_equal(resolve_palette("Cityscapes", 19), CITYSCAPES)
    assert np.array_equal(resolve_palette(CITYSCAPES, 2), CITYSCAPES[:2])
    mixed = resolve_palette({1: [1, 2, 3], 9: [4, 5, 6]}, 3)
    assert mixed[1].tolist() == [1, 2, 3]
    assert np.array_equal(mixed[[0, 2]], default_palette(3)[[0, 2]])


@pytest.mark.parametrize("palette", [[[1, 2]], [[1, 2, 300]], [[0.1, 0.2, 0.3]], [[-1, 0, 0]], [["a", "b", "c"]]])
def test_what_is_no_colour_is_refused(palette: list) -> None:
    with pytest.raises(ConfigError, match="class 0"):
        resolve_palette(palette, 1)


def test_an_unknown_palette_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'cityscapes'"):
        resolve_palette("cityscape", 1)
