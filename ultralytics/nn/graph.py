"""Architecture files: finding them, scaling them, checking them; a list of `LayerSpec` comes out. No torch in here.

`yolo26n-sem.yaml` need not exist: it is `yolo26-sem.yaml` at scale n. What a user can get wrong in an architecture is
found here, before a network is built, and the message quotes the row.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ultralytics.errors import ConfigError, MissingFile, ModelError, unknown_name
from ultralytics.nn.registry import LayerRequest, Scale, is_count, module_kind
from ultralytics.utils.env import ROOT
from ultralytics.utils.log import LOGGER
from ultralytics.utils.yamlio import YAML

IMAGE = -1
"""Number under which the network's input stands among the layers' outputs."""

_PACKAGED = ROOT / "cfg" / "models"
_SUFFIXES = (".yaml", ".yml")
_SECTIONS = ("backbone", "head")
_ROW = "[from, repeats, module, args]"
_SCALED_NAME = re.compile(r"(yolov?\d+)([nsmlx])(?![a-z])", re.IGNORECASE)
_WORDS: Mapping[str, Any] = {"None": None, "True": True, "False": False}


@dataclass(frozen=True, slots=True)
class LayerSpec:
    """One layer of a network, all numbers final.

    Attributes:
        index: position in the network.
        origin: the row's `from` as written; a tuple means that the module takes a list of tensors.
        sources: the layers meant by it; `IMAGE` is the network's input.
        module: registered name of the module.
        args: constructor arguments.
        copies: how many instances follow each other.
        in_channels: channels of each source.
        out_channels: channels of its output.
        stride: pixels of the image per pixel of its output.
    """

    index: int
    origin: int | tuple[int, ...]
    sources: tuple[int, ...]
    module: str
    args: tuple[Any, ...]
    copies: int
    in_channels: tuple[int, ...]
    out_channels: int
    stride: float


def load_architecture(
    source: str | Path | Mapping[str, Any], *, num_classes: int | None = None, channels: int | None = None
) -> dict[str, Any]:
    """Read an architecture into a new dictionary that says all it takes to build the same network again.

    Args:
        source: a file, or the name of a packaged one, with the letter of a scale in it (`yolo26n-sem.yaml`); or a
            dictionary.
        num_classes: replaces the architecture's `nc`.
        channels: channels of the images; replaces the architecture's `channels`, which is 3 where absent.

    Raises:
        MissingFile: there is no such file, neither at that path nor in the package.
        ModelError: it is no architecture.
    """
    architecture = copy.deepcopy(dict(source)) if isinstance(source, Mapping) else _read(Path(source))
    if num_classes is not None:
        architecture["nc"] = num_classes
    if channels is not None or "channels" not in architecture:
        architecture["channels"] = 3 if channels is None else channels
    _check_top_level(architecture)
    if architecture.get("scales"):
        architecture["scale"] = _choose_scale(architecture)
    return architecture


def head_name(architecture: Mapping[str, Any]) -> str:
    """Name the module of the last row: it decides what the network is for."""
    return str(architecture["head"][-1][2])


def parse_layers(architecture: Mapping[str, Any]) -> list[LayerSpec]:
    """Turn the rows of a loaded architecture into layers with final arguments and channels.

    Raises:
        ModelError: a row cannot be understood; the message quotes it.
    """
    layers: list[LayerSpec] = []
    for section in _SECTIONS:
        for number, row in enumerate(architecture[section], start=1):
            try:
                layers.append(_parse_row(row, architecture, layers))
            except ModelError as error:
                place = f"layer {len(layers)} (row {number} of '{section}': {row})"
                raise ModelError(f"The architecture's {place}: {error}") from error
    return layers


def named_outputs(layers: Sequence[LayerSpec]) -> list[int]:
    """List the layers that a later row takes by name rather than as "the one before"."""
    named = set()
    for layer in layers:
        origins = layer.origin if isinstance(layer.origin, tuple) else (layer.origin,)
        named |= {source for origin, source in zip(origins, layer.sources, strict=True) if origin != -1}
    return sorted(named)


def finished_outputs(layers: Sequence[LayerSpec]) -> list[tuple[int, ...]]:
    """List for each layer the outputs that nobody needs after it, so that their memory can go."""
    last_use = {source: layer.index for layer in layers for source in layer.sources}
    return [tuple(i for i, user in last_use.items() if user == layer.index) for layer in layers]


def _read(path: Path) -> dict[str, Any]:
    """Read an architecture file and note its name and the scale that the name asks for."""
    file = _find(path)
    try:
        architecture = YAML.load(file)
    except ConfigError as error:
        raise ModelError(str(error)) from error
    architecture["yaml_file"] = path.name
    match = _SCALED_NAME.search(path.stem)
    if match and architecture.get("scales"):
        architecture["scale"] = match[2].lower()
    return architecture


def _find(path: Path) -> Path:
    """Locate an architecture: the file itself, its unscaled form, then both in the package."""
    if path.suffix.lower() not in _SUFFIXES:
        raise ModelError(f"'{path}' names no architecture: a file ending in {' or '.join(_SUFFIXES)} is needed.")
    unscaled = path.with_name(_SCALED_NAME.sub(r"\1", path.name))
    candidates = [path, unscaled]
    if path.parent == Path():
        candidates += [_PACKAGED / path.name, _PACKAGED / unscaled.name]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    hint = unknown_name("packaged architecture", unscaled.name, (file.name for file in _PACKAGED.glob("*.yaml")))
    raise MissingFile(f"There is no architecture file '{path}'. {hint}")


def _check_top_level(architecture: Mapping[str, Any]) -> None:
    """Check everything of an architecture but its rows."""
    name = architecture.get("yaml_file", "The architecture")
    for section in _SECTIONS:
        rows = architecture.get(section)
        if not isinstance(rows, list) or not rows:
            raise ModelError(f"{name} has no '{section}'. It needs 'backbone' and 'head', each a list of rows.")
        for number, row in enumerate(rows, start=1):
            if not isinstance(row, list) or len(row) != 4:
                raise ModelError(f"{name} has {row!r} as row {number} of '{section}'; a row is {_ROW}.")
    for key in ("nc", "channels"):
        if not is_count(architecture.get(key)):
            raise ModelError(f"{name} says {key}: {architecture.get(key)}. It must be a positive integer.")
    scales = architecture.get("scales") or {}
    if not isinstance(scales, Mapping):
        raise ModelError(f"{name} has 'scales' of type {type(scales).__name__}; it must map letters to sizes.")
    for letter, numbers in scales.items():
        if not _is_scale(numbers):
            raise ModelError(
                f"{name} gives scale '{letter}' as {numbers}; it must be [depth, width, max_channels], all positive."
            )


def _is_scale(numbers: object) -> bool:
    return (
        isinstance(numbers, Sequence)
        and len(numbers) == 3
        and all(isinstance(n, int | float) and not isinstance(n, bool) and n > 0 for n in numbers)
    )


def _choose_scale(architecture: Mapping[str, Any]) -> str:
    """Decide the letter of the scale: the one asked for, else the first, with a warning."""
    scales, letter = architecture["scales"], architecture.get("scale")
    if letter in scales:
        return str(letter)
    if letter:
        raise ModelError(unknown_name("scale", letter, scales))
    first = str(next(iter(scales)))
    name = architecture.get("yaml_file", "The architecture")
    LOGGER.warning(f"{name} names no scale of {', '.join(map(str, scales))}: '{first}' is taken.")
    return first


def _parse_row(row: list[Any], architecture: Mapping[str, Any], layers: Sequence[LayerSpec]) -> LayerSpec:
    """Check one row, given the layers before it, and let its module's channel rule decide its numbers."""
    origin, repeats, module, args = row
    index = len(layers)
    sources = tuple(_resolve_source(i, index) for i in (origin if isinstance(origin, list) else [origin]))
    if not sources:
        raise ModelError("'from' is an empty list.")
    if not is_count(repeats):
        raise ModelError(f"repeats must be a positive integer, not {repeats!r}.")
    if not isinstance(args, list):
        raise ModelError(f"args must be a list, not {args!r}.")
    kind = module_kind(str(module))
    scale = _scale(architecture)
    in_channels = tuple(architecture["channels"] if i == IMAGE else layers[i].out_channels for i in sources)
    in_strides = tuple(1.0 if i == IMAGE else layers[i].stride for i in sources)
    try:
        plan = kind.rule(
            LayerRequest(
                in_channels=in_channels,
                in_strides=in_strides,
                args=tuple(_constant(argument, architecture["nc"]) for argument in args),
                repeats=scale.repeats(repeats),
                scale=scale,
                num_classes=architecture["nc"],
                options=architecture,
            )
        )
    except ModelError as error:
        raise ModelError(f"{module} {error}.") from error
    return LayerSpec(
        index=index,
        origin=tuple(origin) if isinstance(origin, list) else origin,
        sources=sources,
        module=str(module),
        args=plan.args,
        copies=plan.copies,
        in_channels=in_channels,
        out_channels=plan.out_channels,
        stride=in_strides[0] * plan.stride**plan.copies,
    )


def _resolve_source(source: object, index: int) -> int:
    """Turn a row's `from` into the number of an earlier layer."""
    if not isinstance(source, int) or isinstance(source, bool):
        raise ModelError(f"'from' holds layer numbers, not {source!r}.")
    resolved = source if source >= 0 else index + source
    if not IMAGE <= resolved < index:
        raise ModelError(f"'from' {source} means layer {resolved}; a row may use the image and the layers before it.")
    return resolved


def _constant(argument: Any, num_classes: int) -> Any:
    """Give the words an architecture may use as arguments their values; nothing is ever evaluated."""
    if argument == "nc":
        return num_classes
    return _WORDS.get(argument, argument) if isinstance(argument, str) else argument


def _scale(architecture: Mapping[str, Any]) -> Scale:
    scales = architecture.get("scales")
    if not scales:
        return Scale()
    letter = architecture["scale"]
    return Scale(letter, *scales[letter])
