"""Parameter groups, the automatic choice, and the learning rate of every iteration."""

from __future__ import annotations

import copy
import io
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from ultralytics.engine.train.muon import MuSGD
from ultralytics.engine.train.optim import LRSchedule, build_optimizer
from ultralytics.errors import ConfigError
from ultralytics.nn.model import GraphModel

NAMES = ["SGD", "Adam", "AdamW", "Adamax", "NAdam", "RAdam", "RMSProp", "MuSGD"]


def small() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.SiLU(), nn.Conv2d(4, 2, 1))


def steps(model: nn.Module, optimizer: torch.optim.Optimizer, count: int, seed: int = 0) -> list[float]:
    """Train on random images whose target is a fixed function of them."""
    torch.manual_seed(seed)
    losses = []
    for _ in range(count):
        images = torch.rand(4, 3, 8, 8)
        loss = (model(images) - images[:, :2]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    return losses


def test_groups_of_the_real_network() -> None:
    optimizer = build_optimizer(GraphModel("yolo26n-sem.yaml", nc=11), "AdamW", weight_decay=0.01)
    groups = optimizer.param_groups
    assert [group["param_group"] for group in groups] == ["weight", "norm", "bias"]
    assert [len(group["params"]) for group in groups] == [62, 60, 62]  # as the reference counts them
    assert [group["weight_decay"] for group in groups] == [0.01, 0.0, 0.0]
    assert all(parameter.ndim >= 2 for parameter in groups[0]["params"])


def test_frozen_parameters_are_left_out() -> None:
    model = small()
    model[0].requires_grad_(False)
    optimizer = build_optimizer(model, "SGD")
    assert [len(group["params"]) for group in optimizer.param_groups] == [1, 1, 2]


@pytest.mark.parametrize("name", NAMES)
def test_every_optimizer_learns(name: str) -> None:
    model = small()
    lr = {"SGD": 0.1, "MuSGD": 0.02, "RAdam": 0.05}.get(name, 0.005)
    losses = steps(model, build_optimizer(model, name.lower(), lr=lr, momentum=0.9), 60)
    assert sum(losses[-5:]) < 0.5 * sum(losses[:5])


@pytest.mark.parametrize("name", NAMES)
def test_resumed_steps_are_bitwise_the_same(name: str) -> None:
    straight = small()
    optimizer = build_optimizer(straight, name, lr=0.01)
    steps(straight, optimizer, 3, seed=1)
    file = io.BytesIO()
    torch.save({"model": straight.state_dict(), "optimizer": optimizer.state_dict()}, file)
    steps(straight, optimizer, 3, seed=2)

    file.seek(0)
    saved = torch.load(file, weights_only=True)
    resumed = small()
    resumed.load_state_dict(saved["model"])
    optimizer = build_optimizer(resumed, name, lr=0.01)
    optimizer.load_state_dict(saved["optimizer"])
    steps(resumed, optimizer, 3, seed=2)
    assert all(torch.equal(a, b) for a, b in zip(straight.parameters(), resumed.parameters(), strict=True))


@pytest.mark.parametrize(
    ("iterations", "kind", "lr", "momentum"),
    [(10_000, torch.optim.AdamW, 0.000667, None), (10_001, MuSGD, 0.01, 0.9)],
)
def test_automatic_choice(iterations: int, kind: type, lr: float, momentum: float | None) -> None:
    optimizer = build_optimizer(small(), "auto", lr=0.5, momentum=0.5, iterations=iterations, num_classes=11)
    group = optimizer.param_groups[0]
    assert type(optimizer) is kind
    assert (group["lr"], group.get("momentum")) == (lr, momentum)
    assert group.get("betas", (0.9, 0.999)) == (0.9, 0.999)


def test_names_are_found_in_any_case_and_unknown_ones_named() -> None:
    assert isinstance(build_optimizer(small(), "mUsGd"), MuSGD)
    with pytest.raises(ConfigError, match=r"Did you mean 'AdamW'.*auto"):
        build_optimizer(small(), "AdmW")


def schedule(name: str, **options: Any) -> LRSchedule:
    optimizer = build_optimizer(
        small(), name, lr=options.pop("lr", 0.01), momentum=options.pop("momentum", 0.937), num_classes=11, iterations=4
    )
    return LRSchedule(optimizer, steps_per_epoch=options.pop("steps_per_epoch", 2), **options)


def rates(schedule: LRSchedule, iteration: int, epochs: int) -> list[float]:
    schedule.apply(iteration, epochs)
    return [group["lr"] for group in schedule.optimizer.param_groups]


def test_recorded_rates_of_adamw() -> None:
    """`results.csv` of the reference: 2 epochs of 2 iterations, optimizer=auto, 11 classes."""
    auto = schedule("auto")
    assert auto.warmup_iterations(2) == 2
    assert rates(auto, 1, 2) == pytest.approx([0.0003335] * 3)
    assert rates(auto, 3, 2) == pytest.approx([0.000336835] * 3)


def test_recorded_rates_of_musgd() -> None:
    """The reference's MuSGD after the first of 3 epochs of 2 iterations."""
    chosen = schedule("MuSGD")
    assert rates(chosen, 1, 3) == pytest.approx([0.0025, 0.0025, 0.0775])
    assert [group["momentum"] for group in chosen.optimizer.param_groups] == pytest.approx([0.83425] * 3)


@pytest.mark.parametrize("name", ["Adam", "AdamW", "Adamax", "NAdam", "RAdam", "RMSProp"])
def test_biases_do_not_jump_with_adaptive_optimizers(name: str) -> None:
    chosen = schedule(name, lr=0.002, steps_per_epoch=100)
    for iteration in (0, 1, 50, 299):
        assert max(rates(chosen, iteration, 10)) <= 0.002


def test_biases_start_high_with_sgd() -> None:
    chosen = schedule("SGD", steps_per_epoch=100, warmup_bias_lr=0.2)
    assert rates(chosen, 0, 10) == [0.0, 0.0, 0.2]
    chosen = schedule("auto", steps_per_epoch=100, warmup_bias_lr=0.2)
    assert rates(chosen, 0, 10) == [0.0, 0.0, 0.0]


def test_cosine_and_line() -> None:
    line, cosine = schedule("SGD", lrf=0.1), schedule("SGD", lrf=0.1, cosine=True)
    assert [line.factor(epoch, 10) for epoch in (0, 5, 10)] == pytest.approx([1.0, 0.55, 0.1])
    assert [cosine.factor(epoch, 10) for epoch in (0, 5, 10)] == pytest.approx([1.0, 0.55, 0.1])
    assert cosine.factor(2, 10) > line.factor(2, 10)
    assert cosine.factor(8, 10) < line.factor(8, 10)


def test_warmup_is_at_most_all_epochs_but_one() -> None:
    chosen = schedule("SGD", warmup_epochs=3, steps_per_epoch=10)
    assert [chosen.warmup_iterations(epochs) for epochs in (1, 2, 3, 100)] == [0, 10, 20, 30]
    assert rates(chosen, 0, 1) == [0.01] * 3


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 60), st.integers(1, 9), st.floats(0, 5), st.booleans(), st.data())
def test_rates_depend_on_the_iteration_alone(
    epochs: int, steps_per_epoch: int, warmup: float, cosine: bool, data: st.DataObject
) -> None:
    chosen = schedule("SGD", cosine=cosine, warmup_epochs=warmup, steps_per_epoch=steps_per_epoch)
    iteration = data.draw(st.integers(0, epochs * steps_per_epoch - 1))
    for other in data.draw(st.lists(st.integers(0, epochs * steps_per_epoch), max_size=3)):
        chosen.apply(other, epochs)
    after_others = rates(chosen, iteration, epochs), copy.deepcopy(chosen.optimizer.state_dict())
    fresh = schedule("SGD", cosine=cosine, warmup_epochs=warmup, steps_per_epoch=steps_per_epoch)
    assert after_others == (rates(fresh, iteration, epochs), fresh.optimizer.state_dict())
    assert all(0 <= rate <= 0.1 for rate in after_others[0])
