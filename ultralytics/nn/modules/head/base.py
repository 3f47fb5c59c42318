"""What every head is: the last module of a network, which turns feature maps into predictions."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Head(nn.Module):
    """Base of the heads; in training they return what a loss needs, in evaluation the predictions.

    Args:
        num_classes: classes to tell apart.
        in_channels: channels of each feature map, in the order the architecture names them.

    Attributes:
        nc: number of classes.
        nl: number of feature maps.
        stride: float tensor of input pixels per step; filled in by the model that holds the head.
    """

    def __init__(self, num_classes: int, in_channels: Sequence[int]) -> None:
        super().__init__()
        self.nc = num_classes
        self.nl = len(in_channels)
        self.stride = torch.ones(1)

    def strides(self, sources: Sequence[float], network: float) -> list[float]:
        """Choose what `stride` says.

        A head with one prediction for the whole image plane gives the network's own stride, to whose multiples an
        image is padded; a head that predicts on each feature map overrides this and gives those of its sources.

        Args:
            sources: input pixels per pixel of each feature map.
            network: the largest stride of any layer.
        """
        del sources
        return [network]

    def forward(self, maps: Sequence[Tensor]) -> Tensor | tuple[Tensor, ...]:
        """Turn feature maps (B, C_i, H_i, W_i) into predictions."""
        raise NotImplementedError
