"""The moving average of the weights."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from ultralytics.engine.train.ema import ModelEMA


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))


def test_copy_is_frozen_and_in_eval_mode() -> None:
    model = network().train()
    average = ModelEMA(model)
    assert not average.model.training
    assert model.training
    assert not any(parameter.requires_grad for parameter in average.model.parameters())
    assert all(parameter.requires_grad for parameter in model.parameters())


@pytest.mark.parametrize("steps", [1, 500, 100_000])
def test_update_follows_the_formula(steps: int) -> None:
    model = network()
    average = ModelEMA(model)
    before = {name: value.clone() for name, value in average.state_dict().items()}
    model(torch.rand(2, 3, 4, 4))  # moves the batch statistics
    with torch.no_grad():
        model[0].weight += 1
    average.update(model, steps)
    keep = 0.9999 * (1 - math.exp(-steps / 2000))
    for name, value in average.state_dict().items():
        current = model.state_dict()[name]
        if value.is_floating_point():
            assert torch.allclose(value, keep * before[name] + (1 - keep) * current, atol=1e-6), name
        else:
            assert value == current == 1


def test_values_come_from_inside_parallel_models() -> None:
    model = network()
    average = ModelEMA(nn.DataParallel(model))
    assert type(average.model) is nn.Sequential
    average.update(nn.DataParallel(model), 1)


def test_resumed_average_is_bitwise_the_same() -> None:
    model = network()
    straight = ModelEMA(model)
    straight.update(model, 1)
    resumed = ModelEMA(network())
    resumed.load_state_dict({name: value.clone() for name, value in straight.state_dict().items()})
    with torch.no_grad():
        model[0].weight.mul_(1.7)
    straight.update(model, 2)
    resumed.update(model, 2)
    for name, value in straight.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name])
