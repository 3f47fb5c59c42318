"""Run folders: each run has its own, and a checkpoint finds its run by what the folder holds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ultralytics import YOLO
from ultralytics.cfg import get_cfg
from ultralytics.engine.run_folder import OPTIONS_FILE, find_run, open_run_folder
from ultralytics.errors import ConfigError
from ultralytics.utils.yamlio import YAML

_OPEN = """
import sys
from ultralytics.cfg import get_cfg
from ultralytics.engine.run_folder import open_run_folder
print("ready", flush=True)
sys.stdin.readline()
with open_run_folder(get_cfg({"project": sys.argv[1], "name": "run"}, mode="val"), "any", "val") as folder:
    (folder / "a.txt").touch()
    print(folder)
"""


def test_processes_that_start_together_get_folders_of_their_own(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _OPEN, str(tmp_path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "env": os.environ.copy()}
    processes = [subprocess.Popen(command, **pipes) for _ in range(4)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    found = {process.communicate()[0].strip() for process in processes}
    assert found == {str(tmp_path / name) for name in ("run", "run-2", "run-3", "run-4")}


def opened(options: dict[str, object]) -> Path:
    """Open a folder and put something into it."""
    with open_run_folder(get_cfg(options, mode="val"), "t", "val") as folder:
        (folder / "a.txt").touch()
    return folder


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, "runs/t/val"),
        ({"project": "p", "name": "n"}, "runs/t/p/n"),
        ({"project": "p", "name": "taken [A]"}, "runs/t/p/taken [A]-2"),
        ({"project": "p", "name": "taken [A]", "exist_ok": True}, "runs/t/p/taken [A]"),
        ({"save_dir": "here", "name": "n"}, "here"),
    ],
    ids=["default", "project and name", "taken", "exist_ok", "save_dir"],
)
def test_where_a_run_lives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict, expected: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "t" / "p" / "taken [A]").mkdir(parents=True)
    assert opened(options).absolute() == tmp_path / expected


def test_an_absolute_project_is_taken_as_it_is(tmp_path: Path) -> None:
    assert opened({"project": str(tmp_path / "mine"), "name": "n"}) == tmp_path / "mine" / "n"


def test_a_run_that_writes_nothing_leaves_nothing_that_was_not_there(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    config = get_cfg({"project": str(tmp_path / "there" / "a" / "b"), "name": "n"}, mode="val")
    with open_run_folder(config, "t", "val") as folder:
        assert folder.is_dir()
    assert list(tmp_path.rglob("*")) == [tmp_path / "there"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(ConfigError, match="project="):
        opened({"project": str(tmp_path / "a")})


def test_a_parent_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="file"):
        opened({"project": str(tmp_path / "file")})


def make_run(folder: Path, made_as: Path) -> Path:
    (folder / "weights").mkdir(parents=True)
    YAML.save(folder / OPTIONS_FILE, {"save_dir": str(made_as)})
    (folder / "weights" / "last.pt").touch()
    return folder / "weights" / "last.pt"


def test_a_checkpoint_finds_its_run_where_it_was_made(tmp_path: Path) -> None:
    run = tmp_path / "run"
    make_run(run, run)
    copy = tmp_path / "Downloads" / "last.pt"
    assert find_run(copy, {"save_dir": str(run)}) == run


def test_a_run_that_was_moved_as_a_whole_is_found_around_its_checkpoint(tmp_path: Path) -> None:
    checkpoint = make_run(tmp_path / "moved", tmp_path / "run")
    assert find_run(checkpoint, {"save_dir": str(tmp_path / "run")}) == tmp_path / "moved"


def test_a_folder_of_another_run_is_not_taken(tmp_path: Path) -> None:
    other = make_run(tmp_path / "run", tmp_path / "other")
    assert find_run(other, {"save_dir": str(tmp_path / "run")}) is None
    assert find_run(tmp_path / "home" / "Downloads" / "last.pt", {"save_dir": str(tmp_path / "gone")}) is None


@pytest.fixture
def trained(make_dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Train an epoch from the folder that holds the dataset, which is named by a relative path."""
    data = make_dataset()
    monkeypatch.chdir(data.parent)
    options = {"imgsz": 64, "batch": 4, "nbs": 4, "workers": 0, "plots": False}
    YOLO("yolo26n-sem.yaml").train(data=data.name, epochs=1, save_dir=str(tmp_path / "run"), **options)
    return tmp_path / "run" / "weights" / "last.pt"


def test_a_copied_checkpoint_resumes_in_the_folder_of_its_run(trained: Path, tmp_path: Path) -> None:
    copy = tmp_path / "home" / "Downloads" / "last.pt"
    copy.parent.mkdir(parents=True)
    copy.write_bytes(trained.read_bytes())
    YOLO(copy).train(resume=True, epochs=2)
    assert len((trained.parents[1] / "results.csv").read_text().splitlines()) == 3
    assert [path.name for path in (tmp_path / "home").rglob("*") if path.is_file()] == ["last.pt"]


def test_a_run_whose_folder_is_gone_resumes_in_a_new_one_and_says_so(
    trained: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    copy = tmp_path / "home" / "Downloads" / "last.pt"
    copy.parent.mkdir(parents=True)
    trained.parents[1].rename(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "weights" / "last.pt").rename(copy)
    model = YOLO(copy)
    model.train(resume=True, epochs=2, project=str(tmp_path / "new"))
    assert model.trainer.save_dir.is_relative_to(tmp_path / "new")
    assert "new one" in caplog.text
    assert str(model.trainer.save_dir) in caplog.text


def test_a_model_is_validated_from_another_working_folder(trained: Path, tmp_path: Path, monkeypatch) -> None:
    other = tmp_path / "other"
    other.mkdir()
    monkeypatch.chdir(other)
    metrics = YOLO(trained.with_name("best.pt")).val(workers=0, plots=False, project=str(tmp_path / "val"))
    assert metrics.images > 0
    assert not (tmp_path / "val").exists(), "a validation that writes nothing leaves no folder"


def test_names_in_val_results_are_one_per_image(trained: Path, tmp_path: Path) -> None:
    folder = tmp_path / "val"
    YOLO(trained.with_name("best.pt")).val(workers=0, plots=False, save_json=True, save_dir=str(folder))
    lines = [json.loads(line) for line in (folder / "results" / "manifest.jsonl").read_text().splitlines()]
    written = {file for line in lines for file in line["files"]}
    assert written == {path.relative_to(folder / "results").as_posix() for path in (folder / "results").rglob("*.png")}
    assert len(written) == len(lines)
