"""A network that is predicted with, and changed in between."""

from __future__ import annotations

import numpy as np
import torch

from ultralytics import YOLO
from ultralytics.nn.autobackend import AutoBackend
from ultralytics.nn.model import GraphModel


def test_a_copy_knows_when_the_network_was_changed() -> None:
    network = GraphModel("yolo26n-sem.yaml", nc=2).eval()
    backend = AutoBackend(network, torch.device("cpu"))
    backend(torch.zeros(1, 3, 32, 32))
    network(torch.zeros(1, 3, 32, 32))
    assert backend.mirrors(network)
    network.load_state_dict(network.state_dict())
    assert not backend.mirrors(network)
    assert AutoBackend(network, torch.device("cpu")).mirrors(network)


def test_a_prediction_is_that_of_the_weights_as_they_are() -> None:
    torch.manual_seed(0)
    model = YOLO("yolo26n-sem.yaml")
    image = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    options = {"imgsz": 64, "probs": "full", "verbose": False}
    before = model(image, **options)[0].semantic_mask.probs
    kept = model.predictor.model
    assert torch.equal(model(image, **options)[0].semantic_mask.probs, before)
    assert model.predictor.model is kept  # nothing is copied again without need
    with torch.no_grad():
        for parameter in model.model.parameters():
            parameter.zero_()
    after = model(image, **options)[0].semantic_mask.probs
    assert torch.allclose(after, after.new_tensor(1 / len(after)).expand_as(after), atol=1e-3)


def test_a_call_does_not_change_the_results_of_an_earlier_one_that_are_still_to_come() -> None:
    model = YOLO("yolo26n-sem.yaml")
    image = np.zeros((64, 64, 3), np.uint8)
    first = model(iter([image]), imgsz=64, probs="full", verbose=False)
    second = model(iter([image]), imgsz=64, verbose=False)
    assert next(second).semantic_mask.probs is None
    assert next(first).semantic_mask.probs is not None
