"""The one schema of what an artefact knows about itself: written by every format, read by every runtime.

In formats with a place for texts each field is one `key: str(value)`; beside the others lies a JSON file. Field names
are those of the public distribution where it has the field, so its tools read ours and ours read its artefacts.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from ultralytics.deploy.outputs import OutputTensor
from ultralytics.errors import ModelError
from ultralytics.utils.files import write_atomic
from ultralytics.version import __version__

SIDE_FILE = "metadata.yaml"
"""Name of the file in artefacts that are folders; JSON, which every reader of YAML reads."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelMetadata:
    """What a runtime has to know, and what a user may want to.

    Attributes:
        task: word of the task.
        names: class names by id.
        stride: what both sides of an input are multiples of.
        imgsz: (height, width) of the input; the usual one of a dynamic input.
        batch: images at once.
        channels: image channels.
        dynamic: whether batch, height and width are open.
        output: word of the kind of output; empty in artefacts of other tools, which do not say.
        outputs: the tensors of that kind; empty where `output` is.
        pipeline: whether the graph takes uint8 images (1, H, W, C) RGB of any size.
        bits: precision of the weights.
        precision: what it computes in, whatever a processor would choose by itself; empty where that is not known.
        normalization: how pixels become inputs from 0 to 1: x · scale of their type, three channels in `order`, others
            in that of the file.
        letterbox: how images are fitted into `imgsz`: grey value of the padding, whether it is on both sides.
        calibration: temperature, threshold and the like.
        palette: (R, G, B) of each class; None for the default colours.
        licence: terms of code, weights and data.
        source: name and SHA-256 of the checkpoint.
        args: options of the export.
        tools: versions of what made it.
        parity: figures of the comparison with the network; empty if none was made.
        version: version of this package.
        date: when it was made, ISO 8601 in UTC.
    """

    task: str
    names: dict[int, str]
    stride: int
    imgsz: tuple[int, int]
    batch: int = 1
    channels: int = 3
    dynamic: bool = False
    output: str = ""
    outputs: tuple[OutputTensor, ...] = ()
    pipeline: bool = False
    bits: int = 32
    precision: str = ""
    normalization: dict[str, Any] = field(
        default_factory=lambda: {"scale": {"uint8": 1 / 255, "uint16": 1 / 65535}, "order": "RGB"}
    )
    letterbox: dict[str, Any] = field(default_factory=lambda: {"pad_value": 114, "center": True})
    calibration: dict[str, Any] = field(default_factory=dict)
    palette: list[list[int]] | None = None
    licence: dict[str, Any] = field(default_factory=dict)
    source: dict[str, str] = field(default_factory=dict)
    args: dict[str, Any] = field(default_factory=dict)
    tools: dict[str, str] = field(default_factory=dict)
    parity: dict[str, float] = field(default_factory=dict)
    version: str = __version__
    date: str = ""

    def with_tools(self, **versions: str) -> ModelMetadata:
        """Return a copy that also names the versions of a converter."""
        return replace(self, tools={**self.tools, **versions})

    def as_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return asdict(self)

    def texts(self) -> dict[str, str]:
        """Return a text per field, for places that hold only those; Python literals, as the public tools write them."""
        return {
            name: value if isinstance(value, str) else str(list(value) if isinstance(value, tuple) else value)
            for name, value in self.as_dict().items()
        }

    def json(self) -> str:
        """Return one text with everything."""
        return json.dumps(self.as_dict(), indent=1, ensure_ascii=False)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], *, where: str | Path) -> ModelMetadata:
        """Make metadata of plain data or texts; fields it does not know are left out.

        Args:
            values: fields by name.
            where: the artefact, for messages.

        Raises:
            ModelError: a field that a runtime needs is missing or has an implausible value.
        """
        known = {entry.name for entry in fields(cls)}
        read = {key: _literal(value) for key, value in values.items() if key in known}
        try:
            read["names"] = {int(index): str(name) for index, name in dict(read["names"]).items()}
            size = read["imgsz"]
            read["imgsz"] = (int(size), int(size)) if isinstance(size, int) else (int(size[0]), int(size[1]))
            read["outputs"] = tuple(OutputTensor.from_dict(entry) for entry in read.get("outputs", ()))
            return cls(**read)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise ModelError(
                f"'{where}' does not say what a runtime has to know ({type(error).__name__}: {error}). It needs at "
                "least task, names, stride and imgsz. Export it again from its checkpoint."
            ) from error

    @classmethod
    def from_json(cls, text: str, *, where: str | Path) -> ModelMetadata:
        """Read what `json` gave; see `from_dict`."""
        try:
            values = json.loads(text)
        except json.JSONDecodeError as error:
            raise ModelError(f"The metadata of '{where}' is damaged: {error}. Export it again.") from error
        return cls.from_dict(values, where=where)


def side_file(artefact: Path) -> Path:
    """Where the metadata of an artefact lies that has no place for it inside."""
    return artefact / SIDE_FILE if artefact.is_dir() else artefact.with_name(f"{artefact.name}.{SIDE_FILE}")


def write_side_file(artefact: Path, metadata: ModelMetadata) -> None:
    """Write the metadata beside an artefact, or into its folder."""
    write_atomic(side_file(artefact), metadata.json().encode())


def read_side_file(artefact: Path) -> ModelMetadata:
    """Read the metadata beside an artefact.

    Raises:
        ModelError: there is no such file; the message says where it is expected.
    """
    path = side_file(artefact)
    if not path.is_file():
        raise ModelError(
            f"'{artefact}' needs its side file '{path.name}', which does not lie beside it: classes and input size are "
            "not in the artefact itself. Copy it along, or export again."
        )
    return ModelMetadata.from_json(path.read_text(encoding="utf-8"), where=artefact)


def _literal(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return value
