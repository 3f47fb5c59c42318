"""The last step of a graph: logits to ids at the same size."""

from __future__ import annotations

import torch
from torch import Tensor


def to_ids(logits: Tensor, num_classes: int, threshold: float) -> Tensor:
    """Reduce logits to ids at the same size.

    Args:
        logits: (B, classes, H, W).
        num_classes: number of classes, as a plain number: a graph that is traced has no other.
        threshold: logit above which a binary model says foreground.

    Returns:
        (B, H, W): uint8, int32 where there are more than 256 classes.
    """
    if num_classes == 1:
        return (logits[:, 0] > threshold).to(torch.uint8)
    return logits.argmax(1).to(torch.uint8 if num_classes <= 256 else torch.int32)
