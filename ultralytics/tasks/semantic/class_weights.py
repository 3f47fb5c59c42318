"""Class weights for imbalanced labels."""

from __future__ import annotations

import numpy as np


def inverse_log_weights(pixels: np.ndarray, power: float = 1.0) -> np.ndarray:
    """Weigh classes by how rare their pixels are: (1 / ln(1.02 + share)) ** power, with mean 1 (ENet, section 5.2).

    Args:
        pixels: (C,) labelled pixels of each class.
        power: 0 weighs all alike, 1 in full.
    """
    share = pixels / max(pixels.sum(), 1)
    weights = (1 / np.log(1.02 + share)) ** power
    return np.asarray(weights / weights.mean())
