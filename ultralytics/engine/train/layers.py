"""What training does to layers and to whole batches besides optimizing."""

from __future__ import annotations

import math

import numpy as np
from torch import Tensor, nn
from torch.nn.functional import interpolate

from ultralytics.nn.model import GraphModel


def freeze_layers(model: GraphModel, freeze: int | list[int] | None) -> list[nn.Module]:
    """Stop the gradients of the first `freeze` layers, or of the listed ones; return these layers."""
    if freeze is None:
        return []
    indices = range(freeze) if isinstance(freeze, int) else freeze
    layers = [model.model[index] for index in indices if index < len(model.model)]
    for layer in layers:
        layer.requires_grad_(False)
    return layers


def random_rescale(images: Tensor, spread: float, *, stride: int, key: tuple[int, ...]) -> Tensor:
    """Resize a batch by a random factor of 1 ± `spread`, to multiples of the stride.

    Labels keep their size: the loss resizes logits to them.

    Args:
        images: (B, C, H, W).
        spread: largest change of scale, in [0, 1).
        stride: what both sides must be a multiple of.
        key: what the factor depends on, so that a resumed run draws the same.
    """
    factor = 1 + np.random.default_rng(key).uniform(-1, 1) * spread
    size = [max(math.ceil(side * factor / stride), 1) * stride for side in images.shape[2:]]
    return interpolate(images, size=size, mode="bilinear", align_corners=False)
