"""Augmentations: each is drawn once per sample and applied to everything the sample carries."""

from ultralytics.data.augment.base import Compose, Transform
from ultralytics.data.augment.color import RandomHSV, SwapChannels
from ultralytics.data.augment.format import Item, Pipeline, collate, to_item
from ultralytics.data.augment.geometry import LetterBox, RandomFlip, RandomPerspective
from ultralytics.data.augment.mix import CopyPaste, CutMix, MixUp, Mosaic
from ultralytics.data.augment.presets import UserTransform, train_transforms, val_transforms

__all__ = [
    "Compose",
    "CopyPaste",
    "CutMix",
    "Item",
    "LetterBox",
    "MixUp",
    "Mosaic",
    "Pipeline",
    "RandomFlip",
    "RandomHSV",
    "RandomPerspective",
    "SwapChannels",
    "Transform",
    "UserTransform",
    "collate",
    "to_item",
    "train_transforms",
    "val_transforms",
]
