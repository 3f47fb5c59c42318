"""ONNX: the graph as a file that many runtimes read, run here by ONNX Runtime; metadata are its `metadata_props`.

The exporter that traces is used, not the one that captures: opset 17, which other converters start from, is valid only
with it, and its node names tell the layer of the network.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from ultralytics.deploy import base
from ultralytics.deploy.base import ExportJob
from ultralytics.deploy.formats.protobuf import onnx_metadata, with_onnx_metadata
from ultralytics.deploy.formats.qdq import drop_unused_opsets, quantize, silence_onnxruntime
from ultralytics.deploy.metadata import ModelMetadata
from ultralytics.deploy.script import write_script
from ultralytics.errors import ModelError, RuntimeUnavailable
from ultralytics.utils.files import write_atomic

DEFAULT_OPSET = 17

_LOAD = """\
import os

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # importing the runtime would report to its maker
import onnxruntime

SESSION = onnxruntime.InferenceSession(str(Path(__file__).with_suffix("")))"""
"""Lines of the script beside a pipeline."""


def convert(job: ExportJob) -> ModelMetadata:
    """Trace the network, simplify the graph and, with 8 bits, quantise it on the calibration images."""
    silence_onnxruntime()  # which the simplifier imports
    import onnx
    import torch

    options, opset = job.options, job.options.opset or DEFAULT_OPSET
    with torch.no_grad(), warnings.catch_warnings():
        # The exporter announces its successor, and that shapes are read, which is what keeps them open.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            job.network(half=options.bits == 16),
            (job.example(),),
            str(job.artefact),
            opset_version=opset,
            dynamo=False,
            input_names=["images"],
            output_names=[output.name for output in job.metadata.outputs],
            dynamic_axes=_dynamic_axes(job),
        )
    versions = {"torch": torch.__version__, "onnx": onnx.__version__, "opset": str(opset)}
    if options.simplify and not options.pipeline:
        import onnxslim

        onnx.save(onnxslim.slim(onnx.load(str(job.artefact))), str(job.artefact))
        versions["onnxslim"] = onnxslim.__version__
    if options.bits == 8:
        versions["onnxruntime"] = quantize(job, job.artefact, job.artefact, for_cpus=True)
    drop_unused_opsets(job.artefact)
    onnx.checker.check_model(str(job.artefact))
    write_script(
        job,
        package="onnxruntime",
        load=_LOAD,
        run='SESSION.run(None, {"images": images})[0][0]',
    )
    return job.metadata.with_tools(**versions)


def _dynamic_axes(job: ExportJob) -> dict[str, dict[int, str]] | None:
    if job.options.pipeline:  # one image at a time; what comes out has its size
        sides = {"rows": "height", "columns": "width"}
        outputs = {
            output.name: {position: sides[axis] for position, axis in output.open_axes.items() if axis in sides}
            for output in job.metadata.outputs
        }
        return {"images": {1: "height", 2: "width"}, **outputs}
    if not job.options.dynamic:
        return None
    open_axes = {output.name: output.open_axes for output in job.metadata.outputs}
    return {"images": {0: "batch", 2: "height", 3: "width"}, **open_axes}


def embed(artefact: Path, metadata: ModelMetadata) -> None:
    """Write the metadata into the file, in place of what it says of the same things."""
    write_atomic(artefact, with_onnx_metadata(artefact.read_bytes(), metadata.texts()))


def read_metadata(path: Path) -> ModelMetadata:
    """Read the metadata of a file.

    Raises:
        ModelError: it is no ONNX file, or was made without metadata.
    """
    try:
        entries = onnx_metadata(path.read_bytes())
    except ValueError as error:
        raise ModelError(f"'{path}' is not an ONNX file, or a damaged one: {error}.") from error
    return ModelMetadata.from_dict(entries, where=path)


class Backend(base.Backend):
    """Runs a graph with ONNX Runtime, whose sessions any number of threads may use."""

    concurrent = True

    def __init__(self, path: Path, *, device: str = "cpu", threads: int = 1) -> None:
        silence_onnxruntime()
        import onnxruntime

        self.metadata = read_metadata(path)
        providers: list[Any] = ["CPUExecutionProvider"]
        if device.startswith("cuda"):
            if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
                raise RuntimeUnavailable(
                    f"device={device} needs an ONNX Runtime with CUDA: pip install onnxruntime-gpu (in place of "
                    "onnxruntime), or use device=cpu."
                )
            index = int(device.partition(":")[2] or 0)
            providers.insert(0, ("CUDAExecutionProvider", {"device_id": index}))
        from onnxruntime.capi import onnxruntime_pybind11_state as state

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        try:
            self.session = onnxruntime.InferenceSession(str(path), options, providers=providers)
        except (state.Fail, state.InvalidArgument, state.InvalidGraph, state.InvalidProtobuf) as error:
            raise ModelError(f"ONNX Runtime cannot load '{path}': {error}") from error
        self.input = self.session.get_inputs()[0].name

    def infer(self, images: np.ndarray) -> tuple[np.ndarray, ...]:
        """Run a batch; see the base class."""
        return tuple(self.session.run(None, {self.input: images}))
