"""Core ML: an .mlpackage with an ML program, for Apple's machines; metadata are its `userDefined` texts.

The input is an array, not an image: Core ML's images have 8 bits and no batch. A pipeline takes just that, and has an
image as its input. Only macOS runs it; elsewhere `inspect` reads the specification.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from ultralytics.deploy import base
from ultralytics.deploy.base import ExportJob
from ultralytics.deploy.formats.protobuf import contents, coreml_metadata, with_coreml_metadata
from ultralytics.deploy.metadata import ModelMetadata
from ultralytics.deploy.script import write_script
from ultralytics.errors import ModelError, RuntimeUnavailable
from ultralytics.utils.files import write_atomic
from ultralytics.utils.imports import require

_SPECIFICATION = Path("Data", "com.apple.CoreML", "model.mlmodel")
_INPUT_NAMES, _OUTPUT_NAMES = (2, 1, 1), (2, 10, 1)
"""Paths of fields: Model.description.input.name and Model.description.output.name."""
_OPERATIONS = (502, 2, 2, 3, 2, 3, 1)
"""Model.mlProgram.functions[…].block_specializations[…].operations.type."""

_LARGEST = 64
"""Side of a dynamic input in strides: Core ML has to know a bound."""
_LARGEST_BATCH = 16

_LOAD = """import coremltools

FILE = str(Path(__file__).with_suffix(""))
MODEL = coremltools.models.MLModel(FILE, compute_units=coremltools.ComputeUnit.CPU_ONLY)"""
"""What the script beside a pipeline begins with."""


def convert(job: ExportJob) -> ModelMetadata:
    """Trace and translate the network; 8 bits are those of the weights, while activations have 16."""
    import coremltools
    import torch

    options = job.options
    if options.pipeline:
        from ultralytics.deploy.formats import coreml_pipeline

        traced, given = coreml_pipeline.trace(job), coreml_pipeline.picture_input(job)
        precision = coreml_pipeline.precision(options.bits)
    else:
        with torch.no_grad():
            traced = torch.jit.trace(job.network(), job.example(), check_trace=False)
        given = coremltools.TensorType("images", shape=_shape(job), dtype=np.float32)
        precision = coremltools.precision.FLOAT32 if options.bits == 32 else coremltools.precision.FLOAT16
    model = coremltools.convert(
        traced,
        source="pytorch",
        inputs=[given],
        outputs=[coremltools.TensorType(output.name) for output in job.metadata.outputs],
        convert_to="mlprogram",
        compute_precision=precision,
        minimum_deployment_target=coremltools.target.iOS15,
        skip_model_load=True,
    )
    if options.bits == 8:
        model = _quantize_weights(model, options.keep)
    model.save(str(job.artefact))
    write_script(
        job,
        package="coremltools (macOS only)",
        load=_LOAD,
        run='MODEL.predict({"images": Image.fromarray(images[0])})["output"][0]',
    )
    return job.metadata.with_tools(torch=torch.__version__, coremltools=coremltools.__version__)


def _shape(job: ExportJob) -> tuple[Any, ...]:
    batch, channels, height, width = job.input_shape
    if not job.options.dynamic:
        return (batch, channels, height, width)
    from coremltools import RangeDim

    stride = job.metadata.stride
    sides = (RangeDim(stride, max(_LARGEST * stride, side), default=side) for side in (height, width))
    return (RangeDim(1, max(_LARGEST_BATCH, batch), default=batch), channels, *sides)


def _quantize_weights(model: Any, keep: tuple[str, ...]) -> Any:
    """Round weights to 8 bits per channel; those of the layers to keep stay."""
    from coremltools.optimize import coreml

    names = coreml.get_weights_metadata(model, weight_threshold=0)
    config = coreml.OptimizationConfig(
        global_config=coreml.OpLinearQuantizerConfig(mode="linear_symmetric", granularity="per_channel"),
        op_name_configs=dict.fromkeys(kept_weights(names, keep)),
    )
    return coreml.linear_quantize_weights(model, config)


def kept_weights(names: Iterable[str], layers: tuple[str, ...]) -> list[str]:
    """Find the weights of layers of the network: "network_network_model_2_conv_weight_to_fp16" is of "model.2"."""
    wanted = [re.compile(rf"(^|_){re.escape(layer.replace('.', '_'))}(_|$)") for layer in layers]
    return [name for name in names if any(pattern.search(name) for pattern in wanted)]


def embed(artefact: Path, metadata: ModelMetadata) -> None:
    """Write the metadata into the specification, in place of what it says of the same things."""
    path = artefact / _SPECIFICATION
    write_atomic(path, with_coreml_metadata(path.read_bytes(), metadata.texts()))


def read_metadata(path: Path) -> ModelMetadata:
    """Read the metadata of a package.

    Raises:
        ModelError: it is no package, or was made without metadata.
    """
    try:
        entries = coreml_metadata(_specification(path))
    except ValueError as error:
        raise ModelError(f"The specification in '{path}' is damaged: {error}. Export it again.") from error
    return ModelMetadata.from_dict(entries, where=path)


def inspect(artefact: Path) -> dict[str, Any]:
    """Tell what can be seen without macOS: inputs, outputs, and how often each operator occurs."""
    specification = _specification(artefact)

    def texts(path: tuple[int, ...]) -> list[str]:
        return [bytes(content).decode() for content in contents(specification, path)]

    operators = Counter(texts(_OPERATIONS))
    operators.pop("const", None)
    return {
        "inputs": texts(_INPUT_NAMES),
        "outputs": texts(_OUTPUT_NAMES),
        "operators": dict(sorted(operators.items())),
    }


def _specification(path: Path) -> bytes:
    file = path / _SPECIFICATION
    if not file.is_file():
        raise ModelError(f"'{path}' is not a Core ML package: '{file.relative_to(path)}' is not in it.")
    return file.read_bytes()


class Backend(base.Backend):
    """Runs a package with Core ML: on the CPU alone, or, on any other device, with all that Core ML chooses to use."""

    def __init__(self, path: Path, *, device: str = "cpu", threads: int = 1) -> None:
        self.metadata = read_metadata(path)
        if sys.platform != "darwin":
            raise RuntimeUnavailable(f"'{path.name}' runs on macOS, by Core ML; this is {sys.platform}.")
        coremltools = require("coremltools", why="run Core ML packages")
        units = coremltools.ComputeUnit.CPU_ONLY if device == "cpu" else coremltools.ComputeUnit.ALL
        try:
            self.model: Any = coremltools.models.MLModel(str(path), compute_units=units)
        except RuntimeError as error:
            raise ModelError(f"Core ML cannot load '{path}': {error}") from error

    def infer(self, images: np.ndarray) -> tuple[np.ndarray, ...]:
        """Run a batch; see the base class."""
        given: Any = images
        if self.metadata.pipeline:
            from PIL import Image

            given = Image.fromarray(images[0])
        answers, classes = self.model.predict({"images": given}), len(self.metadata.names)
        return tuple(  # a package has no 8-bit arrays: ids come as int32
            np.ascontiguousarray(answers[output.name], dtype=output.numpy_dtype(classes))
            for output in self.metadata.outputs
        )
