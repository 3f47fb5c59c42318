"""A whole prediction as one graph: a uint8 image of any size in, a class map of its size out.

The image is read at computed positions instead of being resized and padded, so the network inside has an input of fixed
size, and only the last step depends on the image: gather and lerp, which every runtime has. Pixels are mixed in the
integers of OpenCV's linear resize, so that the network sees what it sees in a prediction, to the last bit. Positions
that choose pixels are quotients of integers: Core ML has no doubles, and takes those that are left for floats.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ultralytics.tasks.semantic.ids import to_ids

_PAD_VALUE = 114
_ONE = 2048
"""OpenCV's weights are integers out of this."""


class _Taps(NamedTuple):
    """Two neighbours along an axis and the share of the second."""

    low: Tensor
    high: Tensor
    weight: Tensor


class PipelineGraph(nn.Module):
    """Letterbox, network, removal of the letterbox and arg-max.

    Args:
        network: float images (1, C, H, W) in [0, 1] to logits (1, classes, H / s, W / s).
        imgsz: (height, width) of its input.
        num_classes: number of classes.
        threshold: logit above which a binary model says foreground.
    """

    target: Tensor

    def __init__(self, network: nn.Module, imgsz: tuple[int, int], num_classes: int, threshold: float) -> None:
        super().__init__()
        self.network = network
        self.imgsz = imgsz
        self.num_classes = num_classes
        self.threshold = threshold
        self.register_buffer("target", torch.tensor(imgsz, dtype=torch.float64))

    def forward(self, image: Tensor) -> Tensor:
        """Map an image (1, H, W, C), uint8 or int32 RGB, to ids (1, H, W)."""
        shape = torch._shape_as_tensor(image)
        source = [shape[1], shape[2]]
        sides = [side.to(torch.float64) for side in source]
        ratio = torch.minimum(self.target[0] / sides[0], self.target[1] / sides[1])
        # Rounded as `LetterboxGeometry.fit` does it; in floats, as in Core ML, one size in 100,000 goes the other way.
        inner = [(side * ratio).round().clamp(min=1).to(torch.int64) for side in sides]
        margin = [_divide(whole - side, 2) for whole, side in zip(self.imgsz, inner, strict=True)]
        logits = self.network(self._letterbox(image, source, inner, margin).permute(0, 3, 1, 2).to(torch.float32) / 255)
        for axis in (0, 1):
            size = torch._shape_as_tensor(logits)[axis + 2]
            stride = self.target[axis] / size.to(torch.float64)
            # Rounded where `nn.kernels.interpolation.taps` rounds.
            scale = (inner[axis] / stride).to(torch.float32) / source[axis].to(torch.float32)
            count: Any = source[axis]
            centre = torch.arange(count).to(torch.float64) + 0.5
            position = (centre * scale.to(torch.float64) + (margin[axis] / stride - 0.5)).to(torch.float32)
            taps = _taps(torch.minimum(position.clamp(min=0), (size - 1).to(torch.float32)), size)
            weight = taps.weight.reshape(-1, 1) if axis == 0 else taps.weight
            below, above = logits.index_select(axis + 2, taps.low), logits.index_select(axis + 2, taps.high)
            logits = below * (1 - weight) + above * weight
        return to_ids(logits, self.num_classes, self.threshold)

    def _letterbox(
        self, image: Tensor, source: Sequence[Tensor], inner: Sequence[Tensor], margin: Sequence[Tensor]
    ) -> Tensor:
        """Resize and pad to (1, H, W, C) int32, as `cv2.resize` with INTER_LINEAR does it."""
        taps, inside = [], []
        for axis in (0, 1):
            cell = torch.arange(self.imgsz[axis]) - margin[axis]
            # (cell + 1/2) * source / inner - 1/2
            position = _quotient((2 * cell + 1) * source[axis] - inner[axis], 2 * inner[axis])
            taps.append(_taps(position, source[axis]))
            inside.append((cell >= 0) & (cell < inner[axis]))
        rows, columns = taps

        def mixed(row: Tensor) -> Tensor:
            line = image.index_select(1, row)
            share = _integers(columns.weight).reshape(-1, 1), _integers(1 - columns.weight).reshape(-1, 1)
            left, right = line.index_select(2, columns.low), line.index_select(2, columns.high)
            return _divide(left.int() * share[1] + right.int() * share[0], 16)

        upper = mixed(rows.low) * _integers(1 - rows.weight).reshape(-1, 1, 1)
        lower = mixed(rows.high) * _integers(rows.weight).reshape(-1, 1, 1)
        pixels = _divide(_divide(upper, 1 << 16) + _divide(lower, 1 << 16) + 2, 4)
        covered = inside[0].reshape(-1, 1, 1) & inside[1].reshape(-1, 1)
        return torch.where(covered, pixels, torch.tensor(_PAD_VALUE, dtype=pixels.dtype))


def _divide(numerator: Tensor, denominator: Tensor | int) -> Tensor:
    return torch.div(numerator, denominator, rounding_mode="trunc")


def _quotient(numerator: Tensor, denominator: Tensor) -> Tensor:
    """Divide integers to float32 as if rounded once: whole part, 2048ths and the rest of those are exact by themselves.

    It is what OpenCV gets with doubles, as long as the denominator is at most 2 * 4096.
    """
    whole = _divide(numerator, denominator)
    rest = (numerator - whole * denominator) * _ONE
    parts = _divide(rest, denominator)
    rest = rest - parts * denominator
    exact = whole.to(torch.float32) + parts.to(torch.float32) / _ONE
    return exact + rest.to(torch.float32) / denominator.to(torch.float32) / _ONE


def _taps(position: Tensor, size: Tensor) -> _Taps:
    """Find the neighbours of fractional positions on an axis of `size` pixels; beyond the ends the last one repeats."""
    last = (size - 1).to(torch.float32)
    low = position.floor()
    below, above = (torch.minimum(index.clamp(min=0), last).to(torch.int64) for index in (low, low + 1))
    return _Taps(below, above, position - low)


def _integers(weight: Tensor) -> Tensor:
    return (weight * _ONE).round().to(torch.int32)
