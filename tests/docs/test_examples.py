"""Every script in examples/ runs as a user runs it, on a few small pictures, and says or leaves what it promises."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from ultralytics import YOLO, scenes, settings
from ultralytics.nn.registry import MODULES
from ultralytics.utils.yamlio import YAML

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"

Run = Callable[..., str]


@pytest.fixture
def run(tmp_path, monkeypatch, capsys) -> Run:
    """Make a function that runs a script in a folder of its own and returns what it prints."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("YOLO_CONFIG_DIR", str(tmp_path / "settings"))
    settings.update(runs_dir=str(tmp_path / "runs"))

    def run_script(name: str, *arguments: object) -> str:
        monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
        capsys.readouterr()
        runpy.run_path(str(EXAMPLES / name), run_name="__main__")
        return capsys.readouterr().out

    return run_script


@pytest.fixture
def streets(tmp_path) -> Path:
    """The embedded dataset in small."""
    scenes.generate(tmp_path / "streets", train=4, val=2, size=(64, 96))
    description = {"path": str(tmp_path / "streets"), "train": "images/train", "val": "images/val"}
    YAML.save(tmp_path / "small.yaml", {**description, "names": [f"class {number}" for number in range(19)]})
    return tmp_path / "small.yaml"


@pytest.fixture
def weights(tmp_path) -> Path:
    YOLO("yolo26n-sem.yaml").save(tmp_path / "model.pt")
    return tmp_path / "model.pt"


def test_every_script_is_tested_and_short():
    scripts = {path.name for path in EXAMPLES.glob("*.py")}
    own = Path(__file__).read_text(encoding="utf-8")
    assert all(f'"{name}"' in own for name in scripts - {"demo.py"})  # the demo trains for minutes: `make demo`
    assert all(len((EXAMPLES / name).read_text(encoding="utf-8").splitlines()) < 60 for name in scripts)


def test_predict(run, streets, weights, tmp_path):
    out = tmp_path / "out"
    said = run("predict.py", weights, streets.parent / "streets" / "images" / "val", "--imgsz", 64, "--out", out)
    assert len(list(out.glob("*.jpg"))) == 2
    assert len(list((out / "masks").glob("*.png"))) == 2
    table = said[said.index("class  ") :].splitlines()[1:]
    shares = [float(row.split()[-1].rstrip("%")) for row in table]
    assert sum(shares) == pytest.approx(100, abs=0.1 * len(shares))


def test_train(run, streets, tmp_path):
    said = run("train.py", streets, "--epochs", 1, "--imgsz", 64, "--batch", 4, "--project", tmp_path / "mine")
    assert str(tmp_path / "mine" / "train" / "weights" / "best.pt") in said
    assert len(said[said.index("class  ") :].splitlines()) == 1 + 19 + 3


def test_own_module(run, streets, tmp_path):
    file = tmp_path / "gated-sem.yaml"
    try:
        said = run("own_module.py", "--data", streets, "--epochs", 1, "--imgsz", 64, "--file", file)
        model = YOLO(file)
        assert type(model.model.model[10]).__name__ == "ChannelGate"
    finally:
        MODULES.pop("ChannelGate")
    assert "mIoU 0." in said


def test_own_callback(run, streets):
    options = ("--data", streets, "--epochs", 3, "--imgsz", 64)
    said = run("own_callback.py", *options, "--target", 0)
    assert "epoch 1: learning rates weight" in said
    assert "ended after 1 epochs" in said


def test_onnxruntime_only(run, streets, weights):
    pytest.importorskip("onnxruntime")
    picture = next((streets.parent / "streets" / "images" / "val").glob("*.jpg"))
    said = run("onnxruntime_only.py", weights, picture, "--imgsz", 64)
    assert "64x96 picture" in said
    share = float(said.split("%")[0].split()[-1])
    assert share > 99


def test_video(run, weights, tmp_path):
    video = tmp_path / "drive.avi"
    writer = cv2.VideoWriter(str(video), cv2.VideoWriter.fourcc(*"MJPG"), 10, (96, 64))
    for number in range(7):
        writer.write(np.full((64, 96, 3), 30 * number, np.uint8))
    writer.release()
    said = run("video.py", weights, video, "--imgsz", 64, "--stride", 3, "--out", tmp_path / "out")
    assert [line.split(":")[0] for line in said.splitlines() if line.startswith("frame")] == [
        "frame 0", "frame 3", "frame 6"
    ]  # fmt: skip
    assert (tmp_path / "out" / "drive.avi").stat().st_size > 0


def test_evaluate_masks(run, tmp_path):
    predicted, labels = np.array([[0, 0], [1, 1]], np.uint8), np.array([[0, 1], [1, 255]], np.uint8)
    for folder, ids in (("predictions", predicted), ("labels", labels)):
        (tmp_path / folder / "city").mkdir(parents=True)
        (tmp_path / folder / "city" / "a.png").write_bytes(cv2.imencode(".png", ids)[1].tobytes())
    said = run("evaluate_masks.py", "predictions", "labels", "--classes", 2)
    assert "mIoU 0.5000, pixel accuracy 0.6667, 1 images" in said
