"""Figures against those of torchmetrics, an implementation by other people, on recorded and on random pairs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from ultralytics.tasks.semantic.metrics import SemanticMetrics
from ultralytics.utils.metrics import CalibrationError

tm = pytest.importorskip("torchmetrics.functional.classification", reason="torchmetrics is not installed")

RECORDED = {"nc11": 11, "nc19_absent_gt_classes": 19, "nc1_binary": 1}


def compare(predicted: np.ndarray, target: np.ndarray, num_classes: int) -> None:
    """Compare every figure that torchmetrics has too."""
    ours = SemanticMetrics({k: f"c{k}" for k in range(num_classes)})
    for one, other in zip(predicted, target, strict=True):
        ours.update(torch.from_numpy(one), torch.from_numpy(other))
    ids, labels = torch.from_numpy(predicted).long(), torch.from_numpy(target).long()
    count, binary = max(num_classes, 2), num_classes == 1
    facts = {"num_classes": count, "ignore_index": 255}
    assert torch.equal(ours.matrix, tm.multiclass_confusion_matrix(ids, labels, **facts))
    per_class = {
        "iou": tm.multiclass_jaccard_index(ids, labels, average="none", **facts),
        "accuracy": tm.multiclass_recall(ids, labels, average="none", **facts),
        "dice": tm.multiclass_f1_score(ids, labels, average="none", **facts),
    }
    assert ours.per_class_iou == pytest.approx(per_class["iou"].nan_to_num(0.0).numpy(), abs=1e-6)
    assert ours.per_class_pixel_accuracy == pytest.approx(per_class["accuracy"].numpy(), abs=1e-6)
    assert ours.per_class_dice == pytest.approx(per_class["dice"].numpy(), abs=1e-6)
    labelled = torch.bincount(labels[labels != 255], minlength=count) > 0
    judged = torch.tensor([False, True]) if binary else labelled
    assert ours.miou == pytest.approx(float(per_class["iou"][judged].mean()), abs=1e-6)
    assert ours.mean_dice == pytest.approx(float(per_class["dice"][judged].mean()), abs=1e-6)
    assert ours.mean_class_accuracy == pytest.approx(float(per_class["accuracy"][labelled].mean()), abs=1e-6)
    accuracy = tm.multiclass_accuracy(ids, labels, average="micro", **facts)
    assert ours.pixel_accuracy == pytest.approx(float(accuracy), abs=1e-6)
    if binary:
        assert ours.miou == pytest.approx(float(tm.binary_jaccard_index(ids, labels, ignore_index=255)), abs=1e-6)


@pytest.mark.parametrize("case", RECORDED)
def test_recorded_pairs(case: str, recorded: Path) -> None:
    pairs = np.load(recorded / "metrics_pairs.npz")
    compare(pairs[f"{case}_pred"], pairs[f"{case}_gt"], RECORDED[case])


@pytest.mark.parametrize("num_classes", [1, 2, 19, 150])
def test_random_pairs_with_ignored_pixels_and_absent_classes(num_classes: int) -> None:
    rng = np.random.default_rng(num_classes)
    count, shape = max(num_classes, 2), (4, 61, 43)
    present = rng.choice(count, max(count * 3 // 4, 2), replace=False)
    target = rng.choice(present, shape)
    predicted = np.where(rng.random(shape) < 0.4, target, rng.integers(0, count, shape))
    target[rng.random(shape) < 0.1] = 255
    compare(predicted.astype(np.uint8), target.astype(np.uint8), num_classes)


@pytest.mark.parametrize("num_classes", [2, 19])
def test_the_calibration_error(num_classes: int) -> None:
    generator = torch.Generator().manual_seed(num_classes)
    logits: Tensor = 3 * torch.randn(2, num_classes, 50, 40, generator=generator)
    labels = torch.randint(0, num_classes, (2, 50, 40), generator=generator)
    labels[:, :5] = 255
    probabilities = logits.softmax(1)
    confidence, predicted = probabilities.max(1)
    ours = CalibrationError(bins=15, ignore_index=255)
    ours.update(predicted, confidence, labels)
    theirs = tm.multiclass_calibration_error(
        probabilities, labels, num_classes=num_classes, n_bins=15, ignore_index=255
    )
    assert ours.ece == pytest.approx(float(theirs), abs=1e-5)
