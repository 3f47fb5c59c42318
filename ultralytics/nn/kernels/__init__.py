"""Kernels: what is done with logits at the size of the image, without making them that large."""

from ultralytics.nn.kernels.upsample_argmax import ClassMapResult, class_map
from ultralytics.nn.kernels.upsample_loss import upsampled_ce_dice
from ultralytics.nn.kernels.upsample_pixels import logits_at, sample_pixels
from ultralytics.nn.kernels.upsample_probs import class_probabilities

__all__ = ["ClassMapResult", "class_map", "class_probabilities", "logits_at", "sample_pixels", "upsampled_ce_dice"]
