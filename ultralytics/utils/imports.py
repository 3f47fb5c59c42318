"""Imports by name: classes named in tables, and optional packages."""

from __future__ import annotations

import importlib
import importlib.util
from types import ModuleType
from typing import Any

from ultralytics.errors import MissingDependency


def load(target: str) -> Any:
    """Import `"package.module:Name"` and return the object.

    Raises:
        ImportError: the module does not exist.
        AttributeError: the module has no such name.
    """
    module, _, name = target.partition(":")
    return getattr(importlib.import_module(module), name)


def available(name: str) -> bool:
    """Tell whether a package can be imported, without importing it."""
    return importlib.util.find_spec(name) is not None


def require(name: str, *, extra: str | None = None, why: str = "") -> ModuleType:
    """Import an optional package, or say the exact line that installs it.

    Args:
        name: import name of the package.
        extra: name of this distribution's extra that brings it; None: the package is installed by its own name.
        why: what it is needed for, as the end of "is needed to ...".

    Raises:
        MissingDependency: the package is not installed. Nothing is ever installed on the user's behalf.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        package = f'"ultralytics-semantic[{extra}]"' if extra else name
        purpose = f" to {why}" if why else ""
        raise MissingDependency(f"'{name}' is needed{purpose}. Install it: pip install {package}") from error
