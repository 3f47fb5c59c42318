"""The confusion matrix against hand-made counts and the recorded pairs."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ultralytics.errors import CheckpointError, DatasetError
from ultralytics.utils.metrics import ConfusionMatrix

TARGET = torch.tensor([0, 0, 0, 1, 1, 2, 255, 255], dtype=torch.uint8)
PREDICTED = torch.tensor([0, 0, 1, 1, 7, 2, 0, 9], dtype=torch.uint8)


@pytest.fixture
def confusion() -> ConfusionMatrix:
    confusion = ConfusionMatrix(4)
    confusion.update(PREDICTED, TARGET)
    return confusion


def test_counts_are_truth_by_prediction(confusion: ConfusionMatrix) -> None:
    assert confusion.matrix.tolist() == [[2, 1, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]]
    assert confusion.counts[:, -1].tolist() == [0, 1, 0, 0]
    assert confusion.labelled.tolist() == [3, 2, 1, 0]
    assert confusion.predicted.tolist() == [2, 2, 1, 0]
    assert confusion.absent == [3]


def test_figures_by_hand(confusion: ConfusionMatrix) -> None:
    # Class 0: 2 of 3; class 1: 1 of 3 (one prediction out of range); class 2: 1 of 1; class 3 nowhere.
    assert confusion.iou[:3].tolist() == pytest.approx([2 / 3, 1 / 3, 1])
    assert confusion.iou[3].isnan()
    assert confusion.dice[:3].tolist() == pytest.approx([4 / 5, 2 / 4, 1])
    assert confusion.class_accuracy[:3].tolist() == pytest.approx([2 / 3, 1 / 2, 1])
    assert confusion.class_precision[:3].tolist() == pytest.approx([1, 1 / 2, 1])
    assert confusion.miou == pytest.approx(2 / 3)
    assert confusion.mean_dice == pytest.approx((0.8 + 0.5 + 1) / 3)
    assert confusion.pixel_accuracy == pytest.approx(4 / 6)
    assert confusion.mean_class_accuracy == pytest.approx((2 / 3 + 1 / 2 + 1) / 3)
    assert confusion.frequency_weighted_iou == pytest.approx((3 * 2 / 3 + 2 * 1 / 3 + 1) / 6)


def test_an_invented_class_costs_only_the_mean_over_present_classes() -> None:
    confusion = ConfusionMatrix(3)
    confusion.update(torch.tensor([0, 0, 2]), torch.tensor([0, 0, 0]))
    assert confusion.miou == pytest.approx(2 / 3)
    assert confusion.miou_present == pytest.approx(1 / 3)


def test_one_class_counts_background_and_foreground() -> None:
    confusion = ConfusionMatrix(1)
    confusion.update(torch.tensor([0, 1, 1, 0]), torch.tensor([0, 0, 1, 0]))
    assert confusion.num_classes == 2
    assert confusion.matrix.tolist() == [[2, 1], [0, 1]]
    assert confusion.miou == pytest.approx(1 / 2)
    assert confusion.mean_dice == pytest.approx(2 / 3)
    assert confusion.miou_present == pytest.approx((2 / 3 + 1 / 2) / 2)


def test_figures_of_nothing_are_unknown() -> None:
    confusion = ConfusionMatrix(3)
    confusion.update(np.zeros((4, 4), np.uint8), np.full((4, 4), 255, np.uint8))
    assert confusion.iou.isnan().all()
    figures = [confusion.miou, confusion.miou_present, confusion.pixel_accuracy, confusion.mean_class_accuracy]
    assert all(math.isnan(figure) for figure in figures)
    assert confusion.absent == [0, 1, 2]


@given(
    num_classes=st.sampled_from([1, 2, 19, 200]),
    dtypes=st.tuples(*[st.sampled_from([torch.uint8, torch.int32, torch.int64])] * 2),
    parts=st.integers(1, 5),
    seed=st.integers(0, 1000),
)
@settings(max_examples=40, deadline=None)
def test_any_type_and_any_partition_give_the_same_counts(
    num_classes: int, dtypes: tuple, parts: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    classes = max(num_classes, 2)
    predicted, target = rng.integers(0, min(classes + 5, 256), 300), rng.integers(0, classes, 300)
    target[rng.random(300) < 0.2] = 255
    confusion, merged = ConfusionMatrix(num_classes), ConfusionMatrix(num_classes)
    for pair in zip(np.array_split(predicted, parts), np.array_split(target, parts), strict=True):
        tensors = [torch.as_tensor(ids).to(dtype) for ids, dtype in zip(pair, dtypes, strict=True)]
        confusion.update(*tensors)
        one = ConfusionMatrix(num_classes)
        one.update(*tensors)
        merged.merge(one)
    expected = np.zeros((classes, classes + 1), np.int64)
    for p, t in zip(predicted, target, strict=True):
        if t != 255:
            expected[t, min(p, classes)] += 1
    assert confusion.counts.tolist() == expected.tolist()
    assert torch.equal(confusion.counts, merged.counts)


def test_ids_beyond_a_byte() -> None:
    confusion = ConfusionMatrix(300, ignore_index=65535)
    confusion.update(torch.tensor([299, -1, 255]), torch.tensor([299, 255, 65535]))
    assert confusion.counts[299, 299] == 1
    assert confusion.counts[255, 300] == 1
    assert confusion.counts.sum() == 2


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int32])
def test_labels_out_of_range_are_named_and_nothing_is_counted(dtype: torch.dtype) -> None:
    confusion = ConfusionMatrix(4)
    target = torch.tensor([0, 4, 17, 255], dtype=dtype)
    with pytest.raises(DatasetError, match=r"ids 4, 17: allowed are 0 to 3 and 255"):
        confusion.update(torch.zeros(4, dtype=dtype), target)
    assert not confusion.counts.any()


def test_shapes_must_agree() -> None:
    with pytest.raises(DatasetError, match=r"\(2, 3\).*\(3, 2\)"):
        ConfusionMatrix(2).update(torch.zeros(2, 3, dtype=torch.uint8), torch.zeros(3, 2, dtype=torch.uint8))


def test_recorded_counts_are_continued(confusion: ConfusionMatrix) -> None:
    other = ConfusionMatrix(4)
    other.load_state_dict(confusion.state_dict())
    confusion.update(PREDICTED, TARGET)
    other.update(PREDICTED, TARGET)
    assert torch.equal(confusion.counts, other.counts)
    with pytest.raises(CheckpointError, match="4 classes, this one 5"):
        ConfusionMatrix(5).load_state_dict(confusion.state_dict())


@pytest.mark.parametrize(
    "case", ["nc11", "nc19_absent_gt_classes", "nc1_binary", "nc11_all_ignored", "nc11_pred_contains_255"]
)
def test_recorded_pairs(case: str, recorded: Path) -> None:
    pairs, facts = np.load(recorded / "metrics_pairs.npz"), json.loads((recorded / "metrics.json").read_text())[case]
    predicted, target, matrix = (pairs[f"{case}_{part}"] for part in ("pred", "gt", "matrix"))
    confusion = ConfusionMatrix(facts["nc"])
    confusion.update(predicted, target)
    assert np.array_equal(confusion.matrix.numpy(), matrix.astype(np.int64))
    if case == "nc11_pred_contains_255":
        # The recorded rule drops predictions out of range; ours counts them as errors.
        assert confusion.counts[:, -1].sum() == ((predicted == 255) & (target != 255)).sum()
        confusion = ConfusionMatrix(facts["nc"])
        confusion.update(predicted, np.where(predicted == 255, 255, target))
    unknown_as_zero = torch.tensor([confusion.miou, confusion.pixel_accuracy]).nan_to_num(0).tolist()
    assert unknown_as_zero == pytest.approx([facts["miou"], facts["pixel_accuracy"]], abs=1e-6)
    first = 1 if facts["nc"] == 1 else 0
    assert confusion.iou.nan_to_num(0)[first:].tolist() == pytest.approx(facts["per_class_iou"], abs=1e-6)
    assert confusion.class_accuracy.nan_to_num(0)[first:].tolist() == pytest.approx(
        facts["per_class_pixel_accuracy"], abs=1e-6
    )
    assert confusion.labelled[first:].tolist() == facts["nt_per_class"]
