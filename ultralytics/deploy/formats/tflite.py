"""LiteRT, known as TensorFlow Lite: one file for phones and small boards, made from the network itself.

It takes and returns images channels last, as files of this kind do; a quantised one takes whole numbers.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ultralytics.deploy import base
from ultralytics.deploy.base import ExportJob
from ultralytics.deploy.formats import litert
from ultralytics.deploy.metadata import ModelMetadata
from ultralytics.errors import ModelError, RuntimeUnavailable
from ultralytics.utils.imports import require

_SIGNATURE, _INPUT = "serving_default", "args_0"
"""Names that the converter gives."""

_TAIL = r"(^serving_default_output_[^;]*|_wrapped;\d*);?$"
"""Outputs of the operators outside the network, as the converter names them: what follows the logits."""


def convert(job: ExportJob) -> ModelMetadata:
    """Convert the network, then its weights (16 bits) or its weights and activations (8 bits)."""
    import litert_torch
    import torch

    made = job.folder / "float.tflite"
    with_channels = [index for index, output in enumerate(job.metadata.outputs) if len(output.axes) == 4]
    network = litert_torch.to_channel_last_io(job.network(), args=[0], outputs=with_channels)
    with torch.no_grad():
        litert_torch.convert(network, (job.example().permute(0, 2, 3, 1).contiguous(),)).export(str(made))
    versions = {"torch": torch.__version__, "litert-torch": litert_torch.__version__}
    if job.options.bits == 32:
        made.rename(job.artefact)
    else:
        versions["ai-edge-quantizer"] = _quantize(job, made)
    metadata = job.metadata.with_tools(**versions)
    return metadata if job.options.bits != 16 else replace(metadata, precision="float32")  # only weights are halved


def _quantize(job: ExportJob, made: Path) -> str:
    """Write the artefact with fewer bits; returns the tool's version."""
    from importlib.metadata import version

    from ai_edge_quantizer import quantizer

    tool = quantizer.Quantizer(str(made))
    statistics = None
    if job.options.bits == 16:
        _halve(tool)
    else:
        _plan(tool, job.options.keep)
        statistics = tool.calibrate(
            {_SIGNATURE: [{_INPUT: images.transpose(0, 2, 3, 1)} for images in job.calibration_images()]}
        )
    tool.quantize(statistics).export_model(str(job.artefact))
    return version("ai-edge-quantizer")


def _halve(tool: Any) -> None:
    """Keep weights in half precision; computing stays single."""
    from ai_edge_quantizer.algorithm_manager import AlgorithmName
    from ai_edge_quantizer.qtyping import TFLOperationName

    everything = TFLOperationName.ALL_SUPPORTED
    tool.add_weight_only_config(".*", everything, num_bits=16, algorithm_key=AlgorithmName.FLOAT_CASTING)


def _plan(tool: Any, keep: tuple[str, ...]) -> None:
    """Say what becomes whole numbers: all but the layers to keep and, as ids hang on small differences, the tail."""
    from ai_edge_quantizer.algorithm_manager import AlgorithmName
    from ai_edge_quantizer.qtyping import TFLOperationName as Operation

    tool.add_static_config(".*", Operation.ALL_SUPPORTED, 8, 8)
    tool.update_quantization_recipe(_TAIL, Operation.ALL_SUPPORTED, algorithm_key=AlgorithmName.NO_QUANTIZE)
    for operation in (Operation.CONV_2D, Operation.OUTPUT):  # of a graph that ends with the network's last layer
        tool.add_static_config(_TAIL, operation, 8, 8)
    for layer in keep:
        tool.update_quantization_recipe(scope(layer), Operation.ALL_SUPPORTED, algorithm_key=AlgorithmName.NO_QUANTIZE)


def scope(layer: str) -> str:
    """Make the regular expression of the names that the converter gives to what a layer computes.

    "model.17.classifier" is "…_network/….SemanticSegment_17/….Sequential_classifier/…".
    """
    parts = layer.removeprefix("model.").split(".")
    return "_network/" + "/".join(rf"[^/;]*_{re.escape(part)}" for part in parts) + "[/;]"


def embed(artefact: Path, metadata: ModelMetadata) -> None:
    """Write the metadata to the end of the file."""
    litert.write_metadata(artefact, metadata)


class Backend(base.Backend):
    """Runs a file with LiteRT on the CPU."""

    def __init__(self, path: Path, *, device: str = "cpu", threads: int = 1) -> None:
        if device != "cpu":
            raise RuntimeUnavailable(f"device={device}: LiteRT runs '{path.name}' on the CPU here. Use device=cpu.")
        self.metadata = litert.read_metadata(path)
        require("ai_edge_litert", why="run LiteRT files")
        from ai_edge_litert.interpreter import Interpreter

        try:
            interpreter = Interpreter(str(path), num_threads=threads)
            interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            raise ModelError(f"LiteRT cannot load '{path}': {error}") from error
        self.runner = litert.Runner(interpreter)

    def infer(self, images: np.ndarray) -> tuple[np.ndarray, ...]:
        """Run a batch; see the base class."""
        return (self.runner(images),)
