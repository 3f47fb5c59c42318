"""Kernels: what is done with logits at the size of the image, without making them that large."""

from ultralytics.nn.kernels.upsample_argmax import ClassMapResult, class_map
from ultralytics.nn.kernels.upsample_loss import upsampled_ce_dice

__all__ = ["ClassMapResult", "class_map", "upsampled_ce_dice"]
