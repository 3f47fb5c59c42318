"""Options by name and value: today's name for each, and a value it takes, or an error that says what it takes."""

from __future__ import annotations

import difflib
import operator
import reprlib
from collections.abc import Callable, Mapping
from typing import Any

from ultralytics.cfg.reading import either, members_of, names_of, read_as
from ultralytics.cfg.schema import INERT, OPTIONS, Option
from ultralytics.errors import ConfigError
from ultralytics.utils.log import LOGGER


def check_options(given: Mapping[str, Any]) -> dict[str, Any]:
    """Check options by name; today's names with values of the right type come out.

    Older names are translated and options without effect are left out, both with a warning.

    Raises:
        ConfigError: a name is unknown or was removed, or a value is not allowed.
    """
    checked: dict[str, Any] = {}
    for given_name, given_value in given.items():
        name, value = _translate(given_name, given_value)
        if name in INERT:
            _warn_without_effect(name, value)
        elif name == given_name:
            checked[name] = coerce(name, value)
        elif value is None:
            continue
        elif name in given or name in checked:
            raise ConfigError(f"'{given_name}' is an older way to set '{name}', which is given too. Keep one.")
        else:
            checked[name] = coerce(name, value)
    return checked


def coerce(name: str, value: Any) -> Any:
    """Read a value as what an option takes.

    Raises:
        ConfigError: there is no such option, or it does not take this value.
    """
    if name not in OPTIONS:
        raise ConfigError(unknown_option(name))
    option = OPTIONS[name]
    spell, check = _SPELLINGS.get(name, _unchanged), _CHECKS.get(name, _unchanged)
    try:
        return check(_within_limits(option, read_as(option.type, spell(value))))
    except ValueError as error:
        shown = value if isinstance(value, str) else reprlib.repr(value)
        raise ConfigError(f"{name}={shown} is not allowed: '{name}' takes {describe(option)}.") from error


def describe(option: Option) -> str:
    """Say in words what an option takes, as the end of "it takes ..."."""
    if option.name in _WORDS:
        return _WORDS[option.name]
    kinds = [
        name
        for kind in members_of(option.type)
        for name in ([f"'{choice}'" for choice in option.choices] if kind is str and option.choices else names_of(kind))
    ]
    limits = {"at least": option.minimum, "above": option.above, "at most": option.maximum}
    spelled = ", ".join(f"{word} {limit:g}" for word, limit in limits.items() if limit is not None)
    return either(kinds) + (f" ({spelled})" if spelled else "")


def unknown_option(name: object) -> str:
    """Compose the message for an option that does not exist, with the nearest that do."""
    near = difflib.get_close_matches(str(name), OPTIONS, n=3, cutoff=0.6)
    hint = f" Did you mean {' or '.join(repr(candidate) for candidate in near)}?" if near else ""
    return f"Unknown option '{name}'.{hint} For all options, see: yolo cfg"


def _unchanged(value: Any) -> Any:
    return value


def _within_limits(option: Option, value: Any) -> Any:
    """Return numbers that lie in range, and choices in the list's own spelling."""
    if isinstance(value, list):
        return [_within_limits(option, item) for item in value]
    if isinstance(value, str) and option.choices:
        return _choose(value, option.choices)
    if isinstance(value, int | float) and not isinstance(value, bool):
        too_small = (option.minimum is not None and value < option.minimum) or (
            option.above is not None and value <= option.above
        )
        if too_small or (option.maximum is not None and value > option.maximum):
            raise ValueError("out of range")
    return value


def _choose(value: str, choices: tuple[str, ...]) -> str:
    for choice in choices:
        if choice.lower() == value.lower():
            return choice
    raise ValueError("not one of the choices")


# Names of yesterday. A value of None means that the option says nothing and is left out.

