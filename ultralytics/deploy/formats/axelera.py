"""Axelera: a folder with the network compiled for the vendor's Metis cards, and what is computed around it on the host.

The card computes in int8 and channels last, on tensors padded to what its memory wants; the runtime leaves all of that
to the caller. Operators it lacks lie beside the compiled network as ONNX graphs, to be run before and after it.
Written after the documentation of the Voyager SDK; no machine has run it.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from ultralytics.deploy import base
from ultralytics.deploy.base import ExportJob
from ultralytics.deploy.metadata import ModelMetadata, read_side_file, write_side_file
from ultralytics.errors import MissingDependency, ModelError, RuntimeUnavailable
from ultralytics.utils.imports import require

MODEL = "model.json"
INDEX = "https://software.axelera.ai/artifactory/api/pypi/axelera-pypi/simple"


def convert(job: ExportJob) -> ModelMetadata:
    """Quantise the ONNX graph on the calibration images and compile it.

    Raises:
        MissingDependency: the SDK is not here.
    """
    compiler = _require("axelera.compiler", "axelera-devkit")
    # A batch is spread over the cores of a card; one core computes one image.
    config = compiler.CompilerConfig()
    config.aipu_cores_used = job.options.batch
    if job.options.batch > 1:
        config.multicore_mode = "batch"
    quantized = compiler.quantize(model=str(job.source), calibration_dataset=job.calibration_images(), config=config)
    compiled = job.folder / "compiled"
    compiler.compile(model=quantized, config=config, output_dir=compiled)
    shutil.copytree(model_file(compiled).parent, job.artefact)
    return job.metadata.with_tools(**{"axelera-compiler": str(getattr(compiler, "__version__", "unknown"))})


def embed(artefact: Path, metadata: ModelMetadata) -> None:
    """Write the metadata into the folder."""
    write_side_file(artefact, metadata)


class Backend(base.Backend):
    """Runs the network on as many cores of a card as it takes images."""

    def __init__(self, path: Path, *, device: str = "cpu", threads: int = 1) -> None:
        self.metadata = read_side_file(path)
        model = model_file(path)
        try:
            runtime = _require("axelera.runtime", "axelera-rt")
        except MissingDependency as error:
            raise RuntimeUnavailable(
                f"'{path.name}' runs on an Axelera Metis card, with its driver. {error}"
            ) from error
        with ExitStack() as undo:
            self.context = runtime.Context()
            undo.callback(self.context.release)
            self._load(runtime, model, threads)
            undo.pop_all()

    def _load(self, runtime: Any, model: Path, threads: int) -> None:
        """Load the network onto the card."""
        if not self.context.list_devices():
            raise RuntimeUnavailable(
                f"'{model.parent}' runs on an Axelera Metis card, and the runtime finds none. 'axdevice' lists them."
            )
        network = self.context.load_model(str(model))
        self.inputs, self.outputs = list(network.inputs()), list(network.outputs())
        cores = self.inputs[0].shape[0]
        try:
            connection = self.context.device_connect(None, num_sub_devices=cores)
            self.instance = connection.load_model_instance(network, num_sub_devices=cores, aipu_cores=cores)
        except (runtime.ConnectionError, runtime.DeviceInUse, runtime.IncompatibleDevice) as error:
            raise RuntimeUnavailable(f"The Metis card cannot run '{model.parent}': {error}") from error
        self.before = _session(model.parent, network.preamble_graph, threads)
        self.after = _session(model.parent, network.postamble_graph, threads)

    def infer(self, images: np.ndarray) -> tuple[np.ndarray, ...]:
        """Run a batch; see the base class."""
        given = _run(self.before, [images])
        inputs = [to_card(values, info) for values, info in zip(given, self.inputs, strict=True)]
        answers = [np.zeros(info.shape, info.dtype) for info in self.outputs]
        self.instance.run(inputs, answers)
        return tuple(
            _run(self.after, [from_card(values, info) for values, info in zip(answers, self.outputs, strict=True)])
        )

    def close(self) -> None:
        """Let go of the card."""
        self.context.release()


def to_card(values: np.ndarray, info: Any) -> np.ndarray:
    """Turn float32 (B, C, H, W) into the int8 (B, H, W, C + padding) that a tensor of the card holds.

    Args:
        values: what the network takes.
        info: the runtime's description of the tensor: `scale`, `zero_point`, and `padding`, a pair for each axis.
    """
    pixels = values.transpose(0, 2, 3, 1)
    quantized = np.rint(pixels / info.scale + info.zero_point).clip(-128, 127).astype(np.int8)
    return np.ascontiguousarray(np.pad(quantized, info.padding, constant_values=info.zero_point))


def from_card(values: np.ndarray, info: Any) -> np.ndarray:
    """Turn a tensor of the card, int8 (B, H, W, C + padding), into float32 (B, C, H, W); see `to_card`."""
    inside = tuple(
        slice(before, size - after) for size, (before, after) in zip(values.shape, info.padding, strict=True)
    )
    floats = (values[inside].astype(np.float32) - np.float32(info.zero_point)) * np.float32(info.scale)
    return np.ascontiguousarray(floats.transpose(0, 3, 1, 2))


def model_file(folder: Path) -> Path:
    """Find the description of the compiled network.

    Raises:
        ModelError: there is none, or more than one.
    """
    files = sorted(folder.rglob(MODEL))
    if len(files) != 1:
        raise ModelError(f"'{folder}' should hold one {MODEL}, of the compiled network, and holds {len(files)}.")
    return files[0]


def inspect(artefact: Path) -> dict[str, Any]:
    """Tell what can be seen without a card: sizes of the files, and which parts the host has to compute."""
    files = {path.relative_to(artefact).as_posix(): path.stat().st_size for path in sorted(artefact.rglob("*.*"))}
    return {
        "files": files,
        "on_host": [name for name in files if name.endswith(".onnx")],
        "model": model_file(artefact).name,
    }


def _require(name: str, package: str) -> ModuleType:
    try:
        return require(name)
    except MissingDependency as error:
        raise MissingDependency(
            f"'{name}' of the Voyager SDK is needed, which only Axelera's own index holds: "
            f"pip install {package} --extra-index-url {INDEX}"
        ) from error


def _session(folder: Path, graph: str, threads: int) -> Any:
    """Load a graph that the host computes; None if there is none."""
    if not graph:
        return None
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(str(folder / graph), options, providers=["CPUExecutionProvider"])


def _run(session: Any, values: Sequence[np.ndarray]) -> Sequence[np.ndarray]:
    """Run a graph of the host; what comes in where there is none."""
    if session is None:
        return values
    names = [entry.name for entry in session.get_inputs()]
    answers: Sequence[np.ndarray] = session.run(None, dict(zip(names, values, strict=True)))
    return answers
