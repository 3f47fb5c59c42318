"""What every loss promises about pixels without a label; a new one needs a place in `LOSSES`."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from ultralytics.nn import losses

LOSSES = [getattr(losses, name) for name in losses.__all__]

each_loss = pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.__name__)
each_count = pytest.mark.parametrize("num_classes", [1, 4])


@each_loss
@each_count
def test_nothing_labelled_is_exactly_nothing(loss: Callable[..., Tensor], num_classes: int) -> None:
    logits = torch.randn(2, num_classes, 3, 3, requires_grad=True)
    value = loss(logits, torch.full((2, 3, 3), 255, dtype=torch.uint8))
    value.backward()
    assert value == 0
    assert not logits.grad.any()


@each_loss
@each_count
def test_what_lies_beneath_ignored_pixels_changes_no_bit(loss: Callable[..., Tensor], num_classes: int) -> None:
    logits = torch.randn(2, num_classes, 5, 5)
    target = torch.randint(0, max(num_classes, 2), (2, 5, 5))
    target[:, 1:3] = 255
    flipped = torch.where((target == 255)[:, None], -5 * logits, logits)
    assert torch.equal(loss(logits, target), loss(flipped, target))
