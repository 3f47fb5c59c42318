"""Calibration: fit on the validation split what makes the network's probabilities mean what they say.

A temperature that divides the logits (Guo et al., "On Calibration of Modern Neural Networks", 2017, arXiv:1706.04599),
and for a binary model the threshold with the highest foreground IoU. Both are fitted to a sample of labelled pixels, at
which logits are interpolated one by one: full-size logits are never made.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ultralytics.nn.kernels import sample_pixels
from ultralytics.tasks.semantic.dataset import SemanticDataset
from ultralytics.utils import LOGGER
from ultralytics.utils.metrics import CalibrationError, best_threshold, fit_temperature

MAX_IMAGES = 64
"""Images looked at, evenly spread over the split."""

MAX_PIXELS = 1 << 20
"""Pixels in the sample."""

MAX_LOGITS = 1 << 21
"""Numbers in the sample: 110 thousand pixels of 19 classes, 16 MiB in float64."""


def calibrate(model: nn.Module, dataset: SemanticDataset, device: torch.device) -> dict[str, float]:
    """Fit temperature and, for a binary model, threshold.

    Args:
        model: network from float images in [0, 1] to logits.
        dataset: the split to fit to, not augmented.
        device: where the model is.

    Returns:
        `temperature`, 1 where another one calibrates no better; `threshold` as a probability; the expected calibration
        error of the same pixels, `ece_before` and `ece_after`. Empty where there are no labelled pixels.
    """
    logits, labels = sample_split(model, dataset, device)
    if not len(labels):
        LOGGER.warning("The validation split has no labelled pixels, so probabilities are not calibrated.")
        return {}
    temperature, before = fit_temperature(logits, labels), calibration_error(logits, labels)
    after = calibration_error(logits / temperature, labels)
    if after > before:  # the likeliest temperature need not be the best calibrated one, least of all after few epochs
        temperature, after = 1.0, before
    figures = {"temperature": temperature, "threshold": 0.5, "ece_before": before, "ece_after": after}
    if logits.shape[1] == 1 and bool((labels == 1).any()):
        cut = torch.tensor(best_threshold(logits[:, 0], labels).logit / temperature, dtype=torch.float64)
        figures["threshold"] = float(cut.sigmoid())
    LOGGER.info(_describe(figures, len(labels), binary=logits.shape[1] == 1))
    return figures


@torch.inference_mode()
def sample_split(model: nn.Module, dataset: SemanticDataset, device: torch.device) -> tuple[Tensor, Tensor]:
    """Draw labelled pixels of a split, always the same ones, and the logits there.

    Returns:
        (N, C) float32 logits and (N,) int64 labels, on the CPU.
    """
    model.eval()
    generator = torch.Generator().manual_seed(0)
    count = min(len(dataset), MAX_IMAGES)
    found = []
    for number in range(count):
        batch = dataset.collate([dataset[number * len(dataset) // count]])
        images = batch["img"].to(device).float().div_(255).contiguous(memory_format=torch.channels_last)
        logits = model(images)
        share = max(min(MAX_PIXELS, MAX_LOGITS // logits.shape[1]) // count, 1)
        mask = batch["semantic_mask"].to(device)
        found.append(sample_pixels(logits, mask, share, generator, ignore_index=dataset.spec.ignore_index))
    return torch.cat([z.cpu() for z, _ in found]), torch.cat([labels.cpu() for _, labels in found])


def calibration_error(logits: Tensor, labels: Tensor) -> float:
    """Expected calibration error, in 15 bins, of the likeliest class of (N, C) logits; one channel is binary."""
    error = CalibrationError(bins=15, ignore_index=-1)  # ignored pixels were not drawn
    error.update_logits(logits, labels)
    return error.ece


def _describe(figures: dict[str, float], pixels: int, *, binary: bool) -> str:
    threshold = f", threshold {figures['threshold']:.3f}" if binary else ""
    return (
        f"Calibration on {pixels} pixels: temperature {figures['temperature']:.3f}{threshold}, "
        f"calibration error {figures['ece_before']:.4f} before, {figures['ece_after']:.4f} after"
    )
