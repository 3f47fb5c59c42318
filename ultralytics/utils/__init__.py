"""What every layer may use: logging, files, numbers, drawing. Nothing here knows a task, a model or a dataset."""

from ultralytics.utils.env import RANK, ROOT
from ultralytics.utils.log import LOGGER, colorstr
from ultralytics.utils.yamlio import YAML

__all__ = ["LOGGER", "RANK", "ROOT", "YAML", "colorstr"]
