"""Qualcomm QNN: an ONNX file around a program for one chip's HTP, made and run by ONNX Runtime with Qualcomm's plugin.

The program is embedded, so the artefact is one file. On x86 the plugin emulates the HTP: slow, seconds an image and, in
half precision at the input's size, a minute. What the plugin cannot take it leaves to the CPU without a word; here that
is an error.
"""

from __future__ import annotations

import platform
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from ultralytics.deploy import base
from ultralytics.deploy.base import ExportJob
from ultralytics.deploy.formats.protobuf import contents, onnx_metadata, with_onnx_metadata
from ultralytics.deploy.formats.qdq import quantize
from ultralytics.deploy.metadata import ModelMetadata
from ultralytics.errors import ConfigError, ExportError, ModelError, RuntimeUnavailable, unknown_name
from ultralytics.utils.files import write_atomic
from ultralytics.utils.imports import require

DEFAULT_TARGET = "sm8650"
TARGETS = {
    "sm8550": ("73", "43"),
    "sm8650": ("75", "57"),
    "sm8750": ("79", "69"),
}
"""HTP architecture and number of each chip, Snapdragon 8 Gen 2, 8 Gen 3 and 8 Elite, as Qualcomm's SDK has them."""

_PROVIDER = "QNNExecutionProvider"
_OPERATORS = (7, 1, 4)
"""Path of fields: ModelProto.graph.node.op_type."""
_PROGRAM = "EPContext"
_OUTSIDE = {"QuantizeLinear", "DequantizeLinear"}
"""Operators that may stay around the program: they make floats of its integers."""


def convert(job: ExportJob) -> ModelMetadata:
    """Quantise the graph, with 8 bits, and compile it for the chip.

    Raises:
        ConfigError: the chip is not known.
        ExportError: a part of the graph would run on the CPU.
    """
    import onnxruntime
    import onnxruntime_qnn

    target, source = target_of(job.options.target), Path(str(job.source))
    if job.options.bits == 8:
        quantized = job.folder / "quantized.onnx"
        quantize(job, source, quantized, operators=())  # the chip has integers for all, and wants no changes between
        source = quantized
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.add_session_config_entry("ep.context_enable", "1")
    options.add_session_config_entry("ep.context_file_path", str(job.artefact))
    options.add_session_config_entry("ep.context_embed_mode", "1")
    _add_provider(options, target)
    onnxruntime.InferenceSession(str(source), options)
    check_operators(job.artefact)
    versions = {"onnxruntime": onnxruntime.__version__, "onnxruntime-qnn": onnxruntime_qnn.__version__}
    return job.metadata.with_tools(**versions, target=target)


def target_of(name: str) -> str:
    """Check the name of a chip, in any spelling of case; empty for the usual one."""
    target = name.lower() or DEFAULT_TARGET
    if target not in TARGETS:
        raise ConfigError(f"{unknown_name('chip', name, TARGETS)} QNN is compiled for one chip: name={DEFAULT_TARGET}.")
    return target


def check_operators(artefact: Path) -> None:
    """Make sure that the chip computes everything.

    Raises:
        ExportError: the message names the operators that it does not.
    """
    operators = _operators(artefact.read_bytes()) if artefact.is_file() else Counter()
    left = sorted(set(operators) - _OUTSIDE - {_PROGRAM})
    if left or not operators[_PROGRAM]:
        raise ExportError(
            f"QNN leaves {', '.join(left) or 'the whole graph'} to the CPU. Try an output that "
            "leaves more to the host (output=), or another precision."
        )


def embed(artefact: Path, metadata: ModelMetadata) -> None:
    """Write the metadata into the file, in place of what it says of the same things."""
    write_atomic(artefact, with_onnx_metadata(artefact.read_bytes(), metadata.texts()))


def inspect(artefact: Path) -> dict[str, Any]:
    """Tell what can be seen without the plugin: how often each operator occurs; programs are `EPContext`."""
    return {"operators": dict(_operators(artefact.read_bytes()))}


def _operators(model: bytes) -> Counter[str]:
    return Counter(bytes(name).decode() for name in contents(model, _OPERATORS))


class Backend(base.Backend):
    """Runs the program on the HTP of this machine, or on x86 in its emulator."""

    def __init__(self, path: Path, *, device: str = "cpu", threads: int = 1) -> None:
        try:
            model = path.read_bytes()
            self.metadata = ModelMetadata.from_dict(onnx_metadata(model), where=path)
            if not _operators(model)[_PROGRAM]:
                raise ModelError(f"'{path}' holds no program for an HTP. Export it again.")
        except ValueError as error:
            raise error if isinstance(error, ModelError) else ModelError(f"'{path}' is damaged: {error}.") from error
        onnxruntime = require("onnxruntime", why="run QNN artefacts")
        from onnxruntime.capi import onnxruntime_pybind11_state as state

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = threads
        _add_provider(options, self.metadata.tools.get("target", DEFAULT_TARGET))
        try:
            self.session = onnxruntime.InferenceSession(str(path), options)
        except (state.Fail, state.InvalidArgument, state.InvalidGraph, state.NotImplemented) as error:
            raise RuntimeUnavailable(
                f"The HTP of this machine does not take '{path.name}', which is for the chip "
                f"{self.metadata.tools.get('target', 'unknown')}: {error}"
            ) from error
        self.input = self.session.get_inputs()[0].name

    def infer(self, images: np.ndarray) -> tuple[np.ndarray, ...]:
        """Run a batch; see the base class."""
        return tuple(self.session.run(None, {self.input: images}))


def _add_provider(options: Any, target: str) -> None:
    """Let a session use the plugin, for a chip; the emulator has to be told which."""
    onnxruntime, plugin = require("onnxruntime"), require("onnxruntime_qnn", why="make or run QNN artefacts")
    if not _devices(onnxruntime):
        onnxruntime.register_execution_provider_library(_PROVIDER, plugin.get_library_path())
    devices = _devices(onnxruntime)
    if not devices:
        raise RuntimeUnavailable(
            "Qualcomm's plugin finds neither an HTP nor its emulator; the latter is for Linux, x86-64."
        )
    settings = {"backend_path": plugin.get_qnn_htp_path(), "enable_htp_fp16_precision": "1"}
    if platform.machine().lower() in {"x86_64", "amd64"}:
        settings["htp_arch"], settings["soc_model"] = TARGETS.get(target, TARGETS[DEFAULT_TARGET])
    options.add_provider_for_devices(devices[:1], settings)


def _devices(onnxruntime: Any) -> list[Any]:
    return [device for device in onnxruntime.get_ep_devices() if device.ep_name == _PROVIDER]
