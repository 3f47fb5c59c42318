"""Values, and the texts that stand for them, read as a Python type. Nothing is ever evaluated as code."""

from __future__ import annotations

import math
import operator
import os
import reprlib
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

_TRUE, _FALSE, _NONE = {"true", "yes", "on"}, {"false", "no", "off"}, {"none", "null"}


def read_as(hint: Any, value: Any) -> Any:
    """Read a value as a type: bool, int, float, str, Path, a list or mapping of these, or a union.

    Of a union, the first type that fits is taken; text fits almost everything, so it comes last. A boolean is not a
    number, and numbers are finite. Arrays and tensors of any library are read as the numbers they hold.

    Raises:
        ValueError: the value is none of these.

    Example:
        >>> read_as(int | list[int], "[480, 640]")
        [480, 640]
    """
    if hint is Any:
        return value
    value = _plain(value)
    members = members_of(hint)
    if type(None) in members and (value is None or (isinstance(value, str) and value.lower() in _NONE)):
        return None
    for member in members:
        read = _READERS[typing.get_origin(member) or member]
        try:
            return read(value, member)
        except (ValueError, TypeError, OverflowError):
            continue
    raise ValueError(f"{reprlib.repr(value)} cannot be read as {hint}")


def members_of(hint: Any) -> tuple[Any, ...]:
    """List the types of a union; of any other type, itself."""
    is_union = isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union
    return typing.get_args(hint) if is_union else (hint,)


def names_of(hint: Any) -> list[str]:
    """Name for people what `read_as` takes."""
    return [name for member in members_of(hint) for name in _names_of_one(member)]


def either(names: Sequence[str]) -> str:
    """Join alternatives: "a, b or c"."""
    return " or ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def _names_of_one(member: Any) -> tuple[str, ...]:
    if typing.get_origin(member) is dict:
        return ("a mapping such as {a: b}",)
    if typing.get_origin(member) is list:
        return (f"a list of {_PLURALS[typing.get_args(member)[0]]}",)
    return _NAMES[member]


def _plain(value: Any) -> Any:
    """Turn paths, tuples, and arrays of any library into text, lists and numbers."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if hasattr(value, "tolist"):
        return value.tolist()
    return list(value) if isinstance(value, tuple) else value


def _read_bool(value: Any, _: Any) -> bool:
    if isinstance(value, bool):
        return value
    word = value.lower() if isinstance(value, str) else ""
    if word not in _TRUE | _FALSE:
        raise ValueError("not a boolean")
    return word in _TRUE


def _read_int(value: Any, _: Any) -> int:
    if isinstance(value, bool):
        raise TypeError("a boolean is not a number")
    return int(value) if isinstance(value, str) else operator.index(value)


def _read_float(value: Any, _: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise TypeError("not a number")
    number = float(value)
    if not math.isfinite(number):
        raise ValueError("not finite")
    return number


def _read_str(value: Any, _: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise TypeError("not a text")
    return str(value)


def _read_path(value: Any, _: Any) -> Path:
    return Path(_read_str(value, str)).expanduser()


def _read_none(value: Any, _: Any) -> None:
    if value is not None:
        raise ValueError("not none")


def _read_list(value: Any, hint: Any) -> list[Any]:
    """Read a list, a text such as "[1, 2]" or "1,2", or a single item."""
    if isinstance(value, str):
        value = [item.strip(" '\"") for item in value.strip().strip("[]()").split(",") if item.strip()]
    (item_type,) = typing.get_args(hint)
    return [read_as(item_type, item) for item in (value if isinstance(value, list) else [value])]


def _read_dict(value: Any, hint: Any) -> dict[Any, Any]:
    """Read a mapping, or a text such as "{car: vehicle, sky: null}"."""
    if isinstance(value, str):
        try:
            value = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise ValueError("not a mapping") from error
    if not isinstance(value, Mapping):
        raise TypeError("not a mapping")
    key_type, value_type = typing.get_args(hint)
    return {read_as(key_type, key): read_as(value_type, entry) for key, entry in value.items()}


_READERS: Mapping[Any, Callable[[Any, Any], Any]] = {
    list: _read_list,
    dict: _read_dict,
    bool: _read_bool,
    int: _read_int,
    float: _read_float,
    str: _read_str,
    Path: _read_path,
    type(None): _read_none,
}
_NAMES: Mapping[Any, tuple[str, ...]] = {
    bool: ("true", "false"),
    int: ("a whole number",),
    float: ("a number",),
    str: ("a text",),
    Path: ("a path",),
    type(None): ("none",),
    Any: ("anything",),
}
_PLURALS: Mapping[Any, str] = {int: "whole numbers", float: "numbers", str: "texts", Path: "paths"}
