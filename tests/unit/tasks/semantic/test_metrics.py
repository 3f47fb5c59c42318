"""The metric set: what its figures do, whatever the order, the grouping or the number of processes."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import distributed, multiprocessing

from ultralytics.tasks.semantic.metrics import SemanticMetrics

NAMES = {0: "ground", 1: "disc", 2: "bar", 3: "never"}
MapPair = tuple[np.ndarray, np.ndarray]


def draw(seed: int, height: int = 40, width: int = 52) -> MapPair:
    """A prediction and its label: a disc and a bar on the ground, an ignored corner, some wrong pixels."""
    rng = np.random.default_rng(seed)
    label = np.zeros((height, width), np.uint8)
    cv2.circle(label, (int(rng.integers(10, width - 10)), int(rng.integers(10, height - 10))), 8, 1, -1)
    left = int(rng.integers(0, width - 6))
    label[:, left : left + 5] = 2
    predicted = np.where(rng.random(label.shape) < rng.random() * 0.3, rng.integers(0, 3, label.shape), label)
    label[:6, :9] = 255
    return predicted.astype(np.uint8), label


def count(pairs: list[MapPair], names: dict[int, str] | None = None) -> SemanticMetrics:
    metrics = SemanticMetrics(names or NAMES, boundary=True, cldice=True)
    for number, (predicted, label) in enumerate(pairs):
        metrics.update(torch.from_numpy(predicted), torch.from_numpy(label), f"{number}.png")
    return metrics


def assert_same_figures(one: SemanticMetrics, other: SemanticMetrics) -> None:
    assert one.figures == pytest.approx(other.figures, abs=0, nan_ok=True)
    assert one.nt_per_image.tolist() == other.nt_per_image.tolist()
    assert one.table(verbose=True) == other.table(verbose=True)
    assert one.summary() == other.summary()


def test_figures_of_a_split_counted_by_hand() -> None:
    label = torch.tensor([[0, 0, 0, 0], [1, 1, 2, 255]], dtype=torch.uint8)
    predicted = torch.tensor([[0, 0, 0, 1], [1, 0, 3, 2]], dtype=torch.uint8)
    metrics = SemanticMetrics(NAMES)
    assert metrics.update(predicted, label, "a.png") == pytest.approx((3 / 5 + 1 / 3 + 0) / 3)
    assert metrics.image_iou == [("a.png", metrics.miou)]
    assert metrics.per_class_iou == pytest.approx([3 / 5, 1 / 3, 0, 0])
    assert metrics.per_class_dice == pytest.approx([6 / 8, 2 / 4, 0, 0])
    assert metrics.per_class_pixel_accuracy == pytest.approx([3 / 4, 1 / 2, 0, 0])
    figures = metrics.figures
    assert figures["mIoU"] == pytest.approx((3 / 5 + 1 / 3 + 0) / 3)
    assert figures["mIoU over present classes"] == pytest.approx((3 / 5 + 1 / 3 + 0 + 0) / 4)
    assert figures["pixel accuracy"] == pytest.approx(4 / 7)
    assert figures["mean class accuracy"] == pytest.approx((3 / 4 + 1 / 2 + 0) / 3)
    assert figures["frequency-weighted IoU"] == pytest.approx((4 * 3 / 5 + 2 * 1 / 3 + 0) / 7)
    assert figures["mean Dice"] == pytest.approx((6 / 8 + 2 / 4 + 0) / 3)
    assert metrics.absent == ["never"]
    assert metrics.results_dict == {
        "metrics/mIoU": metrics.miou,
        "metrics/pixel_acc": metrics.pixel_accuracy,
        "fitness": metrics.miou,
    }


def test_perfect_is_exactly_one() -> None:
    metrics = count([(label, label) for _, label in map(draw, range(4))])
    assert {name for name, value in metrics.figures.items() if value != 1} == set()
    assert {row["boundary_IoU"] for row in metrics.summary()} == {1}


@settings(max_examples=8)
@given(order=st.permutations(range(6)))
def test_order_of_images_changes_nothing(order: list[int]) -> None:
    pairs = [draw(seed) for seed in range(6)]
    assert_same_figures(count([pairs[i] for i in order]), count(pairs))


@settings(max_examples=25)
@given(seed=st.integers(0, 1000))
def test_predictions_beneath_ignored_pixels_change_nothing(seed: int) -> None:
    predicted, label = draw(seed)
    noise = np.random.default_rng(seed).integers(0, 256, label.shape).astype(np.uint8)
    assert_same_figures(count([(np.where(label == 255, noise, predicted), label)]), count([(predicted, label)]))


@settings(max_examples=25)
@given(seed=st.integers(0, 1000))
def test_a_shift_of_one_pixel_costs_boundaries_more_than_regions(seed: int) -> None:
    _, label = draw(seed, 120, 160)
    label = np.where(label == 255, 0, label).astype(np.uint8)
    metrics = count([(np.roll(label, 1, axis=1), label)])
    assert metrics.figures["mean boundary IoU"] < metrics.miou < 1


def test_the_interval_holds_the_figure_and_shrinks_with_more_images() -> None:
    few, many = count([draw(seed) for seed in range(12)]), count([draw(seed) for seed in range(120)])
    for metrics in (few, many):
        low, high = metrics.interval
        assert low < metrics.miou < high
    assert many.interval.high - many.interval.low < 0.6 * (few.interval.high - few.interval.low)
    assert few.interval == count([draw(seed) for seed in range(12)]).interval


def test_what_is_kept_does_not_grow_with_the_size_of_images() -> None:
    for shape in ((8, 8), (256, 256)):
        metrics = SemanticMetrics(dict.fromkeys(range(150), "x"))
        for _ in range(3):
            metrics.update(torch.zeros(shape, dtype=torch.uint8), torch.zeros(shape, dtype=torch.uint8))
        assert sum(tally.nbytes for tally in metrics.image_tallies) == 3 * 150 * 24


def test_the_calibration_error_stands_beside_the_other_figures() -> None:
    metrics = SemanticMetrics(NAMES, calibration=True)
    metrics.update(torch.zeros(2, 2), torch.zeros(2, 2, dtype=torch.uint8), "a.png")
    metrics.calibration.update(torch.zeros(4), torch.tensor([0.5, 0.5, 1.0, 1.0]), torch.zeros(4))
    assert metrics.figures["expected calibration error"] == metrics.calibration_error == 0.25
    assert "expected calibration error 0.2500." in metrics.table(verbose=True)


def test_a_split_without_valid_pixels() -> None:
    metrics = count([(np.zeros((8, 8), np.uint8), np.full((8, 8), 255, np.uint8))])
    assert "no valid pixels" in metrics.table(verbose=True)
    assert metrics.fitness == 0
    assert all(map(math.isnan, metrics.figures.values()))
    assert metrics.summary() == []
    assert metrics.absent == list(NAMES.values())


def test_no_images_at_all() -> None:
    metrics = SemanticMetrics(NAMES)
    assert "no valid pixels" in metrics.table(verbose=True)
    assert all(map(math.isnan, metrics.interval))


def test_a_model_of_one_class_is_judged_by_its_foreground() -> None:
    label = np.array([[0, 0, 0, 0], [1, 1, 1, 255]], np.uint8)
    predicted = np.array([[0, 0, 0, 1], [1, 1, 0, 1]], np.uint8)
    metrics = count([(predicted, label)], {0: "crack"})
    assert metrics.miou == pytest.approx(2 / 4)
    assert metrics.mean_dice == pytest.approx(4 / 6)
    assert metrics.interval == pytest.approx((0.5, 0.5))
    assert metrics.miou_present == pytest.approx((3 / 5 + 2 / 4) / 2)
    assert [row["Class"] for row in metrics.summary()] == ["background", "crack"]
    assert metrics.table(verbose=True).count("crack") == 0  # one class has no table of classes


def test_the_table_names_absent_classes_rule_and_interval() -> None:
    metrics = count([draw(seed) for seed in range(3)])
    text = metrics.table(verbose=True)
    head, whole, *classes = text.splitlines()[:5]
    assert head.split() == ["Class", "Images", "Pixels", "mIoU", "PixAcc", "Dice", "bdIoU", "bdF1", "clDice"]
    assert whole.split()[:4] == ["all", "3", str(int(metrics.nt_per_class.sum())), f"{metrics.miou:.4f}"]
    assert [line.split()[0] for line in classes] == ["ground", "disc", "bar"]
    assert "Without ground-truth pixels: never." in text
    assert metrics.policy in text
    assert "the network's input size" in text
    assert "95 % interval over images" in text
    assert len(metrics.table(verbose=False).splitlines()) == 2
    assert "each image's own size" in SemanticMetrics(NAMES, resolution="source").policy


def test_the_summary_as_json_and_csv() -> None:
    metrics = count([draw(0)])
    rows = json.loads(metrics.to_json())
    assert rows == metrics.summary()
    assert list(rows[0])[:6] == ["Class", "Images", "Pixels", "IoU", "mIoU", "pixel_acc"]
    table = list(csv.DictReader(io.StringIO(metrics.to_csv())))
    assert [list(row) for row in table] == [list(row) for row in rows]
    assert float(table[1]["clDice"]) == rows[1]["clDice"]


def count_share(rank: int, folder: str) -> None:
    """Count every second image; the joined figures are those of one process that sees all."""
    store = f"file://{folder}/store"
    distributed.init_process_group("gloo", init_method=store, rank=rank, world_size=2)
    pairs = [draw(seed) for seed in range(5)]
    metrics = SemanticMetrics(NAMES, boundary=True, cldice=True, calibration=True)
    for number in range(rank, 5, 2):
        metrics.update(*map(torch.from_numpy, pairs[number]), f"{number}.png")
    metrics.calibration.update(torch.tensor([1, 2]), torch.tensor([0.3, 0.9]), torch.tensor([1, rank]))
    metrics.reduce()
    assert metrics.calibration.counts[:2].sum(1).tolist() == [4, 2]
    metrics.calibration = None
    alone = count(pairs)
    assert_same_figures(metrics, alone)
    assert metrics.image_iou == alone.image_iou
    distributed.destroy_process_group()


def test_two_processes_find_what_one_finds(tmp_path: Path) -> None:
    multiprocessing.spawn(count_share, args=(str(tmp_path),), nprocs=2)