RENAMED: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    "boxes": ("show_boxes", _unchanged),
    "hide_labels": ("show_labels", operator.not_),
    "hide_conf": ("show_conf", operator.not_),
    "line_thickness": ("line_width", _unchanged),
    "half": ("quantize", lambda wanted: 16 if wanted else None),
    "int8": ("quantize", lambda wanted: 8 if wanted else None),
    "end2end": ("nms", operator.not_),  # a network that separates objects itself needs no suppression after it
}
_REMOVED: Mapping[str, str] = {
    "label_smoothing": "Leave it out.",
    "save_hybrid": "Leave it out.",
    "crop_fraction": "Leave it out; imgsz decides what the network sees.",
    "keras": "Leave it out; format=saved_model is made without Keras.",
}


def _translate(name: str, value: Any) -> tuple[str, Any]:
    if name in _REMOVED:
        raise ConfigError(f"Option '{name}' was removed. {_REMOVED[name]}")
    if name not in RENAMED:
        return name, value
    new_name, convert = RENAMED[name]
    old_type = OPTIONS["line_width"].type if name == "line_thickness" else bool | None
    try:
        old_value = read_as(old_type, value)
    except ValueError as error:
        raise ConfigError(f"{name}={value} is not allowed: '{name}' takes {either(names_of(old_type))}.") from error
    new_value = None if old_value is None else convert(old_value)
    LOGGER.warning(f"'{name}' is now called '{new_name}'; here it means {new_name}={new_value}.")
    return new_name, new_value


def _warn_without_effect(name: str, value: Any) -> None:
    if str(value).lower() != str(INERT[name]).lower():
        LOGGER.warning(f"'{name}' has no effect here: what it belongs to is not part of this package.")


# Options whose values have spellings or rules of their own.

_BITS: Mapping[str, int | str] = {
    "8": 8, "16": 16, "32": 32, "int8": 8, "fp16": 16, "fp32": 32, "w8a8": 8, "w16a16": 16, "w32a32": 32,
    "w8a16": "w8a16", "w8a32": "w8a32",
}  # fmt: skip


def _spell_batch(value: Any) -> Any:
    return -1 if value == "auto" else value


def _spell_device(value: Any) -> Any:
    """Write a device as one text: 0 -> "0", [0, 1] -> "0,1", torch.device("cpu") -> "cpu"."""
    if isinstance(value, list | tuple):
        return ",".join(str(_spell_device(item)) for item in value)
    if isinstance(value, str):
        return value.strip("[]() ").replace(" ", "").lower()
    return str(value) if type(value).__name__ == "device" else value


def _spell_quantize(value: Any) -> Any:
    return _BITS.get(str(value).lower(), value)


def _check_batch(value: int | float) -> int | float:
    if value == int(value):
        value = int(value)
    if value == -1 or 0 < value < 1 or (value >= 1 and isinstance(value, int)):
        return value
    raise ValueError("not a batch size")


def _check_imgsz(value: int | list[int]) -> int | list[int]:
    if isinstance(value, int):
        return value
    if len(value) not in {1, 2}:
        raise ValueError("neither one nor two sizes")
    return value[0] if len(value) == 1 else value


def _check_quantize(value: int | str | None) -> int | str | None:
    if value is not None and value not in _BITS.values():
        raise ValueError("not a precision")
    return value


_SPELLINGS: Mapping[str, Callable[[Any], Any]] = {
    "batch": _spell_batch,
    "device": _spell_device,
    "quantize": _spell_quantize,
}
_CHECKS: Mapping[str, Callable[[Any], Any]] = {
    "batch": _check_batch,
    "imgsz": _check_imgsz,
    "quantize": _check_quantize,
}
_WORDS: Mapping[str, str] = {
    "batch": "a whole number of at least 1, -1 (what fits the GPU) or a share of GPU memory between 0 and 1",
    "device": "cpu, mps, a GPU number, several such as 0,1 or none",
    "imgsz": "a whole number of pixels, or [height, width]",
    "quantize": f"none or one of: {', '.join(_BITS)}",
}
