"""What goes wrong for users: one clear message, an exit code, and nothing of theirs lost or changed."""

from __future__ import annotations

import hashlib
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from ultralytics import YOLO
from ultralytics.cli import main
from ultralytics.nn.checkpoint import load_checkpoint

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).resolve().parents[2]

# A shell may start its children deaf to Ctrl-C, and a limit on a file's size ends like a full disk.
_COMMAND = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
if limit := int(sys.argv[1]):
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
from ultralytics.cli import main
if __name__ == "__main__":
    sys.exit(main(sys.argv[2:]))
"""


def _start(*arguments: object, limit: int = 0) -> subprocess.Popen:
    command = [sys.executable, "-c", _COMMAND, str(limit), *map(str, arguments)]
    return subprocess.Popen(
        command, env={**os.environ, "PYTHONPATH": str(ROOT)}, encoding="utf-8",
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip


@pytest.fixture
def run(options, tmp_path) -> Path:
    """The folder of a finished run of one epoch."""
    model = YOLO("yolo26n-sem.yaml")
    model.train(**{**options, "imgsz": 32, "epochs": 1, "project": str(tmp_path), "name": "run"})
    return model.trainer.save_dir


def _hash(folder: Path) -> str:
    """Hash names, contents and times of everything in a folder."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        digest.update(f"{path.relative_to(folder)} {path.stat().st_mtime_ns}".encode())
        digest.update(path.read_bytes() if path.is_file() else b"")
    return digest.hexdigest()


def _complaint(error: str) -> str:
    """Take the one line on stderr that is no progress bar."""
    lines = [line for line in error.splitlines() if line.startswith(("error:", "internal error:", "interrupted"))]
    assert len(lines) == 1, error
    assert "Traceback" not in error
    return lines[0]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on the size of a process's files")
def test_a_full_disk_ends_the_run_and_keeps_what_was_saved(run):
    last = run / "weights" / "last.pt"
    before = last.read_bytes()
    process = _start("train", f"resume={last}", "epochs=2", limit=1_000_000)
    _, error = process.communicate(timeout=120)
    assert process.returncode == 1
    complaint = _complaint(error)
    assert "File too large" in complaint
    assert f"resume={last}" in complaint
    assert last.read_bytes() == before
    assert {path.name for path in last.parent.iterdir()} == {"best.pt", "last.pt"}  # no half-written file is left
    resumed = YOLO(last)
    resumed.train(resume=True, epochs=2)
    assert load_checkpoint(last).epoch == 2


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no Ctrl-C for one process group from outside")
def test_ctrl_c_ends_in_a_line_and_the_run_can_go_on(dataset, tmp_path):
    last = tmp_path / "run" / "weights" / "last.pt"
    process = _start("train", "model=yolo26n-sem.yaml", f"data={dataset}", "epochs=500", "imgsz=32", "batch=4",
                     "device=cpu", "workers=1", "plots=False", f"project={tmp_path}", "name=run")  # fmt: skip
    deadline = time.monotonic() + 120
    while not last.exists() and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)  # a terminal sends it to the workers, too
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert _complaint(error) == "interrupted"
    epoch = load_checkpoint(last).epoch
    assert epoch >= 1
    model = YOLO(last)
    model.train(resume=True, epochs=epoch + 1)
    assert load_checkpoint(last).epoch == epoch + 1


def test_an_unreadable_image_is_named_and_the_others_are_predicted(run, dataset, tmp_path, caplog):
    folder = tmp_path / "mixed"
    folder.mkdir()
    image = (dataset.parent / "images" / "val" / "0.png").read_bytes()
    files = {"good.png": image, "zero.png": b"", "text.jpg": b"<html>not found</html>", "short.png": image[:900],
             "good2.png": image, "readme.md": b"no image, not meant"}  # fmt: skip
    for name, content in files.items():
        (folder / name).write_bytes(content)
    target = tmp_path / "out"
    code = main(["predict", f"model={run}/weights/best.pt", f"source={folder}", "imgsz=64", f"save_dir={target}"])
    said = caplog.text
    assert code == 1
    assert {path.name for path in target.glob("*.jpg")} == {"good.jpg", "good2.jpg"}
    assert all(f"Skipped: '{folder / name}'" in said for name in ("zero.png", "text.jpg", "short.png"))
    assert "readme.md" not in said
    assert "each named above: 3" in said


