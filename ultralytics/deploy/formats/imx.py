"""Sony IMX500: a network that runs inside the camera, in a folder with the quantised graph that it was packed from.

The compressor trains nothing: it measures the calibration images and writes an ONNX graph whose quantisers are
operators of its own, which run on a CPU too. The vendor's converter, a Java program, packs that graph for the chip,
whose 8 MB hold weights and activations: logits leave it as small as the network makes them.
"""

from __future__ import annotations

import functools
import json
import shutil
import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from ultralytics.deploy import base
from ultralytics.deploy.base import ExportJob
from ultralytics.deploy.metadata import ModelMetadata, read_side_file, write_side_file
from ultralytics.errors import MissingDependency, ModelError, RuntimeUnavailable

SUFFIX = "_imx_model"
PACKED, LABELS, REPORT = "packerOut.zip", "labels.txt", "memory_report.json"
"""Files of the artefact beside its graph: what the camera loads, class names by line, what takes the chip's memory."""

_OPERATORS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)


def convert(job: ExportJob) -> ModelMetadata:
    """Quantise the network on the calibration images and pack it for the camera.

    The chip has 8 bits only: layers that `options.keep` names are quantised as all others are.

    Raises:
        MissingDependency: there is no Java.
    """
    if shutil.which("java") is None:
        raise MissingDependency("The converter for IMX500 is a Java program. Install Java 17, and put it on the PATH.")
    versions = _quantize(job, job.folder / "quantized.onnx")
    _pack(job.folder)
    packed = job.folder / "packed"
    job.artefact.mkdir()
    shutil.copy(job.folder / "quantized.onnx", job.artefact / f"{job.artefact.name.removesuffix(SUFFIX)}.onnx")
    shutil.copy(packed / PACKED, job.artefact)
    for report in packed.glob("*_MemoryReport.json"):
        shutil.copy(report, job.artefact / REPORT)
    labels = "".join(f"{name}\n" for _, name in sorted(job.metadata.names.items()))
    (job.artefact / LABELS).write_text(labels, encoding="utf-8")
    return job.metadata.with_tools(**versions)


def _quantize(job: ExportJob, path: Path) -> dict[str, str]:
    """Write the quantised graph; returns the tools' versions."""
    import torch

    with _torchvision():
        import model_compression_toolkit as mct

        def batches() -> Iterator[list[np.ndarray]]:
            for images in job.calibration_images():
                yield [images]

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            capabilities = mct.get_target_platform_capabilities("pytorch", "imx500", "v1")
            quantized, _ = mct.ptq.pytorch_post_training_quantization(
                job.network(), batches, target_platform_capabilities=capabilities
            )
            with tracing_exporter(torch.onnx):
                mct.exporter.pytorch_export_model(quantized, str(path), batches)
    packages = ("model-compression-toolkit", "imx500-converter")
    return {"torch": torch.__version__, **{name: version(name) for name in packages}}


@contextmanager
def _torchvision() -> Iterator[None]:
    """Make torchvision importable, which the compressor imports for layers that this network has not.

    Where its compiled part does not fit torch (built for CUDA beside a torch without), its operators are declared, so
    that it can say their shapes; they would not run.
    """
    from torch import library

    registered: Any = None
    try:
        import_module("torchvision")
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
        registered = library.Library("torchvision", "DEF")
        for operator in _OPERATORS:
            registered.define(operator)
        import_module("torchvision")
    yield
    del registered  # torch forgets the operators with it


@contextmanager
def tracing_exporter(onnx: Any) -> Iterator[None]:
    """Let `torch.onnx.export` trace: the compressor's arguments are those of the exporter that was the default once."""
    export = onnx.export
    onnx.export = functools.partial(export, dynamo=False)
    try:
        yield
    finally:
        onnx.export = export


def _pack(folder: Path) -> None:
    """Pack "quantized.onnx" of a folder into "packed"; names are relative, as the converter hands them to a shell."""
    script = Path(sys.executable).with_name("imxconv-pt")
    command = [str(script), "-i", "quantized.onnx", "-o", "packed", "--no-input-persistency", "--overwrite-output"]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace", check=False)
    if result.returncode or not (folder / "packed" / PACKED).is_file():
        words = "\n".join((result.stdout + result.stderr).strip().splitlines()[-15:])
        raise RuntimeError(f"imxconv-pt could not pack the network (status {result.returncode}):\n{words}")


def embed(artefact: Path, metadata: ModelMetadata) -> None:
    """Write the metadata into the folder."""
    write_side_file(artefact, metadata)


class Backend(base.Backend):
    """Runs the quantised graph with ONNX Runtime, as the camera would run it; the packed file needs the camera."""

    def __init__(self, path: Path, *, device: str = "cpu", threads: int = 1) -> None:
        if device != "cpu":
            raise RuntimeUnavailable(
                f"device={device}: the quantised graph in '{path}' runs on the CPU only (device=cpu). '{PACKED}' runs "
                "in an IMX500 camera, on a Raspberry Pi with the package imx500-all."
            )
        self.metadata = read_side_file(path)
        graphs = sorted(path.glob("*.onnx"))
        if len(graphs) != 1:
            raise ModelError(f"'{path}' should hold one .onnx file, the quantised graph, and holds {len(graphs)}.")
        import mct_quantizers
        import onnxruntime
        from onnxruntime.capi import onnxruntime_pybind11_state as state

        options = mct_quantizers.get_ort_session_options()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        try:
            self.session = onnxruntime.InferenceSession(str(graphs[0]), options, providers=["CPUExecutionProvider"])
        except (state.Fail, state.InvalidArgument, state.InvalidGraph, state.InvalidProtobuf) as error:
            raise ModelError(f"ONNX Runtime cannot load '{graphs[0]}': {error}") from error
        self.input = self.session.get_inputs()[0].name

    def infer(self, images: np.ndarray) -> tuple[np.ndarray, ...]:
        """Run a batch; see the base class."""
        return tuple(self.session.run(None, {self.input: images}))


def inspect(artefact: Path) -> dict[str, Any]:
    """Tell what the camera would load: bytes of the packed network, and what it takes of the chip's memory."""
    report = artefact / REPORT
    memory = json.loads(report.read_text(encoding="utf-8"))["Memory Report"] if report.is_file() else {}
    names = {"memory": "Memory Usage", "memory_of_chip": "Total Memory Available On Chip", "fits": "Fit In Chip"}
    return {
        "packed_bytes": (artefact / PACKED).stat().st_size,
        **{name: memory[title] for name, title in names.items() if title in memory},
    }
