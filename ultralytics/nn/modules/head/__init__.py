"""Heads; importing registers them for architecture files."""

from ultralytics.nn.modules.head.base import Head
from ultralytics.nn.modules.head.semantic import SemanticSegment

__all__ = ["Head", "SemanticSegment"]
