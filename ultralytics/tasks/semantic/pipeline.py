"""A whole prediction as one graph: a uint8 image of any size in, a class map of its size out.

The image is read at computed positions instead of being resized and padded, so the network inside has an input of fixed
size, and only the last step depends on the image: gather and lerp, which every runtime has. Pixels are mixed in the
integers of OpenCV's linear resize, so that the network sees what it sees in a prediction, to the last bit.
"""

from __future__ import annotations

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
        """Map an image (1, H, W, C), uint8 RGB, to ids (1, H, W)."""
        source = torch._shape_as_tensor(image)[1:3].to(torch.float64)
        inner = (source * (self.target / source).min()).round().clamp(min=1)
        margin = ((self.target - inner) / 2).floor()
        logits = self.network(self._letterbox(image, source, inner, margin).permute(0, 3, 1, 2).to(torch.float32) / 255)
        for axis in (0, 1):
            stride = self.imgsz[axis] / logits.shape[axis + 2]
            # Rounded where `nn.kernels.interpolation.taps` rounds.
            scale = (inner[axis] / stride).to(torch.float32) / source[axis].to(torch.float32)
            count: Any = source[axis].to(torch.int64)
            centre = torch.arange(count).to(torch.float64) + 0.5
            position = centre * scale.to(torch.float64) + (margin[axis] / stride - 0.5)
            taps = _taps(position, torch._shape_as_tensor(logits)[axis + 2])
            weight = taps.weight.reshape(-1, 1) if axis == 0 else taps.weight
            below, above = logits.index_select(axis + 2, taps.low), logits.index_select(axis + 2, taps.high)
            logits = below * (1 - weight) + above * weight
        return to_ids(logits, self.num_classes, self.threshold)

    def _letterbox(self, image: Tensor, source: Tensor, inner: Tensor, margin: Tensor) -> Tensor:
        """Resize and pad to (1, H, W, C) int32, as `cv2.resize` with INTER_LINEAR does it."""
        taps, inside = [], []
        for axis in (0, 1):
            cell = torch.arange(self.imgsz[axis], dtype=torch.float64) - margin[axis]
            position = (cell + 0.5) * (1 / (inner[axis] / source[axis])) - 0.5
            taps.append(_taps(position, torch._shape_as_tensor(image)[axis + 1]))
            inside.append((cell >= 0) & (cell < inner[axis]))
        rows, columns = taps

        def mixed(row: Tensor) -> Tensor:
            line = image.index_select(1, row)
            share = _integers(columns.weight).reshape(-1, 1), _integers(1 - columns.weight).reshape(-1, 1)
            left, right = line.index_select(2, columns.low), line.index_select(2, columns.high)
            return torch.div(left.int() * share[1] + right.int() * share[0], 16, rounding_mode="trunc")

        upper = mixed(rows.low) * _integers(1 - rows.weight).reshape(-1, 1, 1)
        lower = mixed(rows.high) * _integers(rows.weight).reshape(-1, 1, 1)
        total = torch.div(upper, 1 << 16, rounding_mode="trunc") + torch.div(lower, 1 << 16, rounding_mode="trunc")
        pixels = torch.div(total + 2, 4, rounding_mode="trunc")
        covered = inside[0].reshape(-1, 1, 1) & inside[1].reshape(-1, 1)
        return torch.where(covered, pixels, torch.full_like(pixels, _PAD_VALUE))


def _taps(position: Tensor, size: Tensor) -> _Taps:
    """Find the neighbours of fractional positions on an axis of `size` pixels; beyond the ends the last one repeats."""
    last = (size - 1).to(torch.float32)
    position = torch.minimum(position.to(torch.float32).clamp(min=0), last)
    low = position.floor()
    return _Taps(low.to(torch.int64), torch.minimum(low + 1, last).to(torch.int64), position - low)


def _integers(weight: Tensor) -> Tensor:
    return (weight * _ONE).round().to(torch.int32)
