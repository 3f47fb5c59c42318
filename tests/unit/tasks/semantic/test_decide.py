"""From logits to ids: rejection, selection and the threshold, by hand-made numbers."""

import math

import pytest
import torch

from ultralytics.errors import CheckpointError, ConfigError
from ultralytics.tasks.semantic.decide import Decision, keep_classes


def _logits(*probabilities: tuple[float, ...]) -> torch.Tensor:
    """One row of pixels with these class probabilities, (1, C, 1, n)."""
    return torch.tensor(probabilities).log().T[None, :, None]


def test_pixels_below_the_threshold_are_rejected() -> None:
    logits = _logits((0.5, 0.3, 0.2), (0.1, 0.8, 0.1), (0.2, 0.2, 0.6))
    found = Decision.from_calibration(3, {}, conf=0.55)(logits, (1, 3))
    assert found.ids.tolist() == [[[255, 1, 2]]]
    assert found.ids.dtype == torch.uint8
    assert found.confidence is None
    kept = Decision.from_calibration(3, {}, conf=0.55)(logits, (1, 3), confidence=True).confidence
    assert kept.flatten().tolist() == pytest.approx([0.5, 0.8, 0.6], abs=1e-3)


def test_temperature_moves_confidence_but_no_class() -> None:
    logits = _logits((0.5, 0.3, 0.2), (0.1, 0.8, 0.1))
    cold, hot = (Decision.from_calibration(3, {"temperature": t}) for t in (0.25, 4.0))
    assert torch.equal(cold(logits, (1, 2)).ids, hot(logits, (1, 2)).ids)
    sure = [float(d(logits, (1, 2), confidence=True).confidence[0, 0, 1]) for d in (cold, hot)]
    # p ** (1 / T), normalised.
    assert sure == pytest.approx([0.8**4 / (0.8**4 + 2 * 0.1**4), 0.8**0.25 / (0.8**0.25 + 2 * 0.1**0.25)], abs=1e-3)
    # What is rejected follows the calibrated probability.
    assert Decision.from_calibration(3, {"temperature": 4.0}, conf=0.5)(logits, (1, 2)).ids.tolist() == [[[255, 255]]]


def test_selected_classes_keep_their_ids() -> None:
    logits = _logits((0.5, 0.3, 0.2), (0.1, 0.8, 0.1), (0.2, 0.2, 0.6))
    assert Decision.from_calibration(3, {}, classes=[0, 2])(logits, (1, 3)).ids.tolist() == [[[0, 255, 2]]]
    assert Decision.from_calibration(3, {}, classes=1)(logits, (1, 3)).ids.tolist() == [[[255, 1, 255]]]
    assert keep_classes(torch.tensor([[3, 4]], dtype=torch.uint8), 4).tolist() == [[255, 4]]


@pytest.mark.parametrize(("num_classes", "classes"), [(3, [0, 99]), (3, -1), (1, [1])])
def test_a_class_that_does_not_exist_is_refused_with_those_that_do(num_classes: int, classes: object) -> None:
    with pytest.raises(ConfigError, match=f"0 to {num_classes - 1}"):
        Decision.from_calibration(num_classes, {}, classes=classes)


@pytest.mark.parametrize("num_classes", [256, 257, 300])
def test_many_classes_are_rejected_with_an_id_that_is_none_of_them(num_classes: int) -> None:
    logits = torch.zeros(1, num_classes, 1, 2)
    logits[0, 255, 0, 0] = 20
    logits[0, 7, 0, 1] = 20
    assert Decision.from_calibration(num_classes, {}, classes=[255])(logits, (1, 2)).ids.tolist() == [[[255, 65535]]]
    assert Decision.from_calibration(num_classes, {}, conf=0.5)(0 * logits, (1, 2)).ids.tolist() == [[[65535, 65535]]]


@pytest.mark.parametrize(
    ("calibration", "conf", "expected"),
    [
        ({}, None, [0, 0, 1, 1]),
        ({"threshold": 0.3}, None, [0, 1, 1, 1]),
        ({"threshold": 0.3}, 0.7, [0, 0, 0, 1]),
        ({}, 0.0, [1, 1, 1, 1]),
        ({}, 1.0, [0, 0, 0, 0]),
    ],
)
def test_binary_threshold(calibration: dict[str, float], conf: float | None, expected: list[int]) -> None:
    logits = torch.tensor([0.1, 0.4, 0.6, 0.9]).logit()[None, None, None]
    found = Decision.from_calibration(1, calibration, conf=conf, classes=[0])(logits, (1, 4), confidence=True)
    assert found.ids.flatten().tolist() == expected
    foreground = [p if said else 1 - p for p, said in zip([0.1, 0.4, 0.6, 0.9], expected, strict=True)]
    assert found.confidence.flatten().tolist() == pytest.approx(foreground, abs=1e-3)


def test_binary_threshold_is_a_calibrated_probability() -> None:
    # sigmoid(1 / 2) = 0.622
    decision = Decision.from_calibration(1, {"temperature": 2.0, "threshold": 1 / (1 + math.exp(-0.5))})
    assert decision.logit == pytest.approx(1.0)
    assert decision(torch.tensor([[[[0.9, 1.1]]]]), (1, 2)).ids.tolist() == [[[0, 1]]]


@pytest.mark.parametrize(
    "calibration", [{"temperature": 0}, {"temperature": math.nan}, {"threshold": 2}, {"threshold": "a"}]
)
def test_calibration_that_cannot_be_meant_is_refused(calibration: dict[str, object]) -> None:
    with pytest.raises(CheckpointError, match=next(iter(calibration))):
        Decision.from_calibration(1, calibration)