class _Marker:
    """Writes a file when it is unpickled by something that runs what it reads."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return Path.touch, (self.path,)


def _write_wrong_weights(kind: str, path: Path) -> None:
    if kind == "empty":
        path.touch()
    elif kind == "web page":
        path.write_text("<!DOCTYPE html><html>404</html>")
    elif kind == "cut off":
        YOLO("yolo26n-sem.yaml").save(path)
        path.write_bytes(path.read_bytes()[:100_000])
    elif kind == "state_dict":
        torch.save(torch.nn.Linear(2, 2).state_dict(), path)
    elif kind == "pickle":
        path.write_bytes(pickle.dumps({"weights": [1, 2]}))
    elif kind == "code":
        torch.save({"model": _Marker(path.with_suffix(".ran"))}, path)
    elif kind == "TorchScript":
        torch.jit.save(torch.jit.trace(torch.nn.Conv2d(3, 1, 1), torch.zeros(1, 3, 4, 4)), path)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("kind", ["empty", "web page", "cut off", "state_dict", "pickle", "code", "TorchScript"])
@pytest.mark.parametrize("command", ["predict", "train"])
def test_a_file_of_another_kind_is_no_weights_file(kind, command, dataset, tmp_path, capsys):
    weights = tmp_path / "x.pt"
    _write_wrong_weights(kind, weights)
    options = {"predict": [f"source={dataset.parent / 'images'}"], "train": [f"data={dataset}"]}[command]
    assert main([command, f"model={weights}", f"save_dir={tmp_path / 'out'}", *options]) == 1
    assert f"'{weights}'" in _complaint(capsys.readouterr().err)
    assert {path.name for path in tmp_path.iterdir()} == {"x.pt"}


@pytest.mark.parametrize("use", ["data", "model", "cfg"])
@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"names: [a, b\ntrain: x\n", "is not valid YAML, line"),
        (b"- a\n- b\n", "holds a list"),
        (b"\x89PNG\r\n\x1a\n\x00\xff", "not text"),
        (b"", "NoneType"),
    ],
)
def test_a_yaml_file_that_is_none_is_refused(use, content, told, dataset, tmp_path, capsys):
    file = tmp_path / "x.yaml"
    file.write_bytes(content)
    given = {"model": "yolo26n-sem.yaml", "data": dataset, use: file}
    options = [f"{name}={value}" for name, value in given.items()]
    assert main(["train", "device=cpu", f"save_dir={tmp_path / 'out'}", *options]) in {1, 2}
    complaint = _complaint(capsys.readouterr().err)
    assert str(file) in complaint
    assert told in complaint
    assert {path.name for path in tmp_path.iterdir()} == {"x.yaml"}


def test_a_dataset_that_cannot_be_written_to_is_used_and_stays_as_it_is(dataset, options, tmp_path):
    own = Path(shutil.copytree(dataset.parent, tmp_path / "own"))
    before = _hash(own)
    for path in [own, *own.rglob("*")]:
        path.chmod(path.stat().st_mode & ~0o222)
    try:
        model = YOLO("yolo26n-sem.yaml")
        run = {"data": str(own / dataset.name), "imgsz": 32, "project": str(tmp_path / "runs")}
        model.train(**{**options, **run, "epochs": 1, "cache": "ram", "workers": 1})
        model.val(**run, save_json=True, plots=True)
        model.predict(own / "images" / "val", imgsz=32, save=True, save_mask=True, project=run["project"])
    finally:
        for path in [own, *own.rglob("*")]:
            path.chmod(path.stat().st_mode | 0o200)
    assert _hash(own) == before


def test_a_mask_of_another_size_is_named(dataset, tmp_path, capsys):
    own = Path(shutil.copytree(dataset.parent, tmp_path / "own"))
    mask = own / "masks" / "train" / "2.png"
    mask.write_bytes(cv2.imencode(".png", np.zeros((10, 20), np.uint8))[1].tobytes())
    assert main(["check", f"data={own / dataset.name}"]) == 0
    said = capsys.readouterr().out
    assert "train: 7 of 8 images usable" in said
    assert f"'{mask}' has 20 x 10 pixels, its image 96 x 64." in said


@pytest.mark.parametrize(("batch", "fits"), [(1, False), (7, False), (8, True)])
def test_images_of_one_pixel_at_the_largest_stride_are_refused_before_the_first_step(
    options, tmp_path, capsys, batch, fits
):
    words = [f"{key}={value}" for key, value in {**options, "imgsz": 32, "batch": batch, "epochs": 1}.items()]
    code = main(["train", "model=yolo26n-sem.yaml", *words, f"project={tmp_path}"])
    assert code == (0 if fits else 2)
    assert fits or "imgsz=64" in capsys.readouterr().err
