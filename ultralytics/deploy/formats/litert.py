"""What LiteRT files have in common, on whatever they run: metadata as a zip archive at the end, and their interpreter.

The reader of a model finds its parts by offsets from the start of the file, the reader of an archive by offsets from
its end, so both read the same file.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from ultralytics.deploy.metadata import ModelMetadata
from ultralytics.errors import ModelError
from ultralytics.utils.files import write_atomic

MEMBER = "metadata.json"
"""Name of the metadata in the archive."""

_IDENTIFIER = b"TFL3"
"""What stands at byte 4 of every such file."""


def write_metadata(path: Path, metadata: ModelMetadata) -> None:
    """Put the metadata at the end of a file, in place of any that are there."""
    model = without_metadata(path.read_bytes())
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(MEMBER, metadata.json())
    write_atomic(path, model + archive.getvalue())


def read_metadata(path: Path) -> ModelMetadata:
    """Read the metadata at the end of a file.

    Raises:
        ModelError: it is not such a file, or has no metadata.
    """
    with path.open("rb") as file:
        if file.read(8)[4:] != _IDENTIFIER:
            raise ModelError(f"'{path}' is not a LiteRT file, or a damaged one.")
    try:
        with zipfile.ZipFile(path) as archive:
            text = archive.read(MEMBER).decode("utf-8")
    except (zipfile.BadZipFile, KeyError, UnicodeDecodeError) as error:
        raise ModelError(
            f"'{path}' has no metadata at its end ({error}): classes and input size are not known. Export it again "
            "from its checkpoint."
        ) from error
    return ModelMetadata.from_json(text, where=path)


def without_metadata(content: bytes) -> bytes:
    """Return the model alone."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return content[: min((member.header_offset for member in archive.infolist()), default=len(content))]
    except zipfile.BadZipFile:
        return content


class Runner:
    """Runs an allocated interpreter of a model with one input and one output, channels last and quantised or not.

    Args:
        interpreter: of LiteRT, with its tensors allocated.
    """

    def __init__(self, interpreter: Any) -> None:
        self.interpreter = interpreter
        self.input, self.output = interpreter.get_input_details()[0], interpreter.get_output_details()[0]

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Run a batch (B, C, H, W) in [0, 1]; returns ids (B, H, W) or numbers (B, classes, H, W)."""
        self.interpreter.set_tensor(self.input["index"], quantize(images.transpose(0, 2, 3, 1), self.input))
        self.interpreter.invoke()
        answer = dequantize(self.interpreter.get_tensor(self.output["index"]), self.output)
        return np.ascontiguousarray(answer.transpose(0, 3, 1, 2)) if answer.ndim == 4 else answer


def quantize(values: np.ndarray, tensor: dict[str, Any]) -> np.ndarray:
    """Make what a tensor takes of numbers; rounds, and cuts off what is out of its range."""
    scale, zero = tensor["quantization"]
    if not scale:
        return np.ascontiguousarray(values, dtype=tensor["dtype"])
    limits = np.iinfo(tensor["dtype"])
    steps = np.rint(values / np.float32(scale)) + zero
    return np.ascontiguousarray(steps.clip(limits.min, limits.max), dtype=tensor["dtype"])


def dequantize(values: np.ndarray, tensor: dict[str, Any]) -> np.ndarray:
    """Make numbers of what a tensor holds; ids stay as they are."""
    scale, zero = tensor["quantization"]
    if not scale:
        return values
    return (values.astype(np.float32) - np.float32(zero)) * np.float32(scale)
