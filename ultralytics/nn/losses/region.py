"""Losses that look at the overlap of regions, on logits of the size of the mask.

All leave out the pixels of `ignore_index` and sum over the whole batch before they compare, so an image without a class
does not punish it. One channel of logits is a binary problem, targets in {0, 1}, of which the foreground is judged.
`nn.kernels.upsample_loss` computes the Dice loss of smaller logits without resizing them first.

Letters in shapes: B images, C classes, (H, W) pixels, N labelled pixels, K judged classes (C, or 1 if binary).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def dice(logits: Tensor, target: Tensor, *, ignore_index: int = 255, absent_classes: bool = True) -> Tensor:
    """Return the mean over classes of 1 - (2 I + 1) / (P + T + 1).

    I is the probability mass on the class's own pixels, P that on all labelled pixels, T the number of its pixels.
    Milletari et al., "V-Net", 2016 (arXiv:1606.04797), with sums instead of squares below the line.

    Args:
        logits: (B, C, H, W).
        target: (B, H, W) class ids.
        ignore_index: id of the pixels that take no part.
        absent_classes: whether classes without a labelled pixel enter the mean.
    """
    probabilities, one_hot = _labelled(logits, target, ignore_index)
    overlap, labelled = (probabilities * one_hot).sum(0), one_hot.sum(0)
    score = (2 * overlap + 1) / (probabilities.sum(0) + labelled + 1)
    return _class_mean(1 - score, labelled, absent_classes)


def tversky(
    logits: Tensor,
    target: Tensor,
    *,
    alpha: float = 0.3,
    beta: float = 0.7,
    gamma: float = 1.0,
    ignore_index: int = 255,
    absent_classes: bool = True,
) -> Tensor:
    """Return the mean over classes of (1 - (I + 1) / (I + alpha FP + beta FN + 1))^gamma.

    alpha = beta = 0.5 weighs like Dice, 1 like Jaccard. Salehi et al., "Tversky loss function for image segmentation",
    2017 (arXiv:1706.05721); the power is that of Abraham & Khan, "Focal Tversky", 2018 (arXiv:1810.07842).

    Args:
        logits: (B, C, H, W).
        target: (B, H, W) class ids.
        alpha: price of probability on other classes' pixels.
        beta: price of probability missing on the class's own pixels.
        gamma: power, 1 for plain Tversky; below 1 it stresses classes that are nearly solved, above 1 the others.
        ignore_index: id of the pixels that take no part.
        absent_classes: whether classes without a labelled pixel enter the mean.
    """
    probabilities, one_hot = _labelled(logits, target, ignore_index)
    overlap, labelled = (probabilities * one_hot).sum(0), one_hot.sum(0)
    false_positive, false_negative = probabilities.sum(0) - overlap, labelled - overlap
    score = (overlap + 1) / (overlap + alpha * false_positive + beta * false_negative + 1)
    # The floor keeps the slope of a power below 1 finite where a class is solved.
    loss = (1 - score).clamp(min=torch.finfo(score.dtype).eps) ** gamma if gamma != 1 else 1 - score
    return _class_mean(loss, labelled, absent_classes)


def lovasz_softmax(logits: Tensor, target: Tensor, *, ignore_index: int = 255) -> Tensor:
    """Return the Lovász extension of 1 - IoU, averaged over the classes that have labelled pixels.

    Berman et al., "The Lovász-Softmax loss", 2018 (arXiv:1705.08790), equation 9 and algorithm 1. Sorts every pixel
    once per class.

    Args:
        logits: (B, C, H, W).
        target: (B, H, W) class ids.
        ignore_index: id of the pixels that take no part.
    """
    probabilities, one_hot = _labelled(logits, target, ignore_index)
    errors, order = (one_hot - probabilities).abs().sort(dim=0, descending=True)
    hits = one_hot.gather(0, order)
    labelled = hits.sum(0)
    # IoU loss of the sets {the i worst pixels are wrong}, and what each further pixel adds to it.
    jaccard = 1 - (labelled - hits.cumsum(0)) / (labelled + (1 - hits).cumsum(0)).clamp(min=1)
    steps = torch.diff(jaccard, dim=0, prepend=jaccard.new_zeros(1, jaccard.shape[1]))
    return _class_mean((errors * steps).sum(0), labelled, absent_classes=False)


def _labelled(logits: Tensor, target: Tensor, ignore_index: int) -> tuple[Tensor, Tensor]:
    """Return probabilities and one-hot labels of the labelled pixels, both (N, K) float32."""
    valid = target != ignore_index
    pixels, labels = logits.float().movedim(1, -1)[valid], target[valid].long()
    if pixels.shape[1] == 1:
        return pixels.sigmoid(), labels[:, None].float()
    return pixels.softmax(1), F.one_hot(labels, pixels.shape[1]).float()


def _class_mean(values: Tensor, labelled: Tensor, absent_classes: bool) -> Tensor:
    counted = torch.ones_like(labelled) if absent_classes else (labelled > 0).to(labelled)
    return (values * counted).sum() / counted.sum().clamp(min=1)
