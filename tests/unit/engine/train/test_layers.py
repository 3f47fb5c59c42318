"""Freezing layers, and batches of another size."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ultralytics.engine.train.layers import freeze_layers, random_rescale
from ultralytics.nn.model import GraphModel


@pytest.mark.parametrize(
    ("freeze", "expected"), [(None, set()), (0, set()), (3, {0, 1, 2}), ([0, 17], {0, 17}), ([2, 99], {2})]
)
def test_the_layers_named_take_no_gradient(freeze: int | list[int] | None, expected: set[int]) -> None:
    model = GraphModel("yolo26n-sem.yaml", nc=3)
    layers = freeze_layers(model, freeze)
    assert {index for index, layer in enumerate(model.model) if any(layer is frozen for frozen in layers)} == expected
    trained = {name.split(".")[1] for name, value in model.named_parameters() if value.requires_grad}
    assert trained.isdisjoint({str(index) for index in expected})
    assert all(str(index) in trained for index in {0, 2, 16, 17} - expected)


@given(
    height=st.integers(1, 6), width=st.integers(1, 6), spread=st.floats(0, 0.9), stride=st.sampled_from([8, 32]),
    seed=st.integers(0, 99),
)  # fmt: skip
def test_a_batch_gets_a_near_size_that_the_stride_divides(
    height: int, width: int, spread: float, stride: int, seed: int
) -> None:
    images = torch.full((2, 3, height * stride, width * stride), 0.25)
    one, two = (random_rescale(images, spread, stride=stride, key=(seed, 1)) for _ in range(2))
    assert torch.equal(one, two)
    assert torch.allclose(one, torch.tensor(0.25))
    for side, before in zip(one.shape[2:], images.shape[2:], strict=True):
        assert side % stride == 0
        assert max(before * (1 - spread), stride) <= side + 1e-6
        assert side < before * (1 + spread) + stride


def test_without_spread_nothing_changes_and_with_it_the_key_decides() -> None:
    images = torch.rand(1, 3, 256, 256)
    assert torch.allclose(random_rescale(images, 0.0, stride=32, key=(0,)), images)
    assert len({random_rescale(images, 0.5, stride=32, key=(0, step)).shape for step in range(8)}) > 1
