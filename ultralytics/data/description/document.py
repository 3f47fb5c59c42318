"""Parsing the keys of a dataset YAML into plain checked values.

All mistakes of a file are collected and reported together. Class names are taken as they are written: `no`, `007` and
`null` are names, not a boolean, a number and nothing.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ultralytics.errors import ConfigError, DatasetError
from ultralytics.utils import LOGGER, YAML

KEYS = (
    "path", "train", "val", "test", "names", "nc", "channels", "images_dir", "masks_dir", "image_suffix", "mask_suffix",
    "label_mapping", "ignore_index", "background", "colors", "threshold", "palette", "class_weights", "download",
    "generate",
)  # fmt: skip
_ALIASES = {"validation": "val", "valid": "val", "ignore_label": "ignore_index", "colours": "colors"}
_IGNORE_WORDS = {"ignore_label", "ignore", None}
_MAX_CLASSES = 65534  # ids are uint16 at most, and one of them means "ignore"


def read_description(file: Path) -> dict[str, Any]:
    """Read a dataset YAML; `names` are text as written, aliases of keys are resolved.

    Raises:
        MissingFile: there is no such file.
        DatasetError: it is not a YAML mapping; the message names file and line.
    """
    try:
        raw, written = YAML.load(file), YAML.load(file, as_text=True)
    except ConfigError as error:
        raise DatasetError(str(error)) from error
    raw.update((key, written[key]) for key in ("names", "colors") if raw.get(key) is not None)
    description = {}
    for key, value in raw.items():
        name = _ALIASES.get(key, key)
        if name in description:
            raise DatasetError(f"'{file}': '{name}' is given twice, as '{key}' is another word for it. Keep one.")
        description[name] = value
    for key in description.keys() - set(KEYS):
        near = difflib.get_close_matches(str(key), KEYS, n=1, cutoff=0.8)
        near = near or [known for known in KEYS if known.startswith(f"{key}_")]
        if near:
            LOGGER.warning(f"'{file}': the key '{key}' has no meaning. Did you mean '{near[0]}'?")
    return description


class Fields:
    """The keys of a description, taken one by one; complaints are raised together by `finish`."""

    def __init__(self, description: Mapping[str, Any], name: str) -> None:
        self.description = description
        self.name = name
        self.complaints: list[str] = []

    def take(self, key: str, parse: Callable[[Any], Any], default: Any) -> Any:
        """Parse a key's value; `default` if it is absent or null, or if it is refused."""
        value = self.description.get(key)
        if value is None:
            return default
        try:
            return parse(value)
        except ValueError as error:
            self.complain(key, str(error))
            return default

    def complain(self, key: str, message: str) -> None:
        """Note a mistake."""
        self.complaints.append(f"{key}: {message}")

    def finish(self) -> None:
        """Raise if there were mistakes."""
        if self.complaints:
            lines = "".join(f"\n  {line}" for line in self.complaints)
            raise DatasetError(f"'{self.name}' is not a usable dataset description:{lines}")


def text(value: Any) -> str:
    """Accept a text."""
    if not isinstance(value, str) or not value.strip():
        raise _refusal(value, "a text")
    return value.strip()


def sources(value: Any) -> tuple[str, ...]:
    """Accept one path or several: folders, list files, globs, images."""
    items = value if isinstance(value, list) else [value]
    if not items or not all(isinstance(item, str) and item.strip() for item in items):
        raise _refusal(value, "a folder, a .txt list, a glob or a list of these")
    return tuple(item.strip() for item in items)


def whole(low: int, high: int) -> Callable[[Any], int]:
    """Accept a whole number in a range."""

    def parse(value: Any) -> int:
        number = _as_int(value)
        if number is None or not low <= number <= high:
            raise _refusal(value, f"a whole number from {low} to {high}")
        return number

    return parse


def class_names(value: Any) -> dict[int, str]:
    """Accept a list of names or a mapping from the ids 0 to n-1 to names."""
    if isinstance(value, list):
        value = dict(enumerate(value))
    if not isinstance(value, dict) or not value:
        raise _refusal(value, "a list of names or a mapping 'id: name'")
    names: dict[int, str] = {}
    for key, name in value.items():
        number = _as_int(key)
        if number is None:
            raise ValueError(f"the class id {key!r} is not a whole number.")
        if not isinstance(name, str) or not name.strip():
            raise ValueError(f"class {number} has no name.")
        if number in names:
            raise ValueError(f"class {number} is given twice, as '{names[number]}' and as '{name}'.")
        names[number] = name.strip()
    missing = sorted(set(range(len(names))) - names.keys())
    if missing:
        raise ValueError(f"ids must run from 0 to {len(names) - 1}; {', '.join(map(str, missing[:5]))} is missing.")
    if len(names) > _MAX_CLASSES:
        raise ValueError(f"{len(names)} classes are given; at most {_MAX_CLASSES} fit 16-bit ids.")
    return dict(sorted(names.items()))


