"""Metrics: exact counts, and the figures made of them."""

from ultralytics.utils.metrics.bootstrap import Interval, miou_interval
from ultralytics.utils.metrics.boundary import BoundaryScores
from ultralytics.utils.metrics.calibration import CalibrationError, Threshold, best_threshold, fit_temperature
from ultralytics.utils.metrics.centerline import CenterlineDice
from ultralytics.utils.metrics.confusion import ConfusionMatrix

__all__ = [
    "BoundaryScores",
    "CalibrationError",
    "CenterlineDice",
    "ConfusionMatrix",
    "Interval",
    "Threshold",
    "best_threshold",
    "fit_temperature",
    "miou_interval",
]
