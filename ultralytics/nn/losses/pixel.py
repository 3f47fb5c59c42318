"""Losses that look at each pixel by itself, on logits of the size of the mask.

All leave out the pixels of `ignore_index` and are exactly 0 where nothing else is left. Targets are integer class ids;
one channel of logits is a binary problem, targets in {0, 1}. `nn.kernels.upsample_loss` computes the cross-entropy of
smaller logits without resizing them first.

Letters in shapes: B images, C classes, (H, W) pixels.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def cross_entropy(
    logits: Tensor, target: Tensor, *, ignore_index: int = 255, class_weights: Tensor | None = None
) -> Tensor:
    """Return the weighted mean of -log softmax(logits)[target] over the labelled pixels of the batch.

    Args:
        logits: (B, C, H, W); one channel gives the binary cross-entropy, without weights.
        target: (B, H, W) class ids.
        ignore_index: id of the pixels that take no part.
        class_weights: (C,) factors.
    """
    loss, weight = _per_pixel(logits, target, ignore_index, class_weights)
    return (loss * weight).sum() / weight.sum().clamp(min=1)


def focal(
    logits: Tensor,
    target: Tensor,
    *,
    gamma: float = 2.0,
    ignore_index: int = 255,
    class_weights: Tensor | None = None,
) -> Tensor:
    """Return the cross-entropy with each pixel scaled by (1 - p)^gamma, p the probability of its label.

    Lin et al., "Focal Loss for Dense Object Detection", 2017 (arXiv:1708.02002); their alpha is `class_weights`.

    Args:
        logits: (B, C, H, W).
        target: (B, H, W) class ids.
        gamma: how strongly easy pixels fade, >= 0; 0 is the cross-entropy.
        ignore_index: id of the pixels that take no part.
        class_weights: (C,) factors.
    """
    loss, weight = _per_pixel(logits, target, ignore_index, class_weights)
    # 1 - p from the loss itself; the floor keeps the slope of a power below 1 finite at p = 1.
    surprise = (-torch.expm1(-loss)).clamp(min=torch.finfo(loss.dtype).tiny)
    return (surprise**gamma * loss * weight).sum() / weight.sum().clamp(min=1)


def ohem_cross_entropy(
    logits: Tensor,
    target: Tensor,
    *,
    threshold: float = 0.7,
    min_kept: float = 1 / 16,
    ignore_index: int = 255,
    class_weights: Tensor | None = None,
) -> Tensor:
    """Return the cross-entropy over the hard pixels only: those whose label has a probability below `threshold`.

    Shrivastava et al., "Training Region-based Object Detectors with Online Hard Example Mining", 2016
    (arXiv:1604.03540); per pixel as in Yu et al., "BiSeNet", 2018 (arXiv:1808.00897).

    Args:
        logits: (B, C, H, W).
        target: (B, H, W) class ids.
        threshold: probability in (0, 1] from which on a pixel is easy.
        min_kept: share of the labelled pixels that is kept at least, the hardest ones.
        ignore_index: id of the pixels that take no part.
        class_weights: (C,) factors.
    """
    loss, weight = _per_pixel(logits, target, ignore_index, class_weights)
    labelled = target != ignore_index
    hardness = loss.detach()[labelled]
    if hardness.numel() == 0:
        return (loss * weight).sum()
    kept = max(1, int(min_kept * hardness.numel()))
    limit = torch.minimum(
        hardness.kthvalue(hardness.numel() - kept + 1).values,
        torch.as_tensor(threshold, dtype=loss.dtype, device=loss.device).log().neg(),
    )
    weight = weight * (loss.detach() >= limit)
    return (loss * weight).sum() / weight.sum().clamp(min=1)


def _per_pixel(
    logits: Tensor, target: Tensor, ignore_index: int, class_weights: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Return the cross-entropy and the weight of every pixel, both (B, H, W) float32, weight 0 where ignored."""
    valid = target != ignore_index
    labels = torch.where(valid, target, 0).long()
    logits = logits.float()
    if logits.shape[1] == 1:
        return F.binary_cross_entropy_with_logits(logits[:, 0], labels.float(), reduction="none"), valid.float()
    loss = F.cross_entropy(logits, labels, reduction="none")
    return loss, valid.float() if class_weights is None else class_weights.to(loss)[labels] * valid
