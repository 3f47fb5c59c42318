"""Augmentations that change colours and leave the targets alone."""

from __future__ import annotations

import cv2
import numpy as np

from ultralytics.data.augment.base import Transform
from ultralytics.data.sample import Context, Sample


class RandomHSV(Transform):
    """Turn the hue and scale saturation and brightness of a colour image; other images pass unchanged.

    Args:
        hue: greatest turn, as a fraction of the colour circle.
        saturation: factor between 1 - saturation and 1 + saturation.
        value: factor between 1 - value and 1 + value.
    """

    def __init__(self, hue: float = 0.015, saturation: float = 0.7, value: float = 0.4) -> None:
        self.strengths = np.array([hue, saturation, value])

    def draw(self, sample: Sample, context: Context) -> np.ndarray | None:
        """Draw a (256, 1, 3) table of the new hue, saturation and value of each old one."""
        if sample.image.shape[2] != 3 or sample.image.dtype != np.uint8 or not self.strengths.any():
            return None
        turn, saturate, brighten = context.rng.uniform(-1, 1, 3) * self.strengths
        levels = np.arange(256)
        new = np.stack([(levels + turn * 180) % 180, levels * (1 + saturate), levels * (1 + brighten)], axis=1)
        table: np.ndarray = np.clip(new, 0, 255).astype(np.uint8)[:, None]
        return table

    def apply(self, sample: Sample, parameters: np.ndarray) -> Sample:
        """Look the colours up in OpenCV's HSV, where hue counts from 0 to 179."""
        image = cv2.cvtColor(sample.image, cv2.COLOR_BGR2HSV)
        cv2.LUT(image, parameters, dst=image)
        return sample.replace(image=cv2.cvtColor(image, cv2.COLOR_HSV2BGR, dst=image))


class SwapChannels(Transform):
    """Exchange red and blue of a colour image, for models that shall not trust the order of channels.

    Args:
        probability: chance of it.
    """

    def __init__(self, probability: float = 0.5) -> None:
        self.probability = probability

    def draw(self, sample: Sample, context: Context) -> bool | None:
        """Draw nothing more; None for images that have no colours."""
        return True if sample.image.shape[2] == 3 else None

    def apply(self, sample: Sample, parameters: bool) -> Sample:
        """Exchange the first channel and the last."""
        return sample.replace(image=cv2.cvtColor(sample.image, cv2.COLOR_BGR2RGB))
