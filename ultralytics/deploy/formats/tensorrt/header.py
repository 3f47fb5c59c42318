"""How an engine file begins: the length of a JSON text (4 bytes, little-endian), the text, then TensorRT's plan.

Public engine files begin so, too. Neither reading nor replacing the text needs TensorRT.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

from ultralytics.deploy.metadata import ModelMetadata
from ultralytics.errors import ModelError
from ultralytics.utils.files import write_atomic

_LENGTH = struct.Struct("<i")


def with_header(plan: bytes, metadata: ModelMetadata) -> bytes:
    """Return the content of an engine file."""
    text = metadata.json().encode()
    return _LENGTH.pack(len(text)) + text + plan


def read_header(content: bytes, *, where: Path) -> tuple[ModelMetadata, int]:
    """Read the beginning of an engine file.

    Args:
        content: of the file.
        where: the file, for messages.

    Returns:
        The metadata, and the byte at which the plan begins.

    Raises:
        ModelError: the file begins otherwise, or ends too early.
    """
    length = _LENGTH.unpack_from(content)[0] if len(content) >= _LENGTH.size else -1
    start = _LENGTH.size + length
    text = content[_LENGTH.size : max(start, 0)]
    if length < 2 or not text.startswith(b"{"):
        raise ModelError(
            f"'{where}' does not begin with the metadata of an engine file: it is damaged, or a bare plan (of trtexec, "
            "say). Export it here: YOLO('best.pt').export(format='engine')."
        )
    if start >= len(content):
        raise ModelError(f"'{where}' is cut off: it has {len(content)} bytes, and its plan begins after {start}.")
    return ModelMetadata.from_json(text.decode("utf-8", "replace"), where=where), start


def embed(artefact: Path, metadata: ModelMetadata) -> None:
    """Write the metadata into the file, in place of those it has."""
    content = artefact.read_bytes()
    _, start = read_header(content, where=artefact)
    write_atomic(artefact, with_header(content[start:], metadata))


def inspect(artefact: Path) -> dict[str, Any]:
    """Tell what can be seen without a GPU: the plan's size, and the TensorRT and the GPU that it is for."""
    content = artefact.read_bytes()
    metadata, start = read_header(content, where=artefact)
    made: dict[str, Any] = {name: metadata.tools[name] for name in ("tensorrt", "gpu") if name in metadata.tools}
    return {"plan_bytes": len(content) - start, **made}
