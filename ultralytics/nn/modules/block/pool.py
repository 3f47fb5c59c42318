"""Spatial pyramid pooling: context from growing windows at the price of a few small poolings."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ultralytics.nn.modules.conv import Conv
from ultralytics.nn.registry import register_module, widened


@register_module(widened)
class SPPF(nn.Module):
    """Pooling repeated on its own result: n poolings of size k see windows of k, 2k - 1, 3k - 2, … pixels.

    Args:
        in_channels: channels that come in.
        out_channels: channels that go out.
        kernel_size: side of the pooling window, odd.
        poolings: how many there are.
        shortcut: the form of the 26 family: no activation before the poolings, and the input is added to the result
            where their channels agree.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int = 5, poolings: int = 3, shortcut: bool = False
    ) -> None:
        super().__init__()
        hidden = in_channels // 2
        self.cv1 = Conv(in_channels, hidden, activation=not shortcut)
        self.cv2 = Conv(hidden * (poolings + 1), out_channels)
        self.m = nn.MaxPool2d(kernel_size, stride=1, padding=kernel_size // 2)
        self.n = poolings
        self.add = shortcut and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, in, H, W) to (B, out, H, W)."""
        levels = [self.cv1(x)]
        for _ in range(self.n):
            levels.append(self.m(levels[-1]))
        context = self.cv2(torch.cat(levels, 1))
        return x + context if self.add else context
