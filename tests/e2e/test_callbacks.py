"""Callbacks of a training: what the table of events promises, and what an error in one of them costs."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from ultralytics import YOLO
from ultralytics.engine.events import EVENTS
from ultralytics.nn.checkpoint import load_checkpoint

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "guides" / "training.md"
TRAINING = [event for event in EVENTS if not event.startswith(("on_predict", "on_export"))]
EPOCHS, BATCHES, VAL_BATCHES = 3, 2, 1


def promised() -> dict[str, str]:
    """Read from the guide how often each event fires."""
    rows = re.findall(r"^\| (`.*?) \| (.*?) \|", GUIDE.read_text(encoding="utf-8"), re.MULTILINE)
    return {event: often for names, often in rows for event in re.findall(r"`(\w+)`", names) if event in EVENTS}


def count(often: str) -> int:
    """Turn the words of the guide into a number, for this training."""
    kinds = {
        "once": 1,
        "each epoch": EPOCHS,
        "each batch of a validation": VAL_BATCHES * (EPOCHS + 1),
        "each batch": BATCHES * EPOCHS,
        "each optimizer step": BATCHES * EPOCHS,
        "each validation": EPOCHS + 1,
    }
    return next(number for words, number in kinds.items() if often.startswith(words))


@pytest.fixture(scope="module")
def fired(options: dict, tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, int | None]]:
    """Train three epochs, and return every event with the trainer's epoch."""
    model, seen = YOLO("yolo26n-sem.yaml"), []
    for event in TRAINING:
        model.add_callback(event, lambda subject, event=event: seen.append((event, getattr(subject, "epoch", None))))
    model.train(**{**options, "epochs": EPOCHS, "save_dir": str(tmp_path_factory.mktemp("run"))})
    return seen


def test_the_guide_lists_every_event_of_a_training() -> None:
    assert set(promised()) == set(TRAINING)


@pytest.mark.parametrize("event", TRAINING)
def test_an_event_fires_as_often_as_promised(event: str, fired: list[tuple[str, int | None]]) -> None:
    assert Counter(name for name, _ in fired)[event] == count(promised()[event])


def test_the_epoch_is_that_of_the_event_in_every_event(fired: list[tuple[str, int | None]]) -> None:
    within = {event for event, often in promised().items() if often.startswith("each") and "val" not in event}
    for event in within:
        times = count(promised()[event]) // EPOCHS
        expected = [epoch for epoch in range(1, EPOCHS + 1) for _ in range(times)]
        assert [epoch for name, epoch in fired if name == event] == expected, event


def test_an_epoch_is_saved_before_its_last_event(fired: list[tuple[str, int | None]]) -> None:
    kept = ("on_train_epoch_start", "on_train_epoch_end", "on_val_end", "on_model_save", "on_fit_epoch_end")
    names = [name for name, _ in fired if name in kept]
    assert names == [*kept * EPOCHS, "on_val_end"]
    assert fired[0][0] == "on_pretrain_routine_start"
    assert fired[-1][0] == "teardown"


@pytest.mark.parametrize("event", ["on_train_batch_end", "on_train_epoch_end", "on_fit_epoch_end"])
def test_a_callback_that_raises_ends_the_run_with_its_name_and_its_weights(
    event: str, options: dict, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = YOLO("yolo26n-sem.yaml")

    def count_the_sheep(trainer: object) -> None:
        if trainer.epoch == 2:
            raise LookupError("there are none")

    model.add_callback(event, count_the_sheep)
    with pytest.raises(LookupError, match="there are none"):
        model.train(**{**options, "epochs": 3, "save_dir": str(tmp_path)})
    assert "count_the_sheep" in caplog.text
    assert event in caplog.text
    done = 2 if event == "on_fit_epoch_end" else 1
    assert load_checkpoint(tmp_path / "weights" / "last.pt").epoch == done
    assert (tmp_path / "weights" / "unfinished.pt").is_file() == (done == 1)
    assert len((tmp_path / "results.csv").read_text().splitlines()) == 1 + done
    model.reset_callbacks()
    resumed = YOLO(tmp_path / "weights" / "last.pt")
    resumed.train(resume=True, epochs=3)
    assert resumed.trainer.loop.epoch == 3


def test_a_part_of_the_loss_that_validation_lacks_has_no_column(options: dict, tmp_path: Path) -> None:
    YOLO("yolo26n-sem.yaml").train(**{**options, "epochs": 1, "save_dir": str(tmp_path)})
    columns = (tmp_path / "results.csv").read_text().splitlines()[0].split(",")
    assert "train/aux_loss" in columns
    assert "val/ce_loss" in columns
    assert "val/aux_loss" not in columns
