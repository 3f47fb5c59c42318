"""Known import path: `from ultralytics.models import YOLO`."""

from ultralytics.model import YOLO

__all__ = ["YOLO"]
