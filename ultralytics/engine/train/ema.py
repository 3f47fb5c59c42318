"""A moving average of the network's weights, which is what gets validated and saved."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ultralytics.utils.torch_utils import unwrap_model


class ModelEMA:
    """Average of all floating weights and buffers over the optimizer steps; counters are copied.

    Attributes:
        model: network with the averaged weights, in eval mode and without gradients.

    Args:
        model: network to follow; it is copied.
        decay: share of the old average in the long run.
        ramp: steps over which the share grows to that (by 1 - exp(-steps / ramp)), as early weights are of no use.
    """

    def __init__(self, model: nn.Module, decay: float = 0.9999, ramp: float = 2000.0) -> None:
        self.model: Any = copy.deepcopy(unwrap_model(model)).eval().requires_grad_(False)
        self._decay = decay
        self._ramp = ramp

    @torch.no_grad()
    def update(self, model: nn.Module, steps: int) -> None:
        """Take in the weights after an optimizer step; `steps` counts them from 1."""
        share_of_new = 1 - self._decay * (1 - math.exp(-steps / self._ramp))
        averages, values = _tensors(self.model), _tensors(unwrap_model(model))
        floating = [index for index, average in enumerate(averages) if average.is_floating_point()]
        torch._foreach_lerp_([averages[i] for i in floating], [values[i] for i in floating], share_of_new)
        for average, value in zip(averages, values, strict=True):
            if not average.is_floating_point():
                average.copy_(value)

    def state_dict(self) -> dict[str, Tensor]:
        """Give the averaged weights."""
        state: dict[str, Tensor] = self.model.state_dict()
        return state

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on from saved averages."""
        self.model.load_state_dict(state)


def _tensors(model: nn.Module) -> list[Tensor]:
    return [*model.parameters(), *model.buffers()]
