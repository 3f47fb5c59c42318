"""The residual unit that the larger blocks repeat."""

from __future__ import annotations

from torch import Tensor, nn

from ultralytics.nn.modules.conv import Conv
from ultralytics.nn.registry import register_module, widened


@register_module(widened)
class Bottleneck(nn.Module):
    """Two convolutions, the first onto fewer channels, around which the input may pass.

    Args:
        in_channels: channels that come in.
        out_channels: channels that go out.
        shortcut: add the input to the result where their channels agree.
        groups: groups of the second convolution.
        kernel_sizes: sides of the two kernels.
        expansion: hidden channels per output channel.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        shortcut: bool = True,
        groups: int = 1,
        kernel_sizes: tuple[int, int] = (3, 3),
        expansion: float = 0.5,
    ) -> None:
        super().__init__()
        hidden = int(out_channels * expansion)
        self.cv1 = Conv(in_channels, hidden, kernel_sizes[0])
        self.cv2 = Conv(hidden, out_channels, kernel_sizes[1], groups=groups)
        self.add = shortcut and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, in, H, W) to (B, out, H, W)."""
        residual = self.cv2(self.cv1(x))
        return x + residual if self.add else residual
