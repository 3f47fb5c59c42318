"""Procedurally drawn street scenes with exact class maps: the embedded default dataset."""

from __future__ import annotations

from ultralytics.scenes.classes import StreetClass
from ultralytics.scenes.dataset import generate, scene

__all__ = ["StreetClass", "generate", "scene"]
