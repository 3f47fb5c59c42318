"""Convolutions as these networks use them: convolution, batch norm and activation as one module; and concatenation."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from ultralytics.errors import ModelError, unknown_name
from ultralytics.nn.fuse import fold_batch_norm
from ultralytics.nn.registry import as_written, convolution, joined, register_module, resampled

DEFAULT_ACTIVATION = nn.SiLU(inplace=True)
"""What a convolution uses that was not told otherwise. It holds no state; a model gives its layers one of its own."""

_ACTIVATIONS: Mapping[str, Callable[[], nn.Module]] = {
    "elu": lambda: nn.ELU(inplace=True),
    "gelu": nn.GELU,
    "hardswish": lambda: nn.Hardswish(inplace=True),
    "identity": nn.Identity,
    "leakyrelu": lambda: nn.LeakyReLU(0.1, inplace=True),
    "mish": lambda: nn.Mish(inplace=True),
    "relu": lambda: nn.ReLU(inplace=True),
    "relu6": lambda: nn.ReLU6(inplace=True),
    "silu": lambda: nn.SiLU(inplace=True),
}


def make_activation(name: str) -> nn.Module:
    """Build an activation from the name an architecture uses: `SiLU`, `nn.ReLU`, `nn.ReLU()`.

    Raises:
        ModelError: the name is not in the table; nothing is evaluated.
    """
    key = re.sub(r"^(torch\.)?nn\.|\(\)$", "", name.strip()).lower()
    if key not in _ACTIVATIONS:
        raise ModelError(unknown_name("activation", name, _ACTIVATIONS))
    return _ACTIVATIONS[key]()


def use_activation(network: nn.Module, activation: nn.Module) -> None:
    """Give every convolution that has the default activation this one object instead."""
    for module in network.modules():
        if isinstance(module, Conv) and module.act is DEFAULT_ACTIVATION:
            module.act = activation


@register_module(convolution)
class Conv(nn.Module):
    """Convolution without bias, batch norm, activation; the size is kept at stride 1.

    Args:
        in_channels: channels that come in.
        out_channels: channels that go out.
        kernel_size: side of the square kernel.
        stride: step in pixels.
        padding: pixels added on each side; None: what keeps the size.
        groups: independent groups of channels.
        dilation: distance of the kernel's taps.
        activation: True: the default one; False: none; else the module to use, or its name.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int = 1,
        stride: int = 1,
        padding: int | None = None,
        groups: int = 1,
        dilation: int = 1,
        activation: bool | str | nn.Module = True,
    ) -> None:
        super().__init__()
        if padding is None:
            padding = dilation * (kernel_size - 1) // 2
        self.conv = nn.Conv2d(
            in_channels, out_channels, kernel_size, stride, padding, groups=groups, dilation=dilation, bias=False
        )
        self.bn: nn.BatchNorm2d | None = nn.BatchNorm2d(out_channels, eps=1e-3, momentum=0.03)
        self.act = _as_module(activation)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, in, H, W) to (B, out, H / stride, W / stride), rounded up for odd kernels."""
        x = self.conv(x)
        if self.bn is not None:
            x = self.bn(x)
        return self.act(x)

    def fuse(self) -> None:
        """Fold the batch norm into the convolution."""
        if self.bn is not None:
            self.conv = fold_batch_norm(self.conv, self.bn)
            self.bn = None


@register_module(convolution)
class DWConv(Conv):
    """Depth-wise `Conv`: as many groups as input and output channels allow."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int = 1,
        stride: int = 1,
        dilation: int = 1,
        activation: bool | str | nn.Module = True,
    ) -> None:
        groups = math.gcd(in_channels, out_channels)
        super().__init__(
            in_channels, out_channels, kernel_size, stride, groups=groups, dilation=dilation, activation=activation
        )


@register_module(joined)
class Concat(nn.Module):
    """Stack feature maps of equal size along their channels."""

    def __init__(self, dimension: int = 1) -> None:
        super().__init__()
        self.d = dimension

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Map several (B, C_i, H, W) to (B, ΣC_i, H, W)."""
        return torch.cat(list(maps), self.d)


def _as_module(activation: bool | str | nn.Module) -> nn.Module:
    if isinstance(activation, str):
        return make_activation(activation)
    if isinstance(activation, bool):
        return DEFAULT_ACTIVATION if activation else nn.Identity()
    return activation


register_module(as_written, name="nn.Identity")(nn.Identity)
register_module(resampled, name="nn.Upsample")(nn.Upsample)
