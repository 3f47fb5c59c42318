"""What a run remembers, and where it lives."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import torch
from torch import nn

from ultralytics.engine.train.ema import ModelEMA
from ultralytics.engine.train.state import LoopState, Stopwatch, TrainingState
from ultralytics.errors import ConfigError


def test_only_a_strictly_better_fitness_is_better() -> None:
    loop, answers = LoopState(epochs=9), []
    for fitness in (0.0, 0.0, 0.4, 0.3, 0.4):
        loop.epoch += 1
        answers.append(loop.observe(fitness))
    assert answers == [True, False, True, False, False]
    assert (loop.best_fitness, loop.best_epoch) == (0.4, 3)


def test_the_loss_decides_between_epochs_of_one_fitness() -> None:
    loop, answers = LoopState(epochs=9), []
    for fitness, loss in ((0.0, 2.0), (0.0, 1.5), (0.0, 1.5), (0.0, float("nan")), (0.1, 3.0), (0.1, 3.1), (0.0, 0.1)):
        loop.epoch += 1
        answers.append(loop.observe(fitness, loss))
    assert answers == [True, True, False, False, True, False, False]
    assert (loop.best_epoch, loop.best_loss) == (5, 3.0)


def test_what_an_older_run_did_not_note_keeps_its_default() -> None:
    old = LoopState(epochs=9, epoch=3, best_fitness=0.4).state_dict()
    del old["best_loss"]
    loop = LoopState(epochs=1)
    loop.load_state_dict(old)
    assert (loop.epochs, loop.best_fitness, loop.best_loss) == (9, 0.4, float("inf"))


def test_the_numbers_survive_saving() -> None:
    loop = LoopState(epochs=9, epoch=3, iteration=40, updates=11, elapsed=2.5, best_fitness=0.4, best_epoch=2)
    other = LoopState(epochs=1)
    other.load_state_dict(loop.state_dict())
    assert other == loop


def make_state(seed: int) -> TrainingState:
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    return TrainingState(model, ModelEMA(model), optimizer, torch.amp.GradScaler("cpu", enabled=False), LoopState(9))


def step(state: TrainingState) -> None:
    loss = state.model(torch.rand(4, 1, 2, 2)).square().mean()
    state.optimizer.zero_grad()
    loss.backward()
    state.optimizer.step()
    state.loop.updates += 1
    state.ema.update(state.model, state.loop.updates)


def test_a_restored_state_goes_on_as_the_original(tmp_path: Path) -> None:
    straight = make_state(0)
    step(straight)
    torch.save(straight.snapshot(), tmp_path / "state.pt")
    step(straight)

    resumed = make_state(1)
    resumed.restore(torch.load(tmp_path / "state.pt", weights_only=True))
    step(resumed)
    assert resumed.loop == straight.loop
    for one, two in ((resumed.model, straight.model), (resumed.ema.model, straight.ema.model)):
        assert all(torch.equal(value, two.state_dict()[name]) for name, value in one.state_dict().items())


def test_a_checkpoint_without_state_cannot_be_resumed() -> None:
    with pytest.raises(ConfigError, match=r"last\.pt"):
        make_state(0).restore(None)


def test_a_watch_goes_on_from_earlier_runs() -> None:
    begin = time.monotonic()
    watch = Stopwatch(100.0)
    first, second = watch(), watch()
    assert 100 <= first <= second <= 100 + time.monotonic() - begin
