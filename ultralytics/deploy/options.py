"""What an export is asked for, checked against what the format can do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ultralytics.cfg import OPTIONS
from ultralytics.deploy.format import COMMON_OPTIONS, Format
from ultralytics.deploy.outputs import OutputKind
from ultralytics.errors import ConfigError

FORMAT_OPTIONS = frozenset(
    {"batch", "dynamic", "name", "nms", "opset", "optimize", "pipeline", "quantize", "simplify", "workspace"}
)
"""Options that only some formats understand; `name` is the chip that an artefact is for."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ExportOptions:
    """What one artefact is made with.

    Attributes:
        imgsz: (height, width) of the input; the example size of a dynamic one.
        batch: images at once; the example size of a dynamic input.
        bits: precision of weights: 32, 16, or 8 (weights and activations).
        dynamic: whether batch, height and width stay open.
        simplify: whether the graph is simplified.
        opset: ONNX opset; None for the format's own choice.
        output: word of the kind of output; the task has the list.
        pipeline: whether resizing is part of the graph: uint8 image of any size in, result of its size out.
        workspace: GiB a builder may use; None for its own choice.
        optimize: whether to spend more time for a faster artefact.
        target: chip the artefact is for; empty for the format's default.
        keep: layers of the network ("model.22") that a quantised artefact leaves in higher precision.
    """

    imgsz: tuple[int, int]
    batch: int = 1
    bits: int = 32
    dynamic: bool = False
    simplify: bool = True
    opset: int | None = None
    output: str = ""
    pipeline: bool = False
    workspace: float | None = None
    optimize: bool = False
    target: str = ""
    keep: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ExportOptions:
        """Make options of what `as_dict` gave and JSON carried."""
        return cls(**{**values, "imgsz": tuple(values["imgsz"]), "keep": tuple(values.get("keep", ()))})


def check_given(row: Format, given: Iterable[str]) -> None:
    """Refuse options that mean nothing for a format, or for an export at all.

    Raises:
        ConfigError: an option is not in the row; the message lists those that are.
    """
    refused = sorted(
        name for name in set(given) - row.options if name in FORMAT_OPTIONS or "export" not in OPTIONS[name].modes
    )
    if refused:
        allowed = ", ".join(sorted(row.options)) or "none of its own"
        raise ConfigError(
            f"{row.title} has no option {', '.join(map(repr, refused))}. format={row.name} takes: {allowed}; and, as "
            f"every format, {', '.join(sorted(COMMON_OPTIONS - {'format'}))}."
        )


def check_values(row: Format, options: ExportOptions, kind: OutputKind) -> None:
    """Refuse values that a format cannot be made with.

    Raises:
        ConfigError: a precision or a combination is not possible; the message says what is.
    """
    if options.bits not in row.bits:
        allowed = ", ".join(map(str, row.bits))
        raise ConfigError(f"{row.title} cannot be made with quantize={options.bits}. Allowed: {allowed}.")
    if options.pipeline and not kind.pipeline:
        raise ConfigError(f"pipeline=True returns results at the source's size, not output={options.output}.")
    if options.dynamic and not row.dynamic:
        raise ConfigError(f"{row.title} has inputs of a fixed size: dynamic=True is not possible.")
