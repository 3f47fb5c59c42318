"""results.csv, and loggers of other tools through stand-ins of their packages."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ultralytics.engine.events import CallbackList
from ultralytics.engine.loggers import LOGGERS, ResultsCSV, add_loggers
from ultralytics.utils.imports import available, load


def rows(*epochs: int) -> list[dict[str, float]]:
    return [{"epoch": epoch, "time": epoch * 1.5, "metrics/mIoU": epoch / 3} for epoch in epochs]


def written(path: Path, epochs: list[dict[str, float]], **options: int) -> list[str]:
    table = ResultsCSV(path, **options)
    for row in epochs:
        table.write(row)
    return path.read_text().splitlines()


def test_rows_have_six_digits(tmp_path: Path) -> None:
    lines = written(tmp_path / "results.csv", rows(1, 2))
    assert lines == ["epoch,time,metrics/mIoU", "1,1.5,0.333333", "2,3,0.666667"]


def test_nothing_is_written_before_the_first_row(tmp_path: Path) -> None:
    ResultsCSV(tmp_path / "results.csv")
    assert list(tmp_path.iterdir()) == []


def test_columns_stay_as_the_first_row_has_them(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    later = [{"time": 9.0, "epoch": 2.0, "new": 1.0}]
    assert written(tmp_path / "a.csv", rows(1) + later)[2] == "2,9,"
    assert "new" in caplog.text


def test_resuming_drops_what_came_after(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    written(path, rows(1, 2, 3))
    with path.open("a") as file:
        file.write("4,6")  # the run was killed while it wrote
    straight = written(tmp_path / "straight.csv", rows(1, 2, 3, 4))
    assert written(path, rows(3, 4), resume_epoch=2) == straight


def test_a_new_run_starts_a_new_file(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    written(path, rows(1, 2))
    assert written(path, rows(1)) == ["epoch,time,metrics/mIoU", "1,1.5,0.333333"]


@pytest.mark.parametrize("content", ["", "garbage\n1,2\n"])
def test_resuming_without_a_usable_file(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.csv").write_text(content)
    assert written(tmp_path / "a.csv", rows(3), resume_epoch=2) == ["epoch,time,metrics/mIoU", "3,4.5,1"]


def trainer(folder: Path) -> Any:
    return SimpleNamespace(
        save_dir=folder,
        loop=SimpleNamespace(epoch=0),
        loss_items={"ce_loss": 2.0},
        metrics={"metrics/mIoU": 0.5},
        optimizer=SimpleNamespace(param_groups=[{"lr": 0.1}, {"lr": 0.2}]),
        args=SimpleNamespace(as_dict=lambda: {"epochs": 2}),
    )


def run(callbacks: CallbackList, subject: Any) -> None:
    """Fire the events of a training of two epochs and its final validation."""
    subject.loop.epoch = 0
    callbacks.run("on_train_start", subject)
    for epoch in (1, 2):
        subject.loop.epoch = epoch
        callbacks.run("on_fit_epoch_end", subject)
    subject.metrics = {"metrics/mIoU": 0.75}
    callbacks.run("on_fit_epoch_end", subject)
    callbacks.run("on_train_end", subject)


STAND_INS = {
    "wandb": """
        calls = []
        class Run:
            def log(self, figures, step): calls.append(["log", figures, step])
            def finish(self): calls.append(["finish"])
        def init(**options):
            calls.append(["init", options])
            return Run()
        """,
    "mlflow": """
        calls = []
        def __getattr__(name):
            if name.startswith("_"):
                raise AttributeError(name)
            return lambda *args, **options: calls.append([name, *args, options])
        """,
}


@pytest.fixture
def stand_in(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Install a package that only writes down how it is called."""
    name = request.param
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / f"{name}.py").write_text(textwrap.dedent(STAND_INS[name]))
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.delitem(sys.modules, name, raising=False)
    yield name
    sys.modules.pop(name, None)


FIGURES = {"train/ce_loss": 2.0, "metrics/mIoU": 0.5, "lr/pg0": 0.1, "lr/pg1": 0.2}


@pytest.mark.parametrize("stand_in", ["wandb"], indirect=True)
def test_wandb_gets_every_epoch_once(stand_in: str, tmp_path: Path) -> None:
    callbacks = CallbackList()
    assert add_loggers(callbacks, {stand_in: True}) == ["wandb"]
    run(callbacks, trainer(tmp_path / "project" / "run-2"))
    start, *rest = load("wandb:calls")
    assert start[0] == "init"
    assert (start[1]["project"], start[1]["name"], start[1]["config"]) == ("project", "run-2", {"epochs": 2})
    assert rest == [["log", FIGURES, 1], ["log", FIGURES, 2], ["finish"]]


@pytest.mark.parametrize("stand_in", ["mlflow"], indirect=True)
def test_mlflow_gets_every_epoch_once(stand_in: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    callbacks = CallbackList()
    assert add_loggers(callbacks, {stand_in: True}) == ["mlflow"]
    run(callbacks, trainer(tmp_path / "project" / "run"))
    calls = load("mlflow:calls")
    assert [call[0] for call in calls[:4]] == ["set_tracking_uri", "set_experiment", "start_run", "log_params"]
    assert calls[0][1].startswith("file://")
    assert calls[4:] == [["log_metrics", FIGURES, {"step": 1}], ["log_metrics", FIGURES, {"step": 2}], ["end_run", {}]]


@pytest.mark.parametrize("stand_in", ["wandb"], indirect=True)
def test_a_second_training_does_not_log_twice(stand_in: str, tmp_path: Path) -> None:
    callbacks = CallbackList()
    subject = trainer(tmp_path / "run")
    for _ in range(2):
        assert add_loggers(callbacks, {stand_in: True}) == ["wandb"]
        run(callbacks, subject)
    kinds = [call[0] for call in load("wandb:calls")]
    assert kinds == ["init", "log", "log", "finish"] * 2


def test_switched_off_or_missing_loggers_are_left_out(caplog: pytest.LogCaptureFixture) -> None:
    callbacks = CallbackList()
    assert add_loggers(callbacks, {}) == []
    assert caplog.text == ""
    missing = [logger.setting for logger in LOGGERS if not available(logger.package)]
    assert add_loggers(callbacks, dict.fromkeys(missing, True)) == []
    assert all(f"'{setting}' is on, but" in caplog.text for setting in missing)
    assert callbacks.functions("on_train_start") == ()


@pytest.mark.skipif(not available("tensorboard"), reason="tensorboard is not installed")
def test_tensorboard_writes_event_files(tmp_path: Path) -> None:
    callbacks = CallbackList()
    assert add_loggers(callbacks, {"tensorboard": True}) == ["tensorboard"]
    run(callbacks, trainer(tmp_path))
    assert list(tmp_path.glob("events.out.tfevents.*"))


def test_the_table_names_real_classes() -> None:
    for logger in LOGGERS:
        assert load(logger.target).__name__.endswith("Logger")
