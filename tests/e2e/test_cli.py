"""The `yolo` command as a process of its own: what it does, what it leaves, what it says, how it ends."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).resolve().parents[2]
TINY = ("imgsz=32", "batch=4", "nbs=4", "device=cpu", "workers=0", "mosaic=0", "optimizer=AdamW", "plots=False")

Yolo = Callable[..., subprocess.CompletedProcess]


def _yolo(folder: Path) -> Yolo:
    """Make a function that runs the command in a folder, with settings of its own."""
    settings = {"YOLO_CONFIG_DIR": str(folder / "settings"), "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}

    def run(*arguments: object) -> subprocess.CompletedProcess:
        command = [sys.executable, "-m", "ultralytics", *map(str, arguments)]
        return subprocess.run(
            command, cwd=folder, env={**os.environ, **settings}, capture_output=True, encoding="utf-8", check=False
        )

    return run


@pytest.fixture
def yolo(tmp_path: Path) -> Yolo:
    return _yolo(tmp_path)


@pytest.fixture(scope="module")
def training(dataset, tmp_path_factory) -> tuple[subprocess.CompletedProcess, Path]:
    """Train for two epochs by the command; return what it said and the folder of the run."""
    folder = tmp_path_factory.mktemp("shell")
    said = _yolo(folder)("semantic", "train", "model=yolo26n-sem.yaml", f"data={dataset}", "epochs=2", *TINY,
                         f"project={folder}", "name=läuft")  # fmt: skip
    return said, folder / "läuft"


def _ended(result: subprocess.CompletedProcess, code: int) -> str:
    """Check the exit code and that nobody sees a traceback; return everything that was said."""
    said = result.stdout + result.stderr
    assert result.returncode == code, said
    assert "Traceback" not in said
    return said


def _rows(folder: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((folder / "results.csv").read_text().splitlines()))


# What works


def test_training_ends_by_naming_its_files(training):
    result, folder = training
    said = _ended(result, 0)
    assert str(folder / "weights" / "best.pt") in said
    assert [row["epoch"] for row in _rows(folder)] == ["1", "2"]
    assert {"args.yaml", "results.csv", "weights"} <= {path.name for path in folder.iterdir()}


def test_validation_finds_the_score_of_the_training(training, dataset, yolo, tmp_path):
    _, folder = training
    best = max(float(row["metrics/mIoU"]) for row in _rows(folder))
    said = _ended(yolo("semantic", "val", f"model={folder}/weights/best.pt", "rect=True", "imgsz=32", "plots=False"), 0)
    assert f"{best:.4f}" in said  # the dataset was found in the weights
    assert all(name in said for name in ("ground", "disc", "bar"))
    assert not (tmp_path / "runs").exists()  # nothing to write, nothing made


def test_prediction_writes_pictures_and_names_their_folder(training, dataset, yolo, tmp_path):
    _, folder = training
    source = dataset.parent / "images" / "val"
    said = _ended(yolo("predict", f"model={folder}/weights/last.pt", f"source={source}", "save_mask", "imgsz=32",
                       f"project={tmp_path}", "name=Bilder é"), 0)  # fmt: skip
    target = tmp_path / "Bilder é"
    assert f"Results in {target}" in said
    assert {path.name for path in target.glob("*.jpg")} == {f"{i}.jpg" for i in range(4)}
    ids = cv2.imdecode(np.fromfile(target / "masks" / "0.png", np.uint8), cv2.IMREAD_UNCHANGED)
    assert (ids.shape, ids.dtype) == ((64, 96), np.uint8)


def test_a_run_goes_on_where_it_was(training, yolo, tmp_path):
    _, folder = training
    run = Path(shutil.copytree(folder, tmp_path / "run"))
    _ended(yolo("train", f"resume={run}/weights/last.pt", "epochs=3"), 0)
    assert [row["epoch"] for row in _rows(run)] == ["1", "2", "3"]
    assert _rows(run)[:2] == _rows(folder)


def test_a_dataset_is_checked(dataset, yolo, tmp_path):
    assert "nc=3" in _ended(yolo("check", f"data={dataset}"), 0)
    own = Path(shutil.copytree(dataset.parent, tmp_path / "own"))
    mask = own / "masks" / "train" / "3.png"
    mask.write_bytes(cv2.imencode(".png", np.full((64, 96), 7, np.uint8))[1].tobytes())
    said = _ended(yolo("check", f"data={own / dataset.name}"), 1)
    assert str(mask) in said
    assert "7" in said


def test_masks_of_colours_become_masks_of_ids(yolo, tmp_path):
    colours = np.array([[(0, 0, 255), (0, 255, 0)]], np.uint8)  # red and green, in OpenCV's order
    (tmp_path / "colours").mkdir()
    (tmp_path / "colours" / "a.png").write_bytes(cv2.imencode(".png", colours)[1].tobytes())
    (tmp_path / "data.yaml").write_text("names: [grass, brick]\ncolors: {grass: [0, 255, 0], brick: [255, 0, 0]}\n")
    _ended(yolo("convert", "colors-to-ids", "source=colours", "target=ids", "data=data.yaml"), 0)
    ids = cv2.imdecode(np.fromfile(tmp_path / "ids" / "a.png", np.uint8), cv2.IMREAD_UNCHANGED)
    assert ids.tolist() == [[1, 0]]
    assert "needs target=…" in _ended(yolo("convert", "colors-to-ids", "source=colours", "data=data.yaml"), 2)


# What does not


@pytest.mark.parametrize(
    ("line", "code", "told"),
    [
        ("semantic train epoch=3", 2, "Did you mean 'epochs'"),
        ("semantic predict modle=x.pt", 2, "Did you mean 'mode' or 'model'"),
        ("semantic trian", 2, "Did you mean 'train'"),  # codespell:ignore trian
        ("semantic train epochs=three", 2, "'epochs' takes a whole number"),
        ("semantic train mosaic=2", 2, "'mosaic' takes a number"),
        ("semantic train optimizer=Adm", 2, "optimizer"),
        ("predict model=x.pt", 1, "Give a source"),
    ],
)
def test_a_wrong_line_is_refused_before_anything_is_made(yolo, tmp_path, line, code, told):
    result = yolo(*line.split())
    assert told in _ended(result, code)
    assert len(result.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("train model=yolo26n-sem.yaml data=no/where.yaml", "no/where.yaml' does not exist"),
        ("predict model=no/where.pt source=a.jpg", "'no/where.pt' does not exist"),
        ("predict model=yolo26n-sem.yaml source=no/where.jpg", "'no/where.jpg' does not exist"),
        ("train model=yolo27n-sem.yaml", "Did you mean 'yolo26-sem.yaml'"),
        ("val model=yolo26n-sem.yaml device=7", "device='7' does not exist here. There are: cpu"),
    ],
)
def test_what_is_missing_is_named(yolo, tmp_path, line, told):
    assert told in _ended(yolo(*line.split(), "imgsz=32"), 1)
    assert not (tmp_path / "runs").exists()
