"""Whether probabilities mean what they say, and the temperature and threshold that make them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ultralytics.errors import DatasetError

_STEPS = 1 << 30
"""Steps of the confidences that are summed: finer than float32 needs, and 8 thousand million pixels fit in int64."""


class CalibrationError:
    """Streaming expected calibration error.

    The mean over pixels of |accuracy - confidence| after averaging both in bins of equal width of the confidence:
    Naeini et al., "Obtaining Well Calibrated Probabilities Using Bayesian Binning", 2015; Guo et al., "On Calibration
    of Modern Neural Networks", 2017 (arXiv:1706.04599). All sums are integers, so no order of pixels changes it.

    Args:
        bins: number of bins between 0 and 1.
        ignore_index: label of the pixels that are not counted.

    Attributes:
        counts: (3, bins) int64 counted pixels, right ones, and sum of confidences in steps of 2**-30; they add up.
    """

    def __init__(self, bins: int = 15, ignore_index: int = 255) -> None:
        self.bins, self.ignore_index = bins, ignore_index
        self.counts = torch.zeros(3, bins, dtype=torch.int64)

    def update(self, predicted: Tensor, confidence: Tensor, target: Tensor) -> None:
        """Count pixels.

        Args:
            predicted: integer class ids of any shape.
            confidence: probability of each, in [0, 1], same shape; NaN counts as 0.
            target: true ids, same shape.
        """
        predicted, sure, target = (tensor.detach().cpu() for tensor in (predicted, confidence, target))
        counted = target != self.ignore_index
        sure, right = sure[counted].float().nan_to_num(0.0), predicted[counted].eq(target[counted])
        bin_ = (sure * self.bins).long().clamp_(max=self.bins - 1)
        steps = (sure.double() * _STEPS).round().long()
        self.counts.index_add_(1, bin_, torch.stack([torch.ones_like(steps), right.long(), steps]))

    def update_logits(self, logits: Tensor, target: Tensor) -> None:
        """Count pixels by the likeliest class of their logits, whose probability is the confidence.

        Args:
            logits: (N, C) float; one column is a binary problem.
            target: (N,) true ids, {0, 1} if binary.
        """
        confidence, predicted = _with_background(logits.float()).softmax(1).max(1)
        self.update(predicted, confidence, target)

    @property
    def ece(self) -> float:
        """Expected calibration error, in [0, 1]; NaN when nothing was counted."""
        pixels, right, steps = self.counts
        total = int(pixels.sum())
        return int((right * _STEPS - steps).abs().sum()) / (total * _STEPS) if total else math.nan

    @property
    def reliability(self) -> Tensor:
        """(bins, 2) float64 mean confidence and accuracy of each bin, NaN where it is empty: a reliability diagram."""
        counts = self.counts.double()
        return torch.stack([counts[2] / _STEPS, counts[1]], dim=1) / counts[0, :, None]


def fit_temperature(logits: Tensor, labels: Tensor, *, limits: tuple[float, float] = (0.05, 20.0)) -> float:
    """Find the temperature T at which softmax(logits / T) explains the labels best.

    Guo et al., "On Calibration of Modern Neural Networks", 2017 (arXiv:1706.04599). In b = 1 / T the mean negative
    log-likelihood is convex, with slope E_p[z] - z_t and curvature Var_p[z], so Newton's method kept inside a shrinking
    bracket finds its minimum.

    Args:
        logits: (N, C) float; one column is a binary problem.
        labels: (N,) class ids, {0, 1} if binary.
        limits: smallest and largest temperature returned.

    Raises:
        DatasetError: there are no labels to fit to.
    """
    if len(labels) == 0:
        raise DatasetError("A temperature cannot be fitted: the validation split has no labelled pixels.")
    z = _with_background(logits.cpu().double())
    at_label = z.gather(1, labels.cpu().long()[:, None])[:, 0]
    low, high = 1 / limits[1], 1 / limits[0]
    b = min(max(1.0, low), high)
    for _ in range(60):
        p = (b * z).softmax(1)
        mean = (p * z).sum(1)
        slope = float((mean - at_label).mean())
        curvature = float(((p * z * z).sum(1) - mean * mean).mean())
        low, high = (low, b) if slope > 0 else (b, high)
        step = b - slope / curvature if curvature > 0 else math.inf
        following = step if low < step < high else (low + high) / 2
        if abs(following - b) <= 1e-9 * b:
            break
        b = following
    return 1 / b


def _with_background(logits: Tensor) -> Tensor:
    """Put the logit 0 of the background before that of a binary model; (N, C) of more classes come back as they are."""
    return torch.cat([torch.zeros_like(logits), logits], dim=1) if logits.shape[1] == 1 else logits


@dataclass(frozen=True, slots=True)
class Threshold:
    """A cut between background and foreground.

    Attributes:
        logit: foreground is what lies above.
        iou: IoU of the foreground it reaches on the pixels it was tuned on.
    """

    logit: float
    iou: float


def best_threshold(logits: Tensor, labels: Tensor) -> Threshold:
    """Find the logit above which to say foreground for the highest foreground IoU.

    Args:
        logits: (N,) float.
        labels: (N,) ids in {0, 1}.

    Raises:
        DatasetError: there is no foreground to tune to.
    """
    z, order = logits.cpu().double().flatten().sort(descending=True)
    foreground = labels.cpu().flatten()[order] == 1
    total = int(foreground.sum())
    if total == 0:
        raise DatasetError("A threshold cannot be tuned: the validation split has no foreground pixels.")
    hits = foreground.cumsum(0)
    taken = torch.arange(1, len(z) + 1)
    iou = hits / (total + taken - hits)
    # Equal logits fall on one side: only the last of a run can be cut after.
    lower = torch.cat([z[1:], z[-1:] - 2])
    iou[z == lower] = -1
    best = int(iou.argmax())
    return Threshold(float((z[best] + lower[best]) / 2), float(iou[best]))
