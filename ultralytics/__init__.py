"""Semantic segmentation from raw images and labels to a model on the user's device.

Importing this package does nothing but define names: no torch, no files, no network. What is asked for is imported
when it is first used (PEP 562).
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ultralytics.version import __version__

if TYPE_CHECKING:
    from ultralytics.cfg.settings import SETTINGS as settings
    from ultralytics.model import YOLO
    from ultralytics.utils.checks import checks

_LAZY = {
    "YOLO": ("ultralytics.model", "YOLO"),
    "settings": ("ultralytics.cfg.settings", "SETTINGS"),
    "checks": ("ultralytics.utils.checks", "checks"),
}
_OTHER_FAMILIES = frozenset({"RTDETR", "YOLOE", "YOLOWorld", "SAM", "FastSAM", "NAS"})

__all__ = ["YOLO", "__version__", "checks", "settings"]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        module, attribute = _LAZY[name]
        return getattr(importlib.import_module(module), attribute)
    if name in _OTHER_FAMILIES:
        raise AttributeError(f"'{name}' is another model family; this package has YOLO for semantic segmentation only.")
    raise AttributeError(f"module 'ultralytics' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
