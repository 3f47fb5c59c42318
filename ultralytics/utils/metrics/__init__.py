"""Metrics: exact counts, and the figures made of them."""

from ultralytics.utils.metrics.confusion import ConfusionMatrix

__all__ = ["ConfusionMatrix"]
