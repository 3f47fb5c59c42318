"""One callable for everything that runs a model; now a network in this process, artefacts of other formats later."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ultralytics.nn.model import GraphModel


class AutoBackend(nn.Module):
    """A model ready to run: eval mode, convolutions and batch norms fused, on its device.

    Args:
        model: network; it is copied, so the caller's stays trainable.
        device: where to run.
        fuse: whether to fold batch norms into convolutions.
        palette: (R, G, B) of each class.
        calibration: figures fitted on the validation split, as a checkpoint holds them.

    Attributes:
        names: class names by id.
        stride: what both sides of an input must be a multiple of.
        channels: image channels it takes.
        palette: colours of the classes, None for the default ones.
        calibration: figures such as temperature and threshold; empty where none were fitted.
        dynamic: whether it takes inputs of any size.
    """

    dynamic = True

    def __init__(
        self,
        model: GraphModel,
        device: torch.device,
        *,
        fuse: bool = True,
        palette: Sequence[Sequence[int]] | None = None,
        calibration: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.palette = palette
        self.calibration = dict(calibration or {})
        self.device = device
        self.names = dict(model.names)
        self.num_classes = model.nc
        self.stride = int(model.stride.max())
        self.channels = model.ch
        network = copy.deepcopy(model).float().eval().requires_grad_(False)
        if fuse and not network.is_fused:
            network.fuse()
        self.network = network.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Run a batch of float images (B, C, H, W) in [0, 1]."""
        return self.network(images.contiguous(memory_format=torch.channels_last))
