"""Known import path of the model family and its tasks."""

from ultralytics.model import YOLO
from ultralytics.models.yolo import semantic

__all__ = ["YOLO", "semantic"]
