"""Every exception a user of the package can meet.

Each is also the built-in that a caller would catch for that kind of mistake, and `UltralyticsError` catches them all.
A message has three parts: what was given, what is allowed, what to do.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UltralyticsError(Exception):
    """Base of all errors raised on purpose."""


class ConfigError(UltralyticsError, ValueError):
    """An option is unknown, has the wrong type or is out of range."""


class UnknownSetting(ConfigError, KeyError):
    """A key of the user's settings does not exist."""

    __str__ = Exception.__str__  # a KeyError alone would show its message in quotes


class WrongSettingType(ConfigError, TypeError):
    """A setting was given a value of another type than it has."""


class DatasetError(UltralyticsError, ValueError):
    """A dataset description or its labels cannot be used as they are."""


class ImageError(UltralyticsError, ValueError):
    """A file is not an image that can be read, or not the kind that is needed."""


class SourceError(UltralyticsError, ValueError):
    """What was given to predict on is not a source."""


class ModelError(UltralyticsError, ValueError):
    """An architecture description does not make a network."""


class CheckpointError(UltralyticsError, ValueError):
    """A weights file is damaged, foreign or does not fit."""


class DeviceError(UltralyticsError, ValueError):
    """The device asked for does not exist here."""


class MissingFile(UltralyticsError, FileNotFoundError):
    """A file or folder that was named does not exist."""


class MissingDependency(UltralyticsError, ImportError):
    """An optional package is needed; the message holds the line to type."""


class ToolchainMissing(MissingDependency):
    """Packages are missing that would live in an environment of their own; the message says how to allow that."""


class DownloadError(UltralyticsError, OSError):
    """A download failed or is not what was expected."""


class TrainingError(UltralyticsError, RuntimeError):
    """Training cannot go on; what was reached is saved."""


class ExportError(UltralyticsError, RuntimeError):
    """A conversion failed; no half-made artefact is left."""


class RuntimeUnavailable(UltralyticsError, RuntimeError):
    """An artefact cannot be run on this machine; the message names what it needs."""


def unknown_name(kind: str, given: object, known: Iterable[object]) -> str:
    """Compose the message for a name that is not in a table, with the nearest known one.

    Example:
        >>> unknown_name("format", "onx", ["onnx", "openvino"])
        "Unknown format 'onx'. Did you mean 'onnx'? Known: onnx, openvino."
    """
    names = sorted(str(name) for name in known)
    near = difflib.get_close_matches(str(given), names, n=1, cutoff=0.6)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    return f"Unknown {kind} '{given}'.{hint} Known: {', '.join(names) or 'none'}."
