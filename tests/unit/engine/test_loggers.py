"""results.csv and results.jsonl, and loggers of other tools: through stand-ins of their packages, and MLflow itself."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from ultralytics.engine.loggers import LOGGERS, ResultsCSV, ResultsJSON, RunLogger, RunLoggers, wanted_loggers
from ultralytics.engine.train.figures import EpochFigures, RunFacts
from ultralytics.utils.imports import available, load


def figures(epoch: int, **metrics: float) -> EpochFigures:
    metrics = metrics or {"metrics/mIoU": epoch / 3}
    return EpochFigures(epoch=epoch, seconds=epoch * 1.5, losses={}, metrics=metrics, rates={})


def written(logger: RunLogger, folder: Path, epochs: list[EpochFigures], resume_epoch: int = 0) -> list[str]:
    logger.start(RunFacts(folder=folder, options={}, resume_epoch=resume_epoch))
    for epoch in epochs:
        logger.write(epoch)
    logger.end("finished")
    return (folder / logger.name).read_text().splitlines()


def test_rows_have_six_digits(tmp_path: Path) -> None:
    lines = written(ResultsCSV(), tmp_path, [figures(1), figures(2)])
    assert lines == ["epoch,time,metrics/mIoU", "1,1.5,0.333333", "2,3,0.666667"]


def test_lines_have_all_digits_and_null_for_what_is_not_known(tmp_path: Path) -> None:
    lines = written(ResultsJSON(), tmp_path, [figures(1), figures(2, miou=float("nan"))])
    assert [json.loads(line) for line in lines] == [
        {"epoch": 1, "time": 1.5, "metrics/mIoU": 1 / 3},
        {"epoch": 2, "time": 3.0, "miou": None},
    ]


@pytest.mark.parametrize("kind", [ResultsCSV, ResultsJSON])
def test_nothing_is_written_before_the_first_epoch(kind: type[RunLogger], tmp_path: Path) -> None:
    kind().start(RunFacts(folder=tmp_path, options={}))
    assert list(tmp_path.iterdir()) == []


def test_columns_stay_as_the_first_row_has_them(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert written(ResultsCSV(), tmp_path, [figures(1), figures(2, new=1.0)])[2] == "2,3,"
    assert "new" in caplog.text


@pytest.mark.parametrize("kind", [ResultsCSV, ResultsJSON])
def test_resuming_drops_what_came_after(kind: type[RunLogger], tmp_path: Path) -> None:
    (tmp_path / "straight").mkdir()
    straight = written(kind(), tmp_path / "straight", [figures(epoch) for epoch in (1, 2, 3, 4)])
    written(kind(), tmp_path, [figures(epoch) for epoch in (1, 2, 3)])
    with (tmp_path / kind.name).open("a") as file:
        file.write("4,6" if kind is ResultsCSV else '{"epoch": 4, "ti')  # the run was killed while it wrote
    assert written(kind(), tmp_path, [figures(3), figures(4)], resume_epoch=2) == straight


@pytest.mark.parametrize("kind", [ResultsCSV, ResultsJSON])
def test_a_new_run_starts_a_new_file(kind: type[RunLogger], tmp_path: Path) -> None:
    first = written(kind(), tmp_path, [figures(1)])
    assert written(kind(), tmp_path, [figures(1)]) == first


@pytest.mark.parametrize("content", ["", "garbage\n1,2\n"])
def test_resuming_without_a_usable_file(tmp_path: Path, content: str) -> None:
    (tmp_path / "results.csv").write_text(content)
    assert written(ResultsCSV(), tmp_path, [figures(3)], resume_epoch=2) == ["epoch,time,metrics/mIoU", "3,4.5,1"]


# Tools ---------------------------------------------------------------------------------------------------------------

STAND_INS = {
    "wandb": """
        calls, run = [], None
        class Config:
            def update(self, values, **options): calls.append(["config", values])
        class Run:
            config = Config()
            def log(self, figures, step=None): calls.append(["log", figures, step])
            def finish(self, exit_code): calls.append(["finish", exit_code])
        def init(**options):
            calls.append(["init", options])
            return Run()
        """,
}


@pytest.fixture
def wandb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list]:
    """Install a package that only writes down how it is called."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "wandb.py").write_text(textwrap.dedent(STAND_INS["wandb"]))
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.delitem(sys.modules, "wandb", raising=False)
    yield load("wandb:calls")
    sys.modules.pop("wandb", None)


FIGURES = {"train/ce_loss": 2.0, "metrics/mIoU": 0.5, "lr/pg0": 0.1}


def train(loggers: list[RunLogger], folder: Path, *, fails: BaseException | None = None) -> None:
    """Do what a training of two epochs does with its loggers."""
    with RunLoggers(loggers) as run:
        run.start(RunFacts(folder=folder, options={"epochs": 2}))
        for epoch in (1, 2):
            losses, metrics, rates = ({name: FIGURES[name]} for name in FIGURES)
            unknown = {"val/ce_loss": float("nan")}
            run.write(
                EpochFigures(epoch=epoch, seconds=1.0, losses=losses, metrics={**metrics, **unknown}, rates=rates)
            )
            if fails is not None:
                raise fails


