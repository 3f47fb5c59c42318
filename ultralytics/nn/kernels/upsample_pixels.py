"""Upsampled logits at some labelled pixels, for statistics that need no more than a sample."""

from __future__ import annotations

import torch
from torch import Tensor

from ultralytics.nn.kernels.interpolation import taps


@torch.no_grad()
def sample_pixels(
    logits: Tensor, mask: Tensor, count: int, generator: torch.Generator, *, ignore_index: int = 255
) -> tuple[Tensor, Tensor]:
    """Draw labelled pixels and bilinearly interpolate the logits there.

    Args:
        logits: (B, C, h, w) floating point.
        mask: (B, H, W) class ids on the same device.
        count: how many pixels to draw; fewer come back where fewer are labelled.
        generator: source of the random numbers, on the CPU.
        ignore_index: id of the pixels that are not drawn.

    Returns:
        (N, C) float32 logits and (N,) int64 labels.
    """
    labelled = torch.nonzero(mask != ignore_index)
    drawn = torch.randperm(len(labelled), generator=generator)[:count].to(labelled.device)
    image, y, x = labelled[drawn].T
    rows = taps(mask.shape[1], logits.shape[2], device=logits.device)[y]
    columns = taps(mask.shape[2], logits.shape[3], device=logits.device)[x]

    def across(row: Tensor) -> Tensor:
        left, right = (logits[image, :, row, column].float() for column in (columns.low, columns.high))
        return torch.lerp(left, right, columns.weight[:, None])

    return torch.lerp(across(rows.low), across(rows.high), rows.weight[:, None]), mask[image, y, x].long()
