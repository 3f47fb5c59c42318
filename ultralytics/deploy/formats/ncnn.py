"""NCNN: a folder with the graph as text and its weights beside it; metadata are a side file.

Its arrays have no batch axis, so images are answered one after another, whatever the batch.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import warnings
from importlib.metadata import version
from pathlib import Path

import numpy as np

from ultralytics.deploy import base
from ultralytics.deploy.base import ExportJob
from ultralytics.deploy.metadata import ModelMetadata, read_side_file, write_side_file
from ultralytics.errors import ExportError, MissingDependency, ModelError, RuntimeUnavailable

GRAPH, WEIGHTS = "model.ncnn.param", "model.ncnn.bin"
_INPUT, _OUTPUT = "in0", "out0"  # what pnnx calls the first of each


def convert(job: ExportJob) -> ModelMetadata:
    """Trace the network and let pnnx read the trace."""
    import torch

    trace = job.folder / "network.torchscript"
    example = job.example()[:1]
    with torch.no_grad(), warnings.catch_warnings():
        # Torch announces what follows tracing; pnnx reads nothing else.
        warnings.simplefilter("ignore")
        torch.jit.trace(job.network(), example, check_trace=False).save(str(trace))
    job.artefact.mkdir()
    command = [
        str(_converter()),
        trace.name,
        f"inputshape=[{','.join(map(str, example.shape))}]",
        f"fp16={int(job.options.bits == 16)}",
        "device=cpu",
        f"ncnnparam={job.artefact / GRAPH}",
        f"ncnnbin={job.artefact / WEIGHTS}",
        # It writes a runner too, beside the graph unless told; the job's folder is thrown away.
        f"ncnnpy={job.folder / 'network_ncnn.py'}",
    ]
    result = subprocess.run(command, cwd=job.folder, capture_output=True, text=True, errors="replace", check=False)
    if result.returncode or not (job.artefact / WEIGHTS).is_file():
        raise ExportError(f"pnnx failed with {result.returncode}: {(result.stderr or result.stdout)[-2000:]}")
    return job.metadata.with_tools(torch=torch.__version__, pnnx=version("pnnx"))


def _converter() -> Path:
    """Find the program of the package pnnx, whose module is not imported: it wants more than it is needed for."""
    spec = importlib.util.find_spec("pnnx")
    if spec is None or spec.origin is None:
        raise MissingDependency("'pnnx' is needed to convert to NCNN. Install it: pip install pnnx")
    return Path(spec.origin).with_name("pnnx.exe" if sys.platform == "win32" else "pnnx")


def embed(artefact: Path, metadata: ModelMetadata) -> None:
    """Write the metadata into the folder."""
    write_side_file(artefact, metadata)


class Backend(base.Backend):
    """Runs a graph with ncnn on the CPU."""

    def __init__(self, path: Path, *, device: str = "cpu", threads: int = 1) -> None:
        import ncnn

        if device != "cpu":
            raise RuntimeUnavailable(f"NCNN artefacts run on the CPU, not on device={device}. Use device=cpu.")
        self.metadata = read_side_file(path)
        self.network = ncnn.Net()
        options = self.network.opt
        options.use_vulkan_compute = False
        options.num_threads = threads
        if self.metadata.bits == 32:
            # Processors that know half precision would be given it unasked.
            options.use_fp16_packed = options.use_fp16_storage = options.use_fp16_arithmetic = False
            options.use_bf16_storage = False
        graph, weights = path / GRAPH, path / WEIGHTS
        if self.network.load_param(str(graph)) or self.network.load_model(str(weights)):
            raise ModelError(f"ncnn cannot load '{path}': '{GRAPH}' or '{WEIGHTS}' is missing or damaged.")

    def infer(self, images: np.ndarray) -> tuple[np.ndarray, ...]:
        """Run a batch; see the base class."""
        return (np.stack([self._answer(image) for image in images]),)

    def _answer(self, image: np.ndarray) -> np.ndarray:
        import ncnn

        with self.network.create_extractor() as extractor:
            extractor.input(_INPUT, ncnn.Mat(np.ascontiguousarray(image)).clone())
            failed, answer = extractor.extract(_OUTPUT)
            if failed:
                raise ModelError(f"ncnn cannot run this graph: extracting '{_OUTPUT}' answered {failed}.")
            # Copied before the extractor lets go of its memory.
            return np.array(answer, dtype=np.float32)

    def close(self) -> None:
        """Free the network."""
        self.network.clear()
