"""Bilinear resizing along one axis: which two source pixels an output pixel mixes, and how.

The positions are those of `torch.nn.functional.interpolate(mode="bilinear", align_corners=False)`, rounding included,
so that what is built on them can be compared with it pixel by pixel.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Taps:
    """The two source pixels of each output pixel along one axis: value = (1 - weight) * [low] + weight * [high].

    Attributes:
        low: (n,) int64, never decreasing.
        high: (n,) int64, the next pixel, or `low` itself at the far edge.
        weight: (n,) float32 in [0, 1].
    """

    low: Tensor
    high: Tensor
    weight: Tensor

    def __len__(self) -> int:
        return len(self.low)

    def __getitem__(self, index: slice | Tensor) -> Taps:
        return Taps(self.low[index], self.high[index], self.weight[index])

    def to(self, device: torch.device) -> Taps:
        """Move to a device."""
        return Taps(self.low.to(device), self.high.to(device), self.weight.to(device))

    def shift(self, offset: int) -> Taps:
        """Count source pixels from elsewhere."""
        return Taps(self.low + offset, self.high + offset, self.weight)

    def span(self) -> slice:
        """Return the range of source pixels these taps touch."""
        return slice(int(self.low[0]), int(self.high[-1]) + 1)


def taps(
    size: int, source_size: int, *, start: float = 0.0, length: float | None = None, device: torch.device | None = None
) -> Taps:
    """Compute the taps of `size` output pixels that cover [start, start + length) of a source axis.

    Args:
        size: number of output pixels.
        source_size: number of source pixels.
        start: where the output begins, in source pixels; may lie outside, where the edge pixel repeats.
        length: how much of the source it covers; None for all of it.
        device: where to put the result.
    """
    # float32 scale, one rounding at the end: a fused multiply-add, which is what the compiled kernels of torch do.
    scale = torch.tensor(source_size if length is None else length, dtype=torch.float32) / size
    centre = torch.arange(size, dtype=torch.float64) + 0.5
    position = (centre * scale.double() + (start - 0.5)).float().clamp_(0, source_size - 1)
    low = position.long()
    weight = position - low
    # An axis that keeps its size is copied, as torch does; 0 * NaN from the next pixel would spoil it.
    copied = size == source_size and not weight.any()
    high = low if copied else (low + 1).clamp_(max=source_size - 1)
    return Taps(low.to(device), high.to(device), weight.to(device))


def matrix(axis: Taps, source: slice) -> Tensor:
    """Write taps as a matrix (output, source pixels of the slice): it resizes, its transpose folds gradients back."""
    result = axis.weight.new_zeros(len(axis), source.stop - source.start)
    row = torch.arange(len(axis), device=result.device)
    result[row, axis.low - source.start] = 1 - axis.weight
    # Added, not assigned: at the far edge both taps are the same pixel.
    result[row, axis.high - source.start] += axis.weight
    return result
