"""Augmentations that change colours and leave the class map alone."""

from __future__ import annotations

import cv2
import numpy as np

from ultralytics.data.augment.base import Transform
from ultralytics.data.sample import Context, Sample


class RandomHSV(Transform):
    """Turn the hue and scale saturation and brightness of a colour image of 8 or 16 bits; others pass unchanged.

    Args:
        hue: greatest turn, as a fraction of the colour circle.
        saturation: factor between 1 - saturation and 1 + saturation.
        value: factor between 1 - value and 1 + value.
    """

    def __init__(self, hue: float = 0.015, saturation: float = 0.7, value: float = 0.4) -> None:
        self.strengths = np.array([hue, saturation, value])

    def draw(self, sample: Sample, context: Context) -> np.ndarray | None:
        """Draw the part of the circle by which hue turns, and by what share saturation and value grow."""
        if sample.image.shape[2] != 3 or not self.strengths.any():
            return None
        return context.rng.uniform(-1, 1, 3) * self.strengths

    def apply(self, sample: Sample, parameters: np.ndarray) -> Sample:
        """Change the colours in OpenCV's HSV, which takes bytes or floats."""
        change = _changed_bytes if sample.image.dtype == np.uint8 else _changed_words
        return sample.with_(image=change(sample.image, *parameters))


def _changed_bytes(image: np.ndarray, turn: float, saturate: float, brighten: float) -> np.ndarray:
    """Look the new hue (0 to 179), saturation and value of each old one up in a table."""
    levels = np.arange(256)
    new = np.stack([(levels + turn * 180) % 180, levels * (1 + saturate), levels * (1 + brighten)], axis=1)
    image = cv2.cvtColor(image, cv2.COLOR_BGR2HSV)
    cv2.LUT(image, np.clip(new, 0, 255).astype(np.uint8)[:, None], dst=image)
    return cv2.cvtColor(image, cv2.COLOR_HSV2BGR, dst=image)


def _changed_words(image: np.ndarray, turn: float, saturate: float, brighten: float) -> np.ndarray:
    """Compute hue (0 to 360), saturation and value (0 to 1) in float32, which keeps all of 16 bits."""
    hsv = cv2.cvtColor(image.astype(np.float32) / 65535, cv2.COLOR_BGR2HSV)
    hsv[..., 0] = (hsv[..., 0] + turn * 360) % 360
    hsv[..., 1:] = np.clip(hsv[..., 1:] * np.array([1 + saturate, 1 + brighten], np.float32), 0, 1)
    bgr: np.ndarray = cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR, dst=hsv)
    return np.clip(np.rint(bgr * 65535), 0, 65535).astype(np.uint16)


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
        return sample.with_(image=cv2.cvtColor(sample.image, cv2.COLOR_BGR2RGB))
