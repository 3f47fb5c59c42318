"""MNN: one file; metadata are its `bizCode`, a text of the model's owner.

With 8 bits it holds integer weights and computes in floats: the toolkit's full quantisation costs over ten times the
pixels, and the text. The file is a FlatBuffer, and its text is replaced here without the toolkit, which writes it only
when it converts.
"""

from __future__ import annotations

import struct
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np

from ultralytics.deploy import base
from ultralytics.deploy.base import ExportJob
from ultralytics.deploy.metadata import ModelMetadata
from ultralytics.errors import ExportError, ModelError, RuntimeUnavailable
from ultralytics.utils.files import write_atomic

_CONVERTER = "import sys, _tools; _tools.mnnconvert(sys.argv)"
"""The extension module itself: the script of the package around it installs a package that reports its use."""

_PRECISIONS: dict[int, tuple[str, ...]] = {32: (), 16: ("--fp16",), 8: ("--weightQuantBits", "8")}


def convert(job: ExportJob) -> ModelMetadata:
    """Convert the ONNX graph, in a process of its own: the converter writes to the terminal and ends on some errors."""
    arguments = ["-f", "ONNX", "--modelFile", str(job.source), "--MNNModel", str(job.artefact)]
    command = [sys.executable, "-c", _CONVERTER, *arguments, "--bizCode", "{}", *_PRECISIONS[job.options.bits]]
    result = subprocess.run(command, cwd=job.folder, capture_output=True, text=True, errors="replace", check=False)
    if result.returncode or not job.artefact.is_file():
        raise ExportError(f"MNN's converter failed with {result.returncode}: {(result.stdout + result.stderr)[-2000:]}")
    return job.metadata.with_tools(MNN=version("MNN"))


def embed(artefact: Path, metadata: ModelMetadata) -> None:
    """Write the metadata into the file, in place of its text."""
    try:
        model = with_text(artefact.read_bytes(), metadata.json())
    except (ValueError, struct.error) as error:
        raise _damaged(artefact, error) from error
    write_atomic(artefact, model)


def read_metadata(artefact: Path) -> ModelMetadata:
    """Read the metadata of a file.

    Raises:
        ModelError: it is no MNN file, a damaged one, or was made without metadata.
    """
    try:
        text = read_text(artefact.read_bytes())
    except (ValueError, struct.error) as error:
        raise _damaged(artefact, error) from error
    return ModelMetadata.from_json(text, where=artefact)


def read_text(model: bytes) -> str:
    """Read the `bizCode` of a model.

    Raises:
        ValueError, struct.error: the bytes are not a model that has one.
    """
    start = _text_start(model, _text_field(model))
    (length,) = struct.unpack_from("<I", model, start)
    if start + 4 + length > len(model):
        raise ValueError("its text is cut off")
    return model[start + 4 : start + 4 + length].decode()


def with_text(model: bytes, text: str) -> bytes:
    """Return the model with another `bizCode`: the new one is put at the end and the reference to it is changed.

    Raises:
        ValueError, struct.error: the bytes are not a model that has one.
    """
    field = _text_field(model)
    start = _text_start(model, field)
    old = 4 + len(read_text(model).encode()) + 1
    # The one before lies at the end too, unless others wrote the file.
    kept = bytearray(model[:start] if start + old + -old % 4 == len(model) else model)
    kept += bytes(-len(kept) % 4)
    struct.pack_into("<I", kept, field, len(kept) - field)
    content = text.encode()
    new = struct.pack("<I", len(content)) + content + b"\0"
    return bytes(kept + new + bytes(-len(new) % 4))


def _text_field(model: bytes) -> int:
    """Find the reference to the text: the first entry of the root table, https://flatbuffers.dev/internals."""
    (root,) = struct.unpack_from("<I", model, 0)
    (back,) = struct.unpack_from("<i", model, root)
    if not 0 <= root - back <= len(model) - 6:
        raise ValueError("it is not a FlatBuffer")
    size, _, offset = struct.unpack_from("<HHH", model, root - back)
    if size < 6 or not offset:
        raise ValueError("it has no bizCode")
    return int(root + offset)


def _text_start(model: bytes, field: int) -> int:
    return int(field + struct.unpack_from("<I", model, field)[0])


def _damaged(artefact: Path, error: Exception) -> ModelError:
    return ModelError(f"'{artefact}' is not an MNN file made by this package, or a damaged one: {error}.")


class Backend(base.Backend):
    """Runs a graph with MNN on the CPU."""

    def __init__(self, path: Path, *, device: str = "cpu", threads: int = 1) -> None:
        import MNN

        if device != "cpu":
            raise RuntimeUnavailable(f"MNN artefacts run on the CPU, not on device={device}. Use device=cpu.")
        self.metadata = read_metadata(path)
        precision = "high" if self.metadata.bits == 32 else "normal"
        settings = {"backend": "CPU", "numThread": threads, "precision": precision}
        self.runtime = MNN.nn.create_runtime_manager((settings,))
        try:
            self.network = MNN.nn.load_module_from_file(str(path), ["images"], ["output"], runtime_manager=self.runtime)
        except (RuntimeError, SystemError, ValueError) as error:
            raise _damaged(path, error) from error

    def infer(self, images: np.ndarray) -> tuple[np.ndarray, ...]:
        """Run a batch; see the base class."""
        from MNN import expr

        answer = self.network.onForward([expr.const(images, list(images.shape), expr.NCHW)])[0]
        if len(answer.shape) == 4 and answer.data_format != expr.NCHW:
            answer = expr.convert(answer, expr.NCHW)
        # Copied, as the next answer is written to the same memory.
        return (np.array(answer.read()).reshape(answer.shape),)
