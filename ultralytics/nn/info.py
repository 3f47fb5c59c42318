"""What a network is made of and what it costs: layers, parameters, operations, and the table of its layers.

The counting rule for operations, chosen so that figures compare with published ones: a multiplication and an addition
are one operation each; convolutions and matrix products count 2 per multiply-accumulate, their biases nothing; a batch
norm that is not folded away counts 8 per element; everything else (activations, pooling, additions, resizing, softmax)
counts nothing. One image is run in evaluation mode, so a head's training-only branches do not count.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import chain
from math import ceil
from pathlib import PurePath
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.utils.flop_counter import FlopCounterMode

from ultralytics.nn.model import GraphModel
from ultralytics.utils.tables import text_table

_BATCH_NORM_OPERATIONS = 8


class ModelInfo(NamedTuple):
    """The size of a network.

    Attributes:
        layers: modules that hold no other modules, each object once (the activation that layers share is one).
        parameters: numbers in all parameters.
        gradients: numbers in those that are trained.
        gflops: 10⁹ operations for one image.
    """

    layers: int
    parameters: int
    gradients: int
    gflops: float


def model_info(model: GraphModel, imgsz: int | tuple[int, int] = 640) -> ModelInfo:
    """Measure a network.

    Args:
        model: the network.
        imgsz: image side, or (height, width), in pixels; rounded up to the model's stride.
    """
    return ModelInfo(
        layers=sum(not any(module.children()) for module in model.modules()),
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        gradients=sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad),
        gflops=count_operations(model, imgsz) / 1e9,
    )


def count_operations(model: GraphModel, imgsz: int | tuple[int, int] = 640) -> int:
    """Count the operations of one forward pass by the rule of this module; nothing is computed.

    Args:
        model: the network; it is left as it is.
        imgsz: image side, or (height, width), in pixels; rounded up to the model's stride.
    """
    stride = int(model.stride.max())
    sides = imgsz if isinstance(imgsz, tuple) else (imgsz, imgsz)
    height, width = (ceil(side / stride) * stride for side in sides)
    normalised = 0

    def note(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
        nonlocal normalised
        normalised += output.numel()

    # Tensors on the meta device have shapes but no data, so any size costs the same few milliseconds.
    state = {name: tensor.to("meta") for name, tensor in chain(model.named_parameters(), model.named_buffers())}
    image = torch.empty(1, model.ch, height, width, device="meta", dtype=next(model.parameters()).dtype)
    with ExitStack() as stack:
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                stack.callback(module.register_forward_hook(note).remove)
        stack.enter_context(_evaluating(model))
        stack.enter_context(torch.no_grad())
        counter = stack.enter_context(FlopCounterMode(display=False))
        functional_call(model, state, (image,))
    return int(counter.get_total_flops()) + _BATCH_NORM_OPERATIONS * normalised


def summary(model: GraphModel, info: ModelInfo) -> str:
    """Say in a line what a network is."""
    name = PurePath(str(model.yaml.get("yaml_file", type(model).__name__))).stem
    name = f"YOLO{name[4:]}" if name.startswith("yolo") else name
    return (
        f"{name} summary{' (fused)' if model.is_fused else ''}: {info.layers:,} layers, "
        f"{info.parameters:,} parameters, {info.gradients:,} gradients, {info.gflops:.1f} GFLOPs"
    )


def layer_table(model: GraphModel) -> str:
    """Write one line for each layer: where its input comes from, its size, its output, its arguments."""
    rows = [
        {
            "": str(spec.index),
            "from": str(list(spec.origin) if isinstance(spec.origin, tuple) else spec.origin),
            "n": str(spec.copies),
            "parameters": f"{sum(parameter.numel() for parameter in layer.parameters()):,}",
            "channels": str(spec.out_channels),
            "stride": f"{spec.stride:g}",
            "module": spec.module,
            "arguments": str(list(spec.args)),
        }
        for spec, layer in zip(model.specs, model.model, strict=True)
    ]
    return text_table(rows, right=("", "from", "n", "parameters", "channels", "stride"))


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """Put a network in evaluation mode and give every module its own mode back afterwards."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
