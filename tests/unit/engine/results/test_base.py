"""Arrays between numpy and torch, and indices of any kind."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ultralytics.engine.results.base import as_numpy, as_tensor, selected


def test_uint16_becomes_int32_and_keeps_its_values() -> None:
    tensor = as_tensor(np.array([[0, 300, 65535]], np.uint16))
    assert tensor.dtype == torch.int32
    assert tensor.tolist() == [[0, 300, 65535]]


def test_views_that_torch_cannot_hold_are_copied() -> None:
    assert as_tensor(np.arange(4)[::-1]).tolist() == [3, 2, 1, 0]


def test_bfloat16_can_be_seen_from_numpy() -> None:
    assert as_numpy(torch.tensor([0.5], dtype=torch.bfloat16)).tolist() == [0.5]


@pytest.mark.parametrize(
    ("index", "expected"),
    [
        (1, [1]),
        (-1, [2]),
        (slice(1, None), [1, 2]),
        ([2, 0], [2, 0]),
        (np.array([True, False, True]), [0, 2]),
        (torch.tensor([False, True, False]), [1]),
        ([], []),
        (torch.tensor([]), []),
        (np.int64(2), [2]),
    ],
)
def test_selected(index: object, expected: list[int]) -> None:
    assert selected(index, 3).tolist() == expected


@pytest.mark.parametrize("index", [3, -4, [0, 3], np.array([True]), "road"])
def test_selected_refuses(index: object) -> None:
    with pytest.raises(IndexError):
        selected(index, 3)