def label_mapping(value: Any) -> dict[int, int | None]:
    """Accept a mapping from ids in the label files to class ids; `ignore_label` or null becomes None."""
    if not isinstance(value, dict):
        raise _refusal(value, "a mapping 'id in the masks: class id or ignore_label'")
    mapping: dict[int, int | None] = {}
    for key, target in value.items():
        raw, number = _as_int(key), _as_int(target)
        if raw is None:
            raise ValueError(f"the id {key!r} is not a whole number.")
        if number is None and target not in _IGNORE_WORDS:
            raise ValueError(f"{raw} is sent to {target!r}; a class id or 'ignore_label' is needed.")
        mapping[raw] = number
    return mapping


def ignore_index(value: Any) -> int:
    """Accept the id that means "ignore" in the label files; 'none' (no id does) becomes -1."""
    return -1 if value in {"none", "None"} else whole(0, 65535)(value)


def background(names: Mapping[int, str]) -> Callable[[Any], int | str]:
    """Accept what stands for pixels of no object: 'add' (a class of its own), 'ignore', or a class by name or id."""

    def parse(value: Any) -> int | str:
        ids = {name: number for number, name in names.items()}
        if value in {"add", "ignore"} and value not in ids:
            return str(value)
        number = ids.get(value, _as_int(value))
        if number is None or number not in names:
            raise ValueError(f"'{value}' is not a class. Known: {', '.join(ids)}, add, ignore.")
        return number

    return parse


def rgb(value: Any) -> tuple[int, int, int]:
    """Accept a colour as [red, green, blue] or '#rrggbb'."""
    if isinstance(value, str) and len(value.removeprefix("#")) == 6:
        try:
            value = list(bytes.fromhex(value.removeprefix("#")))
        except ValueError as error:
            raise ValueError(f"{value!r} is no colour.") from error
    parts = [_as_int(part) for part in value] if isinstance(value, (list, tuple)) else []
    if len(parts) != 3 or any(part is None or not 0 <= part <= 255 for part in parts):
        raise _refusal(value, "[red, green, blue] with numbers from 0 to 255")
    red, green, blue = (part for part in parts if part is not None)
    return red, green, blue


def colors(names: Mapping[int, str]) -> Callable[[Any], dict[tuple[int, int, int], int | None]]:
    """Accept the colours of RGB masks: by class name or id, or a list in the order of the classes."""

    def parse(value: Any) -> dict[tuple[int, int, int], int | None]:
        if isinstance(value, list):
            value = dict(enumerate(value))
        if not isinstance(value, dict) or not value:
            raise _refusal(value, "a mapping 'class: [red, green, blue]'")
        ids: dict[Any, int | None] = {name: number for number, name in names.items()}
        table: dict[tuple[int, int, int], int | None] = {}
        for key, color in value.items():
            number = _as_int(key)
            if key in ids:
                target = ids[key]
            elif number in names:
                target = number
            elif key in _IGNORE_WORDS:
                target = None
            else:
                raise ValueError(f"'{key}' is not a class. Known: {', '.join(names.values())}, ignore.")
            several = isinstance(color, list) and color and _as_int(color[0]) is None
            for one in color if several else [color]:
                table[rgb(one)] = target
        return table

    return parse


def palette(value: Any) -> tuple[tuple[int, int, int], ...]:
    """Accept a list of display colours in the order of the classes."""
    if not isinstance(value, list):
        raise _refusal(value, "a list of [red, green, blue] in the order of the classes")
    return tuple(rgb(color) for color in value)


def weights(value: Any) -> tuple[float, ...]:
    """Accept one non-negative number for each class."""
    items = value if isinstance(value, list) else []
    if not items or not all(isinstance(item, (int, float)) and item >= 0 for item in items):
        raise _refusal(value, "a list with one number >= 0 for each class")
    return tuple(float(item) for item in items)


def _refusal(value: Any, needed: str) -> ValueError:
    return ValueError(f"{value!r} is given; {needed} is needed.")


def _as_int(value: Any) -> int | None:
    """Read a whole number that may be written as text; None if it is not one."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        digits = value.strip().removeprefix("-")
        return int(value) if digits.isascii() and digits.isdigit() else None
    return value if isinstance(value, int) else None
