"""What a whole prediction needs to become a Core ML program: a picture as input, whole numbers that stay whole.

Used where packages are converted: it needs torch and coremltools.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ultralytics.deploy.base import ExportJob
from ultralytics.errors import ConfigError

_LARGEST = 8192
"""Side of the largest picture: Core ML has to know a bound."""


class PictureGraph(nn.Module):
    """A pipeline behind a picture as Core ML hands it over: (1, 3, H, W), floats in 0..255."""

    def __init__(self, pipeline: nn.Module) -> None:
        super().__init__()
        self.pipeline = pipeline

    def forward(self, pixels: Tensor) -> Tensor:
        """Map a picture to ids (1, H, W)."""
        ids: Tensor = self.pipeline(pixels.permute(0, 2, 3, 1).to(torch.int32))
        return ids


def trace(job: ExportJob) -> Any:
    """Trace the pipeline; sizes stay open, as the graph reads them from its input.

    Raises:
        ConfigError: the model takes other images than pictures.
    """
    if job.metadata.channels != 3:
        raise ConfigError(
            f"Core ML's pictures have 3 channels, this model takes {job.metadata.channels}. Leave pipeline= out."
        )
    _keep_integers()
    with torch.no_grad():
        pixels = job.example().permute(0, 3, 1, 2).float()
        return torch.jit.trace(PictureGraph(job.network()).eval(), pixels, check_trace=False)


def picture_input(job: ExportJob) -> Any:
    """Describe the input: an RGB picture of any size."""
    from coremltools import ImageType, RangeDim, colorlayout

    sides = (RangeDim(1, _LARGEST, default=side) for side in job.options.imgsz)
    return ImageType("images", shape=(1, 3, *sides), color_layout=colorlayout.RGB)


def precision(bits: int) -> Any:
    """Choose the precision of each operation: positions and pixels stay single whatever the network computes in."""
    import coremltools

    if bits == 32:
        return coremltools.precision.FLOAT32
    return coremltools.transform.FP16ComputePrecision(op_selector=_is_of_network)


def _is_of_network(operation: Any) -> bool:
    """Tell whether an operation lies in `pipeline.network`; the last part of the path is its own name."""
    from coremltools.converters.mil.mil.scope import ScopeSource

    path = operation.scopes[ScopeSource.TORCHSCRIPT_MODULE_NAME]
    return len(path) > 2 and path[:2] == ["pipeline", "network"]


def _keep_integers() -> None:
    """Let coremltools divide integers, towards zero, as integers.

    Version 9.0 divides them as floats, which have 24 bits; products of pixels and weights have 26.
    """
    from coremltools.converters.mil import Builder, register_torch_op
    from coremltools.converters.mil.frontend.torch import ops
    from coremltools.converters.mil.mil import types

    def div(context: Any, node: Any) -> None:  # its name is the operator's
        inputs = [context[name] for name in node.inputs]
        x, y = inputs[:2]
        mode = inputs[2].val if len(inputs) > 2 and inputs[2] is not None else None
        if mode != "trunc" or not (types.is_int(x.dtype) and types.is_int(y.dtype)):
            ops.div(context, node)
            return
        size = Builder.floor_div(x=Builder.abs(x=x), y=Builder.abs(x=y))
        sign = Builder.mul(x=Builder.sign(x=x), y=Builder.sign(x=y))
        context.add(Builder.mul(x=size, y=sign, name=node.name))

    register_torch_op(div, override=True)
