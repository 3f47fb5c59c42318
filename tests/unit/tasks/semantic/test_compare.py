"""An artefact against its network: whatever it returns, results are what prediction makes of it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from ultralytics.deploy.metadata import ModelMetadata
from ultralytics.tasks.semantic.compare import SemanticComparison

SIZE = (32, 48)


@pytest.fixture(params=[1, 3], ids=["binary", "three classes"])
def logits(request: pytest.FixtureRequest) -> torch.Tensor:
    return 3 * torch.randn(2, request.param, 4, 6, generator=torch.Generator().manual_seed(0))


def _comparison(logits: torch.Tensor, output: str, *, labelled: bool = False) -> SemanticComparison:
    names = {index: str(index) for index in range(logits.shape[1])}
    calibration = {"temperature": 2.0, "threshold": 0.7}
    metadata = ModelMetadata(task="semantic", names=names, stride=8, imgsz=SIZE, output=output, calibration=calibration)
    return SemanticComparison(metadata, labelled=labelled)


def _answer(logits: torch.Tensor, output: str) -> np.ndarray:
    """What an artefact returns that computes as the network does."""
    full = functional.interpolate(logits, SIZE, mode="bilinear", align_corners=False)
    if output == "logits_lowres":
        return logits.numpy()
    if output == "logits":
        return full.numpy()
    if output == "probs":
        return ((full / 2).sigmoid() if logits.shape[1] == 1 else (full / 2).softmax(1)).numpy()
    return _comparison(logits, output).read_network(logits, SIZE).numpy()


@pytest.mark.parametrize("output", ["classmap", "probs", "logits", "logits_lowres"])
def test_equal_answers_have_equal_pixels(logits, output):
    comparison, answer = _comparison(logits, output, labelled=True), (_answer(logits, output),)
    truth, ids = comparison.read_network(logits, SIZE), comparison.read_artefact(answer, SIZE)
    assert ids.shape == (2, *SIZE)
    assert truth.unique().numel() == max(logits.shape[1], 2)
    comparison.update({"semantic_mask": truth}, (logits, truth), (answer, ids))
    figures = comparison.figures()
    assert figures["equal_pixels"] > 0.999
    assert figures["miou_drop"] == pytest.approx(0, abs=0.002)
    assert ("max_logit_error" in figures) == output.startswith("logits")
    if output.startswith("logits"):
        assert figures["max_logit_error"] < 1e-4


def test_what_differs_is_counted(logits):
    comparison = _comparison(logits, "classmap", labelled=True)
    truth = comparison.read_network(logits, SIZE)
    wrong = truth.clone()
    wrong[0] = (wrong[0] + 1) % max(logits.shape[1], 2)
    comparison.update({"semantic_mask": truth}, (logits, truth), ((wrong.numpy(),), wrong))
    figures = comparison.figures()
    assert figures["equal_pixels"] == 0.5
    assert figures["miou_network"] == 1
    assert figures["miou_drop"] > 0.3


def test_of_a_class_map_the_least_error_of_the_logits_is_told(logits):
    noise = 0.5 * torch.randn(logits.shape, generator=torch.Generator().manual_seed(1))
    comparison = _comparison(logits, "classmap")
    truth = comparison.read_network(logits, SIZE)
    comparison.update({}, (logits, truth), ((truth.numpy(),), truth))
    assert comparison.figures()["max_logit_error_at_least"] == 0
    ids = comparison.read_network(logits + noise, SIZE)
    comparison.update({}, (logits, truth), ((ids.numpy(),), ids))
    least = comparison.figures()["max_logit_error_at_least"]
    assert 0.1 < least <= noise.abs().max()
