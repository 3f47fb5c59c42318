"""Text has the letters it should, and fits where it must."""

from __future__ import annotations

import numpy as np
import pytest

from ultralytics.utils.plotting.fonts import fit_text, text_mask


@pytest.mark.parametrize("text", ["road", "Straße", "дорога", "δρόμος", "é", "×", "–"])
def test_letters_beyond_ascii_are_drawn(text: str) -> None:
    boxes = text_mask("\uffff" * len(text), 20)
    mask = text_mask(text, 20)
    assert mask.max() == 255
    assert mask.shape[0] == boxes.shape[0]
    assert not np.array_equal(mask, boxes)


def test_different_letters_look_different() -> None:
    assert not np.array_equal(text_mask("ж", 20), text_mask("ш", 20))


@pytest.mark.parametrize("text", ["", " ", "a\nb\tc", "道路", "🚗", "\u202eabc"])
def test_any_text_can_be_drawn(text: str) -> None:
    mask = text_mask(text, 14)
    assert mask.shape[0] == text_mask("x", 14).shape[0]
    assert mask.shape[1] >= 1


@pytest.mark.parametrize("width", [5, 20, 60, 1000])
def test_fitted_text_keeps_to_its_width(width: int) -> None:
    assert fit_text("a rather long class name", 14, width).shape[1] <= width


def test_short_text_is_left_as_it_is() -> None:
    assert np.array_equal(fit_text("car", 14, 500), text_mask("car", 14))
