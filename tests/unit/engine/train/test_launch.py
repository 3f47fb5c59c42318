"""One process per GPU: when it is needed, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import distributed

from ultralytics.cfg import get_cfg
from ultralytics.engine.train import launch as module
from ultralytics.engine.train.launch import launch, needs_launch, process_group
from ultralytics.errors import ConfigError, DeviceError


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that says it has two GPUs."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)


def test_one_device_needs_no_launch() -> None:
    assert not needs_launch(get_cfg({"device": "cpu"}))


@pytest.mark.skipif(torch.cuda.device_count() > 1, reason="the GPUs are there")
def test_gpus_that_are_not_there_are_named() -> None:
    with pytest.raises(DeviceError, match="'0,1' does not exist here"):
        needs_launch(get_cfg({"device": "0,1"}))


@pytest.mark.usefixtures("two_gpus")
def test_several_gpus_need_it_unless_this_is_one_of_their_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    config = get_cfg({"device": "0,1"})
    assert needs_launch(config)
    assert not needs_launch(get_cfg({"device": "1"}))
    monkeypatch.setattr(module, "RANK", 0)
    assert not needs_launch(config)


@pytest.mark.usefixtures("two_gpus")
@pytest.mark.parametrize("batch", [1, 3, 0.5, -1])
def test_a_batch_that_does_not_divide_is_refused(batch: float, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not divide among 2 GPUs"):
        launch(get_cfg({"device": "0,1", "batch": batch}), tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("rank", [-1, 0])
def test_one_process_needs_no_group(rank: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RANK", rank)
    monkeypatch.setenv("WORLD_SIZE", "1")
    with process_group(torch.device("cpu")):
        assert not distributed.is_initialized()
