"""Self-attention over the pixels of a small feature map, in plain matrix products that every exporter understands."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ultralytics.nn.modules.conv import Conv
from ultralytics.nn.registry import as_wide_as_input, register_module, widened_and_repeated


@register_module(as_wide_as_input)
class Attention(nn.Module):
    """Multi-head self-attention; a depth-wise convolution of the values tells where a pixel is.

    Args:
        channels: channels in and out.
        num_heads: heads; each has channels / num_heads values.
        key_ratio: size of keys and queries relative to the values.
    """

    def __init__(self, channels: int, num_heads: int = 8, key_ratio: float = 0.5) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.head_dim = channels // num_heads
        self.key_dim = int(self.head_dim * key_ratio)
        self.scale = self.key_dim**-0.5
        self.qkv = Conv(channels, channels + 2 * self.key_dim * num_heads, activation=False)
        self.proj = Conv(channels, channels, activation=False)
        self.pe = Conv(channels, channels, 3, groups=channels, activation=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to the same shape; time and memory grow with (H·W)²."""
        batch, channels, height, width = x.shape
        heads = self.qkv(x).reshape(batch, self.num_heads, 2 * self.key_dim + self.head_dim, height * width)
        query, key, value = heads.split([self.key_dim, self.key_dim, self.head_dim], dim=2)
        # Scaling the query rather than the product touches fewer numbers and keeps half precision in range.
        weights = ((query * self.scale).transpose(-2, -1) @ key).softmax(dim=-1)
        attended = (value @ weights.transpose(-2, -1)).reshape(batch, channels, height, width)
        return self.proj(attended + self.pe(value.reshape(batch, channels, height, width)))


@register_module(as_wide_as_input)
class PSABlock(nn.Module):
    """Attention, then a two-layer perceptron of every pixel, the input passing around each.

    Args:
        channels: channels in and out.
        key_ratio: size of keys and queries relative to the values.
        num_heads: heads of the attention.
        shortcut: let the input pass around both parts.
    """

    def __init__(self, channels: int, key_ratio: float = 0.5, num_heads: int = 4, shortcut: bool = True) -> None:
        super().__init__()
        self.attn = Attention(channels, num_heads, key_ratio)
        self.ffn = nn.Sequential(Conv(channels, 2 * channels), Conv(2 * channels, channels, activation=False))
        self.add = shortcut

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to the same shape."""
        x = x + self.attn(x) if self.add else self.attn(x)
        return x + self.ffn(x) if self.add else self.ffn(x)


@register_module(widened_and_repeated)
class C2PSA(nn.Module):
    """Attention blocks on one half of the channels; the other half passes.

    Args:
        in_channels: channels that come in.
        out_channels: channels that go out.
        repeats: attention blocks in a row.
        expansion: channels of a half per input channel.
    """

    def __init__(self, in_channels: int, out_channels: int, repeats: int = 1, expansion: float = 0.5) -> None:
        super().__init__()
        self.c = int(in_channels * expansion)
        self.cv1 = Conv(in_channels, 2 * self.c)
        self.cv2 = Conv(2 * self.c, out_channels)
        self.m = nn.Sequential(*(PSABlock(self.c, num_heads=heads_for(self.c)) for _ in range(repeats)))

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, in, H, W) to (B, out, H, W)."""
        passed, attended = self.cv1(x).split(self.c, dim=1)
        return self.cv2(torch.cat((passed, self.m(attended)), 1))


def heads_for(channels: int) -> int:
    """Number of attention heads: one for every 64 channels."""
    return max(channels // 64, 1)
