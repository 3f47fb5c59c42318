"""Calibration on probabilities whose truth is known."""

import math

import pytest
import torch

from ultralytics.errors import DatasetError
from ultralytics.utils.metrics import CalibrationError, best_threshold, fit_temperature


def test_error_by_hand() -> None:
    error = CalibrationError(bins=2)
    predicted = torch.tensor([[1, 1, 0, 0]], dtype=torch.uint8)
    confidence = torch.tensor([[0.9, 0.7, 0.4, 1.0]])
    target = torch.tensor([[1, 0, 0, 255]], dtype=torch.int32)
    error.update(predicted, confidence, target)
    # Upper bin: confidences 0.9 and 0.7, one right; lower bin: 0.4, right.
    assert error.ece == pytest.approx((abs(1 - 1.6) + abs(1 - 0.4)) / 3)
    assert error.counts[:2].tolist() == [[1, 2], [1, 1]]
    assert error.reliability.flatten().tolist() == pytest.approx([0.4, 1.0, 0.8, 0.5])


def test_error_of_a_split_is_that_of_its_parts() -> None:
    generator = torch.Generator().manual_seed(0)
    confidence = torch.rand(1000, generator=generator).half()
    predicted = torch.randint(0, 3, (1000,), generator=generator)
    target = torch.randint(0, 3, (1000,), generator=generator)
    whole, parts = CalibrationError(), CalibrationError()
    whole.update(predicted, confidence, target)
    for part in torch.arange(1000).split(300):
        parts.update(predicted[part], confidence[part], target[part])
    assert torch.equal(parts.counts, whole.counts)
    assert parts.ece == whole.ece
    shuffled = CalibrationError()
    for i in torch.randperm(1000, generator=generator).tolist():
        shuffled.update(predicted[i], confidence[i], target[i])
    assert torch.equal(shuffled.counts, whole.counts)


def test_error_of_nothing_is_unknown() -> None:
    error = CalibrationError()
    error.update(torch.zeros(4), torch.ones(4), torch.full((4,), 255))
    assert math.isnan(error.ece)


def test_error_of_logits_is_that_of_their_likeliest_class() -> None:
    error = CalibrationError(bins=4)
    error.update_logits(torch.tensor([[3.0, 1.0, 0.0], [0.0, 0.5, 0.5], [9.0, 9.0, 9.0]]), torch.tensor([0, 2, 255]))
    first, second = math.exp(3) / (math.exp(3) + math.exp(1) + 1), math.exp(0.5) / (1 + 2 * math.exp(0.5))
    assert error.counts[:2].tolist() == [[0, 1, 0, 1], [0, 0, 0, 1]]
    assert error.ece == pytest.approx((1 - first + second) / 2)
    binary = CalibrationError()
    binary.update_logits(torch.tensor([[2.0], [-3.0]]), torch.tensor([1, 1]))
    sure, wrong = 1 / (1 + math.exp(-2)), 1 / (1 + math.exp(-3))
    assert binary.ece == pytest.approx((1 - sure + wrong) / 2)


def test_logits_that_are_not_numbers_are_wrong_without_confidence() -> None:
    error = CalibrationError(bins=2)
    error.update_logits(torch.full((3, 4), math.nan), torch.tensor([1, 2, 3]))
    assert error.counts.tolist() == [[3, 0], [0, 0], [0, 0]]


@pytest.mark.parametrize("num_classes", [1, 6])
@pytest.mark.parametrize("temperature", [0.4, 1.0, 2.5])
def test_temperature_of_labels_drawn_at_it_is_found(num_classes: int, temperature: float) -> None:
    torch.manual_seed(0)
    logits = torch.randn(20000, num_classes) * 2
    if num_classes == 1:
        labels = torch.bernoulli(torch.sigmoid(logits[:, 0] / temperature)).long()
    else:
        labels = torch.distributions.Categorical(logits=logits / temperature).sample()
    assert fit_temperature(logits, labels) == pytest.approx(temperature, rel=0.05)


def test_temperature_minimises_the_log_likelihood() -> None:
    torch.manual_seed(0)
    logits = torch.randn(500, 4, dtype=torch.float64)
    labels = torch.where(torch.rand(500) < 0.6, logits.argmax(1), torch.randint(0, 4, (500,)))
    found = fit_temperature(logits, labels)
    losses = [torch.nn.functional.cross_entropy(logits / t, labels) for t in (found, found * 1.01, found / 1.01)]
    assert losses[0] == min(losses)


def test_temperature_stays_within_its_limits() -> None:
    logits = torch.eye(3) * 5
    assert fit_temperature(logits, torch.arange(3), limits=(0.5, 4.0)) == pytest.approx(0.5)
    assert fit_temperature(logits, torch.tensor([1, 2, 0]), limits=(0.5, 4.0)) == pytest.approx(4.0)


def test_threshold_with_the_highest_iou() -> None:
    logits = torch.tensor([3.0, 2.0, 2.0, 1.0, -1.0, -2.0])
    labels = torch.tensor([1, 1, 0, 1, 0, 1])
    # Above 0: 3 of 4 foreground and one wrong, IoU 3 / 5; below -2 all: 4 / 6.
    best = best_threshold(logits, labels)
    assert best.iou == pytest.approx(4 / 6)
    assert best.logit < -2
    assert best_threshold(logits[:5], labels[:5]).logit == pytest.approx(0.0)


def test_threshold_never_parts_equal_logits() -> None:
    best = best_threshold(torch.tensor([1.0, 1.0, 1.0, 0.0]), torch.tensor([1, 0, 0, 0]))
    assert best.iou == pytest.approx(1 / 3)
    assert best.logit == pytest.approx(0.5)


def test_nothing_to_fit_to_is_an_error() -> None:
    with pytest.raises(DatasetError, match="no labelled pixels"):
        fit_temperature(torch.zeros(0, 3), torch.zeros(0, dtype=torch.int64))
    with pytest.raises(DatasetError, match="no foreground"):
        best_threshold(torch.zeros(5), torch.zeros(5))
