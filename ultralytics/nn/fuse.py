"""Folding batch normalisation into the convolution before it: same function in eval mode, fewer layers.

With running mean m, variance v and affine g, b a normalised convolution is g · (W∗x + c − m) / √(v + ε) + b, which is
one convolution of weight W · g / √(v + ε) and bias b + (c − m) · g / √(v + ε). Both are computed in float64.
"""

from __future__ import annotations

import copy
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn


@runtime_checkable
class Fusable(Protocol):
    """A module that can rewrite itself into fewer layers that compute the same in eval mode."""

    def fuse(self) -> None:
        """Rewrite in place; a second call changes nothing."""


def fuse_modules(network: nn.Module) -> None:
    """Let every module below `network` that can, fuse itself."""
    for module in list(network.modules()):
        if module is not network and isinstance(module, Fusable):
            module.fuse()


@torch.no_grad()
def fold_batch_norm(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> nn.Conv2d:
    """Build the convolution with bias that equals `norm(conv(x))` with the running statistics.

    The result is a copy of `conv` in everything but its numbers; neither argument is changed.
    """
    mean, variance = norm.running_mean, norm.running_var
    if mean is None or variance is None:
        raise ValueError("A batch norm without running statistics cannot be folded into a convolution.")
    gain = (variance.double() + norm.eps).rsqrt()
    if norm.affine:
        gain = gain * norm.weight.double()
    bias = -mean.double() * gain
    if conv.bias is not None:
        bias = bias + conv.bias.double() * gain
    if norm.affine:
        bias = bias + norm.bias.double()

    fused = copy.deepcopy(conv)
    fused.weight = _like(conv.weight, conv.weight.double() * gain.view(-1, 1, 1, 1))
    fused.bias = _like(conv.weight, bias)
    return fused


def _like(original: Tensor, value: Tensor) -> nn.Parameter:
    return nn.Parameter(value.to(original.dtype), requires_grad=original.requires_grad)
