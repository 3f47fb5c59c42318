"""Semantic segmentation: a class for every pixel."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ultralytics.tasks.semantic.predict import SemanticPredictor
    from ultralytics.tasks.semantic.train import SemanticTrainer
    from ultralytics.tasks.semantic.val import SemanticValidator

__all__ = ["SemanticPredictor", "SemanticTrainer", "SemanticValidator"]

_MODULES = {"SemanticPredictor": "predict", "SemanticTrainer": "train", "SemanticValidator": "val"}


def __getattr__(name: str) -> Any:
    # Lazy: looking at the task table must not import torch.
    if name in _MODULES:
        return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
