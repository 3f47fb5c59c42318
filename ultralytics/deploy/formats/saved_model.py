"""TensorFlow SavedModel: a folder of graph and weights, made from ONNX by onnx2tf; images are channels last in it.

Grouped convolutions are written as several plain ones: TensorFlow.js has no others, and the sums stay the same.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from ultralytics.deploy import base
from ultralytics.deploy.base import ExportJob
from ultralytics.deploy.formats.tensorflow_function import call, start_tensorflow
from ultralytics.deploy.metadata import ModelMetadata, read_side_file, write_side_file
from ultralytics.errors import ModelError

_SIGNATURE = "serving_default"
_SAMPLES = "calibration_image_sample_data_20x128x128x3_float32.npy"
"""Images that onnx2tf fetches from the network unless they lie in its working folder."""


def convert(job: ExportJob) -> ModelMetadata:
    """Translate the ONNX graph; of what the converter writes only the SavedModel is kept."""
    from importlib.metadata import version

    if job.source is None:
        raise ValueError("A SavedModel is made from an ONNX file, which this job lacks.")
    samples = np.random.default_rng(0).random((20, 128, 128, 3), dtype=np.float32)
    np.save(job.folder / _SAMPLES, samples)
    made = job.folder / "onnx2tf"
    command = [
        sys.executable, "-m", "onnx2tf", "--input_onnx_file_path", str(job.source), "--output_folder_path", str(made),
        "--output_signaturedefs", "--disable_group_convolution", "--not_use_onnxsim", "--non_verbose",
    ]  # fmt: skip
    result = subprocess.run(command, cwd=job.folder, capture_output=True, text=True, errors="replace", check=False)
    if result.returncode or not (made / "saved_model.pb").is_file():
        words = "\n".join((result.stdout + result.stderr).strip().splitlines()[-15:])
        raise RuntimeError(f"onnx2tf could not convert the network (status {result.returncode}):\n{words}")
    job.artefact.mkdir()
    for name in ("saved_model.pb", "variables", "fingerprint.pb"):
        if (made / name).exists():
            shutil.move(made / name, job.artefact / name)
    return job.metadata.with_tools(**{name: version(name) for name in ("onnx2tf", "tensorflow", "onnx")})


def embed(artefact: Path, metadata: ModelMetadata) -> None:
    """Write the metadata into the folder."""
    write_side_file(artefact, metadata)


class Backend(base.Backend):
    """Runs the signature that servers run."""

    def __init__(self, path: Path, *, device: str = "cpu", threads: int = 1) -> None:
        self.metadata = read_side_file(path)
        self.tensorflow, self.device = start_tensorflow(device, threads)
        try:
            self.loaded = self.tensorflow.saved_model.load(str(path))  # weights live as long as this
            signature = self.loaded.signatures[_SIGNATURE]
        except (OSError, ValueError, LookupError, self.tensorflow.errors.OpError) as error:
            raise ModelError(f"TensorFlow cannot load '{path}': {error}") from error
        self.signature = signature
        self.input = next(iter(signature.structured_input_signature[1]))

    def infer(self, images: np.ndarray) -> tuple[np.ndarray, ...]:
        """Run a batch; see the base class."""
        return (call(self.tensorflow, self.device, self._answer, images),)

    def _answer(self, images: Any) -> Any:
        return next(iter(self.signature(**{self.input: images}).values()))
