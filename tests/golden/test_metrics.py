"""Figures against those the reference recorded, and against two definitions written independently of ours."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ultralytics.tasks.semantic.metrics import SemanticMetrics

CASES = ["nc11", "nc19_absent_gt_classes", "nc1_binary", "nc11_all_ignored", "nc11_pred_contains_255"]


def pair(recorded: Path, case: str) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    """Predictions, labels and facts of a case."""
    pairs = np.load(recorded / "metrics_pairs.npz")
    return pairs[f"{case}_pred"], pairs[f"{case}_gt"], json.loads((recorded / "metrics.json").read_text())[case]


def random_pairs(seed: int, classes: int, absent: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels without their last classes, a tenth ignored, and predictions of which a third is right."""
    rng = np.random.default_rng(seed)
    shape = (5, 37, 53)
    target = rng.integers(0, classes - absent, shape)
    predicted = np.where(rng.random(shape) < 1 / 3, target, rng.integers(0, classes, shape))
    target[rng.random(shape) < 0.1] = 255
    return predicted.astype(np.uint8), target.astype(np.uint8)


def count(predicted: np.ndarray, target: np.ndarray, classes: int) -> SemanticMetrics:
    metrics = SemanticMetrics({k: f"c{k}" for k in range(classes)})
    for one, other in zip(predicted, target, strict=True):
        metrics.update(torch.from_numpy(one), torch.from_numpy(other))
    return metrics


@pytest.mark.parametrize("case", CASES)
def test_recorded_figures(case: str, recorded: Path) -> None:
    predicted, target, facts = pair(recorded, case)
    if case == "nc11_pred_contains_255":  # the reference drops predictions out of range; ours counts them as errors
        target = np.where(predicted == 255, 255, target).astype(np.uint8)
    metrics = count(predicted, target, facts["nc"])
    known = {key: 0.0 if np.isnan(value) else value for key, value in metrics.results_dict.items()}
    assert known == pytest.approx(facts["results_dict"], abs=1e-6)
    foreground = slice(1, None) if facts["nc"] == 1 else slice(None)
    assert metrics.per_class_iou[foreground] == pytest.approx(facts["per_class_iou"], abs=1e-6)
    assert metrics.per_class_pixel_accuracy[foreground] == pytest.approx(facts["per_class_pixel_accuracy"], abs=1e-6)
    assert metrics.nt_per_class[foreground].tolist() == facts["nt_per_class"]
    assert metrics.nt_per_image[foreground].tolist() == facts["nt_per_image"]
    rows = {row["Class"]: row for row in metrics.summary()}
    for fact in facts["summary"]:
        row = rows[fact["Class"]]
        assert (row["Images"], row["Pixels"]) == (fact["Images"], fact["Pixels"])
        assert (row["IoU"], row["mIoU"]) == pytest.approx((fact["IoU"], fact["mIoU"]), abs=1e-5)


def test_predictions_out_of_range_cost_their_class(recorded: Path) -> None:
    predicted, target, facts = pair(recorded, "nc11_pred_contains_255")
    metrics = count(predicted, target, 11)
    outside = (predicted == 255) & (target != 255)
    right = (predicted == target) & (target != 255)
    assert outside.any()
    assert metrics.pixel_accuracy == pytest.approx(right.sum() / (target != 255).sum(), abs=1e-9)
    assert metrics.miou < facts["miou"]


def cityscapes(predicted: np.ndarray, target: np.ndarray, classes: int) -> np.ndarray:
    """IoU as the Cityscapes evaluation defines it: TP / (TP + FP + FN), over the pixels whose label is evaluated."""
    confusion: dict[tuple[int, int], int] = {}
    for pair in zip(target.ravel().tolist(), predicted.ravel().tolist(), strict=True):
        confusion[pair] = confusion.get(pair, 0) + 1
    scores = np.full(classes, np.nan)
    for k in range(classes):
        true_positive = confusion.get((k, k), 0)
        false_negative = sum(n for (label, guess), n in confusion.items() if label == k and guess != k)
        false_positive = sum(n for (label, guess), n in confusion.items() if label not in (k, 255) and guess == k)
        total = true_positive + false_negative + false_positive
        scores[k] = true_positive / total if total else np.nan
    return scores


@pytest.mark.parametrize(("classes", "absent"), [(2, 0), (11, 0), (19, 4), (150, 30)])
@pytest.mark.parametrize("seed", [0, 1])
def test_cityscapes_definition(classes: int, absent: int, seed: int) -> None:
    predicted, target = random_pairs(seed, classes, absent)
    metrics = count(predicted, target, classes)
    scores = cityscapes(predicted, target, classes)
    assert metrics.per_class_iou == pytest.approx(np.nan_to_num(scores), abs=1e-9)
    # Its average takes the classes that occur anywhere; ours of that kind stands beside the mIoU.
    assert metrics.miou_present == pytest.approx(np.nanmean(scores), abs=1e-9)
    assert metrics.miou == pytest.approx(scores[: classes - absent].mean(), abs=1e-9)


@pytest.mark.parametrize("case", ["nc11", "nc19_absent_gt_classes", "nc11_pred_contains_255"])
def test_cityscapes_definition_on_recorded_pairs(case: str, recorded: Path) -> None:
    predicted, target, facts = pair(recorded, case)
    scores = cityscapes(predicted, target, facts["nc"])
    assert count(predicted, target, facts["nc"]).miou_present == pytest.approx(np.nanmean(scores), abs=1e-9)


@pytest.mark.parametrize(("classes", "absent"), [(2, 0), (19, 4), (150, 30)])
def test_every_figure_against_one_histogram(classes: int, absent: int) -> None:
    predicted, target = random_pairs(7, classes, absent)
    kept = target != 255
    pairs = np.bincount(target[kept].astype(int) * classes + predicted[kept], minlength=classes**2)
    matrix = pairs.reshape(classes, classes).astype(float)
    true, guessed, hit = matrix.sum(1), matrix.sum(0), np.diag(matrix)
    labelled = true > 0
    iou, dice, recall = hit / (true + guessed - hit), 2 * hit / (true + guessed), hit / np.where(labelled, true, np.inf)
    metrics = count(predicted, target, classes)
    figures = metrics.figures
    assert figures["mIoU"] == pytest.approx(iou[labelled].mean(), abs=1e-9)
    assert figures["mIoU over present classes"] == pytest.approx(iou.mean(), abs=1e-9)
    assert figures["pixel accuracy"] == pytest.approx(hit.sum() / true.sum(), abs=1e-9)
    assert figures["mean class accuracy"] == pytest.approx(recall[labelled].mean(), abs=1e-9)
    assert figures["frequency-weighted IoU"] == pytest.approx((true * iou).sum() / true.sum(), abs=1e-9)
    assert figures["mean Dice"] == pytest.approx(dice[labelled].mean(), abs=1e-9)
    assert metrics.per_class_dice == pytest.approx(dice, abs=1e-9)
    assert metrics.per_class_pixel_accuracy == pytest.approx(recall, abs=1e-9)