def test_wandb_gets_every_epoch_once_and_only_what_is_known(wandb: list, tmp_path: Path) -> None:
    train(wanted_loggers({"wandb": True})[2:], tmp_path / "project" / "run-2")
    start, *rest = wandb
    assert (start[1]["project"], start[1]["name"], start[1]["config"]) == ("project", "run-2", {"epochs": 2})
    assert rest == [["log", FIGURES, 1], ["log", FIGURES, 2], ["finish", 0]]


def test_a_run_of_wandb_that_is_active_is_logged_into_and_left_open(wandb: list, tmp_path: Path) -> None:
    module = sys.modules["wandb"]
    module.run = module.Run()
    train(wanted_loggers({"wandb": True})[2:], tmp_path)
    assert [call[0] for call in wandb] == ["config", "log", "log"]
    assert wandb[1] == ["log", {**FIGURES, "epoch": 1}, None]


@pytest.mark.parametrize("error", [RuntimeError("in a callback"), KeyboardInterrupt()], ids=["error", "interrupt"])
def test_a_broken_training_closes_its_loggers(wandb: list, tmp_path: Path, error: BaseException) -> None:
    with pytest.raises(type(error)):
        train(wanted_loggers({"wandb": True})[2:], tmp_path, fails=error)
    assert wandb[-1] == ["finish", 1]


class Broken(RunLogger):
    """A tool that is down, at one of its calls."""

    name = "Broken"

    def __init__(self, fails_at: str) -> None:
        self.fails_at, self.calls = fails_at, []

    def _call(self, name: str) -> None:
        self.calls.append(name)
        if name == self.fails_at:
            raise ConnectionError("no server at 127.0.0.1:9")

    def start(self, facts: RunFacts) -> None:
        self._call("start")

    def write(self, figures: EpochFigures) -> None:
        self._call("write")

    def end(self, status: str) -> None:
        self._call("end")


@pytest.mark.parametrize(
    ("fails_at", "calls"),
    [("start", ["start"]), ("write", ["start", "write"]), ("end", ["start", "write", "write", "end"])],
)
def test_a_tool_that_fails_costs_one_warning_and_nothing_else(
    fails_at: str, calls: list[str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    broken = Broken(fails_at)
    train([broken, ResultsCSV()], tmp_path)
    assert broken.calls == calls
    assert [record.levelname for record in caplog.records if "no server" in record.message] == ["WARNING"]
    assert len((tmp_path / "results.csv").read_text().splitlines()) == 3


def test_switched_off_or_missing_tools_are_left_out(caplog: pytest.LogCaptureFixture) -> None:
    assert [type(logger) for logger in wanted_loggers({})] == [ResultsCSV, ResultsJSON]
    assert caplog.text == ""
    missing = [row.setting for row in LOGGERS if not available(row.package)]
    assert len(wanted_loggers(dict.fromkeys(missing, True))) == 2
    assert all(f"'{setting}' is on, but" in caplog.text for setting in missing)


@pytest.mark.skipif(not available("tensorboard"), reason="tensorboard is not installed")
def test_tensorboard_writes_event_files(tmp_path: Path) -> None:
    train(wanted_loggers({"tensorboard": True})[2:], tmp_path)
    assert list(tmp_path.glob("events.out.tfevents.*"))


@pytest.fixture
def mlflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator:
    """Give the real MLflow a store of its own."""
    module = pytest.importorskip("mlflow", reason="mlflow is not installed")
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_RUN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")  # the light package has no database
    module.set_tracking_uri((tmp_path / "store").as_uri())
    yield module
    while module.active_run():
        module.end_run()


def test_mlflow_gets_every_epoch_in_a_run_that_ends(mlflow, tmp_path: Path) -> None:
    train(wanted_loggers({"mlflow": True})[2:], tmp_path / "project" / "run")
    client = mlflow.MlflowClient()
    (run,) = client.search_runs([client.get_experiment_by_name("project").experiment_id])
    assert (run.info.run_name, run.info.status) == ("run", "FINISHED")
    assert [point.step for point in client.get_metric_history(run.info.run_id, "metrics/mIoU")] == [1, 2]
    assert run.data.params["epochs"] == "2"
    assert mlflow.active_run() is None


def test_a_run_of_mlflow_that_is_active_becomes_the_parent_and_stays_open(mlflow, tmp_path: Path) -> None:
    mlflow.set_experiment("mine")
    with mlflow.start_run() as own:
        train(wanted_loggers({"mlflow": True})[2:], tmp_path / "run")
        assert mlflow.active_run().info.run_id == own.info.run_id
    client = mlflow.MlflowClient()
    runs = client.search_runs([own.info.experiment_id])
    assert {run.data.tags.get("mlflow.parentRunId") for run in runs} == {None, own.info.run_id}


def test_the_table_names_real_classes() -> None:
    for row in LOGGERS:
        assert issubclass(load(row.target), RunLogger)
