"""One process per GPU: when it is needed, and what is refused."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import yaml
from torch import distributed

from ultralytics import YOLO
from ultralytics.cfg import get_cfg
from ultralytics.engine.train import launch as module
from ultralytics.engine.train.launch import launch, needs_launch, process_group
from ultralytics.errors import ConfigError, DeviceError
from ultralytics.tasks import get_task
from ultralytics.tasks.semantic.train import SemanticTrainer


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


class _OwnTrainer(SemanticTrainer):
    """What another process cannot know."""


@pytest.mark.usefixtures("two_gpus")
@pytest.mark.parametrize(
    ("trainer", "resume", "lost"), [(_OwnTrainer, None, "trainer="), (SemanticTrainer, object(), "resume=")]
)
def test_what_would_not_reach_the_processes_is_refused(trainer, resume, lost, tmp_path: Path) -> None:
    config = get_cfg({"device": "0,1", "batch": 4, "project": str(tmp_path)})
    with pytest.raises(ConfigError, match=f"{lost} does not reach the processes"):
        trainer(config, get_task("semantic"), {}, resume=resume).train()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("two_gpus")
def test_afterwards_the_model_has_the_best_weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    best = YOLO("yolo26n-sem.yaml")

    def processes(command: list[str], **_options: object) -> SimpleNamespace:
        config = yaml.safe_load(Path(command[-1].removeprefix("cfg=")).read_text())
        (Path(config["save_dir"]) / "weights").mkdir()
        best.save(Path(config["save_dir"]) / "weights" / "best.pt")
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(module.subprocess, "run", processes)
    model = YOLO("yolo26n-sem.yaml")
    assert model.train(device="0,1", batch=4, project=str(tmp_path), name="run") is None
    assert Path(model.ckpt_path) == tmp_path / "run" / "weights" / "best.pt"
    for name, value in best.model.state_dict().items():
        torch.testing.assert_close(model.model.state_dict()[name], value, rtol=0, atol=0)
