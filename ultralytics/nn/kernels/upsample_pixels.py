"""Upsampled logits at some pixels, for statistics that need no more than a sample."""

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
    return logits_at(logits, (image, y, x), (mask.shape[1], mask.shape[2])), mask[image, y, x].long()


@torch.no_grad()
def logits_at(
    logits: Tensor,
    pixels: tuple[Tensor, Tensor, Tensor],
    size: tuple[int, int],
    *,
    region: tuple[float, float, float, float] | None = None,
) -> Tensor:
    """Interpolate logits bilinearly at single pixels of a map.

    Args:
        logits: (B, C, h, w) floating point.
        pixels: image, row and column of each, (N,) int64 on the same device.
        size: (height, width) of the map.
        region: the part of the logits that the map shows, as in `class_map`; None for all.

    Returns:
        (N, C) float32.
    """
    top, left, height, width = (0.0, 0.0, *logits.shape[2:]) if region is None else region
    image, y, x = pixels
    rows = taps(size[0], logits.shape[2], start=top, length=height, device=logits.device)[y]
    columns = taps(size[1], logits.shape[3], start=left, length=width, device=logits.device)[x]

    def across(row: Tensor) -> Tensor:
        near, far = (logits[image, :, row, column].float() for column in (columns.low, columns.high))
        return torch.lerp(near, far, columns.weight[:, None])

    return torch.lerp(across(rows.low), across(rows.high), rows.weight[:, None])
