"""TensorFlow.js: a folder that browsers and node run, made from a SavedModel; node runs it here, in a process.

Of TF.js' backends that need no browser the one in WebAssembly is used, which is some twenty times as fast as the one in
JavaScript. The npm packages lie in the environment of the runtime.
"""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from pathlib import Path
from subprocess import PIPE
from typing import Any

import numpy as np

from ultralytics.deploy import base
from ultralytics.deploy.base import ExportJob
from ultralytics.deploy.metadata import ModelMetadata, read_side_file, write_side_file
from ultralytics.errors import MissingDependency, ModelError, RuntimeUnavailable

_PACKAGES = ("@tensorflow/tfjs-core", "@tensorflow/tfjs-converter", "@tensorflow/tfjs-backend-wasm")
_SCRIPT = Path(__file__).with_suffix(".js")
_GRACE = 5.0  # seconds for node to end by itself


def convert(job: ExportJob) -> ModelMetadata:
    """Write the SavedModel's graph and weights as JSON and shards."""
    from importlib.metadata import version

    from tensorflowjs.converters.tf_saved_model_conversion_v2 import convert_tf_saved_model

    convert_tf_saved_model(str(job.source), str(job.artefact), signature_def="serving_default")
    return job.metadata.with_tools(tensorflowjs=version("tensorflowjs"), tensorflow=version("tensorflow"))


def embed(artefact: Path, metadata: ModelMetadata) -> None:
    """Write the metadata into the folder."""
    write_side_file(artefact, metadata)


class Backend(base.Backend):
    """Runs a graph model with node, on one thread of the CPU."""

    def __init__(self, path: Path, *, device: str = "cpu", threads: int = 1) -> None:
        if device != "cpu":
            raise RuntimeUnavailable(f"device={device}: TF.js runs '{path.name}' on the CPU here. Use device=cpu.")
        self.path, self.metadata = path, read_side_file(path)
        if not (path / "model.json").is_file():
            raise ModelError(f"'{path}' lacks its file 'model.json'. Copy the whole folder, or export it again.")
        command = [find_node(), str(_SCRIPT), str(modules_folder(Path(sys.prefix))), str(path.absolute())]
        self.process = subprocess.Popen(command, stdin=PIPE, stdout=PIPE)
        self.shape = tuple(self._header()["shape"])

    def infer(self, images: np.ndarray) -> tuple[np.ndarray, ...]:
        """Run a batch; see the base class."""
        values = np.ascontiguousarray(images.transpose(0, 2, 3, 1), dtype=np.float32)
        if values.shape != self.shape:
            raise ModelError(f"'{self.path}' takes images (B, H, W, C) {self.shape}, not {values.shape}.")
        if self.process.poll() is not None:
            raise self._death()
        try:
            self.process.stdin.write(values.tobytes())  # type: ignore[union-attr]
            self.process.stdin.flush()  # type: ignore[union-attr]
        except OSError as error:
            raise self._death() from error
        header = self._header()
        output = self._array(header["shape"], np.dtype(header["dtype"]))
        if output.ndim == 4:
            return (np.ascontiguousarray(output.transpose(0, 3, 1, 2)),)
        return (output.astype(np.uint8) if len(self.metadata.names) <= 256 else output,)  # TF.js has no small integers

    def close(self) -> None:
        """End node."""
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()
        try:
            self.process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _header(self) -> dict[str, Any]:
        line = self.process.stdout.readline()  # type: ignore[union-attr]
        if not line.endswith(b"\n"):
            raise self._death()
        header: dict[str, Any] = json.loads(line)
        if "error" in header:
            self.close()
            raise ModelError(f"TF.js cannot run '{self.path}': {header['error']}")
        return header

    def _array(self, shape: list[int], dtype: np.dtype[Any]) -> np.ndarray:
        size = math.prod(shape) * dtype.itemsize
        content = self.process.stdout.read(size)  # type: ignore[union-attr]
        if len(content) < size:
            raise self._death()
        return np.frombuffer(content, dtype).reshape(shape)

    def _death(self) -> RuntimeUnavailable:
        self.close()
        return RuntimeUnavailable(f"node, which runs '{self.path}', ended with status {self.process.returncode}.")


def find_node() -> str:
    """Find the program that runs JavaScript.

    Raises:
        RuntimeUnavailable: it is not on the PATH.
    """
    found = shutil.which("node")
    if found is None:
        raise RuntimeUnavailable("'node' runs TF.js models and is not on the PATH. Install Node.js 18 or newer.")
    return found


def modules_folder(folder: Path) -> Path:
    """Return the folder if it has TF.js in its `node_modules`.

    Raises:
        MissingDependency: the packages are not there.
    """
    missing = [name for name in _PACKAGES if not (folder / "node_modules" / name / "package.json").is_file()]
    if missing:
        raise MissingDependency(
            f"{', '.join(missing)} are needed to run TF.js models. Install: npm install --prefix '{folder}' "
            f"{' '.join(f'{name}@4.22.0' for name in _PACKAGES)}"
        )
    return folder
