"""What a training does when something goes wrong: NaN, wrong starts. Whole trainings are in tests/e2e."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ultralytics import YOLO
from ultralytics.errors import TrainingError
from ultralytics.nn.checkpoint import load_checkpoint


@pytest.fixture
def options(make_dataset: Callable[..., Path], tmp_path: Path) -> dict[str, Any]:
    return {"data": str(make_dataset()), "imgsz": 32, "batch": 4, "nbs": 4, "device": "cpu", "workers": 0,
            "plots": False, "mosaic": 0.0, "optimizer": "AdamW", "save_dir": str(tmp_path / "run")}  # fmt: skip


def spoil(epoch: int, times: int) -> Callable[[Any], None]:
    """Make the weights NaN at the start of an epoch, so many times."""
    left = [times]

    def function(trainer: Any) -> None:
        if trainer.epoch == epoch and left[0]:
            left[0] -= 1
            next(trainer.model.parameters()).data.fill_(float("nan"))

    return function


def test_a_loss_that_becomes_nan_is_recovered_from(options: dict, caplog: pytest.LogCaptureFixture) -> None:
    model = YOLO("yolo26n-sem.yaml")
    model.add_callback("on_train_epoch_start", spoil(epoch=2, times=1))
    model.train(**options, epochs=3)
    assert "Going back to epoch 1" in caplog.text
    assert model.trainer.loop.epoch == 3
    assert all(value.isfinite().all() for value in model.model.state_dict().values())


def test_a_loss_that_stays_nan_ends_the_run_and_names_images(options: dict) -> None:
    model = YOLO("yolo26n-sem.yaml")
    model.add_callback("on_train_epoch_start", spoil(epoch=2, times=9))
    with pytest.raises(TrainingError, match=r"in the batch of .*\.png.* lower lr0"):
        model.train(**options, epochs=3)
    assert load_checkpoint(Path(options["save_dir"]) / "weights" / "last.pt").epoch == 1


def test_an_older_run_in_the_same_folder_is_never_gone_back_to(options: dict) -> None:
    YOLO("yolo26n-sem.yaml").train(**options, epochs=2)
    model = YOLO("yolo26n-sem.yaml")
    model.add_callback("on_train_epoch_start", spoil(epoch=1, times=1))
    with pytest.raises(TrainingError, match="The loss became"):
        model.train(**options, epochs=2, exist_ok=True)


def test_the_same_seed_gives_the_same_weights_whatever_was_drawn_before(options: dict, tmp_path: Path) -> None:
    losses = []
    for name in ("one", "two"):
        model = YOLO("yolo26n-sem.yaml")  # draws random weights from wherever the generator is
        model.train(**{**options, "save_dir": str(tmp_path / name)}, epochs=1)
        losses.append(model.trainer.loss_items)
    assert losses[0] == losses[1]
