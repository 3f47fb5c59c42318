"""The semantic task as a user runs it: train, validate, predict, save, load, resume."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from ultralytics import YOLO
from ultralytics.errors import ConfigError

pytestmark = pytest.mark.e2e


def _rows(folder: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((folder / "results.csv").read_text().splitlines()))


def _image(dataset: Path, name: str = "0.png") -> Path:
    return dataset.parent / "images" / "val" / name


def _ids(dataset: Path, name: str = "0.png") -> np.ndarray:
    return cv2.imdecode(np.fromfile(dataset.parent / "masks" / "val" / name, np.uint8), cv2.IMREAD_UNCHANGED)


def test_training_learns_and_leaves_its_files(trained):
    folder = trained.trainer.save_dir
    assert trained.trainer.metrics["metrics/mIoU"] > 0.8
    rows = _rows(folder)
    assert [int(row["epoch"]) for row in rows] == list(range(1, 61))
    assert float(rows[-1]["train/ce_loss"]) < float(rows[0]["train/ce_loss"]) / 2
    expected = {"args.yaml", "results.csv", "results.png", "labels.jpg", "train_batch0.jpg", "val_batch0_labels.jpg",
                "val_batch0_pred.jpg", "confusion_matrix.png", "iou_bar_chart.png"}  # fmt: skip
    assert expected <= {path.name for path in folder.iterdir()}
    assert {path.name for path in (folder / "weights").iterdir()} == {"best.pt", "last.pt"}


def test_the_best_checkpoint_scores_what_training_said(trained, options, tmp_path):
    model = YOLO(trained.trainer.best)
    metrics = model.val(data=options["data"], imgsz=64, batch=4, plots=False, project=str(tmp_path))
    rows = _rows(trained.trainer.save_dir)
    best = max(float(row["metrics/mIoU"]) for row in rows)
    assert metrics.miou == pytest.approx(trained.trainer.metrics["metrics/mIoU"], abs=1e-6)
    assert metrics.miou == pytest.approx(best, abs=1e-5)
    assert metrics.pixel_accuracy > 0.9
    assert metrics.per_class_iou.shape == (3,)


@pytest.mark.parametrize("batch", [1, 3])
def test_validation_does_not_depend_on_batch_size(trained, options, tmp_path, batch):
    runs = [
        trained.val(data=options["data"], imgsz=64, batch=size, plots=False, project=str(tmp_path)).matrix
        for size in (4, batch)
    ]
    assert torch.equal(runs[0], runs[1])


def test_source_resolution_counts_every_pixel_of_the_files(trained, options, tmp_path):
    run = {"project": str(tmp_path), "name": "v", "plots": False}
    metrics = trained.val(data=options["data"], imgsz=64, resolution="source", save_json=True, **run)
    assert int(metrics.matrix.sum()) == 4 * 64 * 96
    written = sorted((tmp_path / "v" / "results").rglob("*.png"))
    assert len(written) == 4
    assert cv2.imdecode(np.fromfile(written[0], np.uint8), cv2.IMREAD_UNCHANGED).shape == (64, 96)


def test_prediction_finds_the_classes(trained, dataset):
    result = trained(_image(dataset), imgsz=96)[0]
    assert result.semantic_mask.data.dtype == torch.uint8
    assert (result.semantic_mask.data.numpy() == _ids(dataset)).mean() > 0.9
    assert result.boxes is None
    assert result.masks is None
    assert {row["name"] for row in result.summary()} == {"ground", "disc", "bar"}
    assert set(result.speed) >= {"preprocess", "inference", "postprocess"}


def test_every_kind_of_source_gives_the_same_map(trained, dataset):
    path = _image(dataset)
    expected = trained(path, imgsz=96)[0].semantic_mask.data
    array = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
    sources = [str(path), [path], array, [array], Image.open(path), path.parent, str(path.parent / "*.png")]
    for source in sources:
        assert torch.equal(trained(source, imgsz=96)[0].semantic_mask.data, expected), type(source)


@pytest.mark.parametrize("shape", [(1, 1), (31, 33), (227, 64), (32, 693)])
def test_the_map_has_exactly_the_size_of_the_source(trained, shape):
    image = np.full((*shape, 3), 90, np.uint8)
    assert tuple(trained(image, imgsz=64)[0].semantic_mask.shape) == shape
    tensor = torch.rand(2, 3, *shape)
    assert [tuple(r.semantic_mask.shape) for r in trained(tensor)] == [shape, shape]


def test_a_batch_of_different_sizes_equals_one_by_one(trained):
    rng = np.random.default_rng(3)
    images = [rng.integers(0, 255, (*shape, 3), dtype=np.uint8) for shape in ((50, 70), (64, 64), (90, 40))]
    together = trained(images, imgsz=64, batch=3, rect=False)
    for image, result in zip(images, together, strict=True):
        alone = trained(image, imgsz=64, rect=False)[0]
        assert (alone.semantic_mask.data != result.semantic_mask.data).float().mean() < 0.001


def test_predictions_are_written_without_overwriting(trained, dataset, tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "0.png").write_bytes(_image(dataset).read_bytes())
    sources = [tmp_path / "a" / "0.png", tmp_path / "b" / "0.png"]
    trained.predict(sources, imgsz=96, save=True, save_mask=True, project=str(tmp_path), name="p")
    written = {path.relative_to(tmp_path / "p").as_posix() for path in (tmp_path / "p").rglob("*.jpg")}
    assert written == {"a/0.jpg", "b/0.jpg"}
    saved = cv2.imdecode(np.fromfile(tmp_path / "p" / "masks" / "a" / "0.png", np.uint8), cv2.IMREAD_UNCHANGED)
    assert (saved == _ids(dataset)).mean() > 0.9


def test_streaming_is_lazy(trained, dataset):
    seen = []
    trained.add_callback("on_predict_batch_start", lambda predictor: seen.append(1))
    results = trained.predict(dataset.parent / "images" / "val", stream=True, imgsz=64)
    next(results)
    assert len(seen) == 1
    results.close()
    trained.reset_callbacks()


def test_a_saved_model_is_the_same_model(trained, dataset, tmp_path):
    trained.save(tmp_path / "copy.pt")
    copy = YOLO(tmp_path / "copy.pt")
    assert copy.names == trained.names
    assert torch.equal(copy(_image(dataset))[0].semantic_mask.data, trained(_image(dataset))[0].semantic_mask.data)


def test_callbacks_see_the_events_in_order(options, tmp_path):
    model, seen = YOLO("yolo26n-sem.yaml"), []
    for event in ("on_pretrain_routine_start", "on_train_start", "on_train_epoch_end", "on_fit_epoch_end",
                  "on_train_end"):  # fmt: skip
        model.add_callback(event, lambda trainer, event=event: seen.append((event, trainer.epoch)))
    model.train(**{**options, "epochs": 1, "project": str(tmp_path)})
    names = [event for event, _ in seen]
    assert names == ["on_pretrain_routine_start", "on_train_start", "on_train_epoch_end", "on_fit_epoch_end",
                     "on_train_end"]  # fmt: skip


_RUN = """
import sys
from ultralytics import YOLO
if __name__ == "__main__":
    start, options = sys.argv[1], eval(sys.argv[2])
    YOLO(start).train(**options)
"""


def _run(start: str, options: dict, *, kill_when: Path | None = None) -> None:
    """Train in a process of its own; kill it hard once a file exists and the next epoch is under way."""
    process = subprocess.Popen([sys.executable, "-c", _RUN, start, repr(options)], env=os.environ.copy())
    if kill_when is not None:
        deadline = time.monotonic() + 120
        while not kill_when.exists() and time.monotonic() < deadline and process.poll() is None:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
        process.wait()
        return
    assert process.wait(timeout=300) == 0


def test_a_killed_and_resumed_run_equals_one_that_never_stopped(options, tmp_path):
    run = {**options, "epochs": 4, "project": str(tmp_path), "mosaic": 0.5, "multi_scale": 0.3, "mixup": 0.2}
    _run("yolo26n-sem.yaml", {**run, "name": "straight"})
    killed = {**run, "name": "killed", "save_period": 1}
    _run("yolo26n-sem.yaml", killed, kill_when=tmp_path / "killed/weights/epoch2.pt")
    last = tmp_path / "killed" / "weights" / "last.pt"
    epoch = torch.load(last, weights_only=True)["epoch"]
    assert 2 <= epoch < 4
    _run(str(last), {"resume": True})
    straight, resumed = (
        torch.load(tmp_path / name / "weights" / "last.pt", weights_only=True) for name in ("straight", "killed")
    )
    for part in ("model", "ema"):
        one, two = straight["train_state"][part], resumed["train_state"][part]
        assert _flatten(one).keys() == _flatten(two).keys()
        for name, tensor in _flatten(one).items():
            assert torch.equal(tensor, _flatten(two)[name]), name
    rows = [_rows(tmp_path / name) for name in ("straight", "killed")]
    losses = [[row["train/ce_loss"] for row in table] for table in rows]
    assert losses[0] == losses[1]


def _flatten(tree: dict, prefix: str = "") -> dict[str, torch.Tensor]:
    flat = {}
    for name, value in tree.items():
        if isinstance(value, dict):
            flat |= _flatten(value, f"{prefix}{name}.")
        elif isinstance(value, torch.Tensor):
            flat[prefix + name] = value
    return flat


def test_a_finished_run_says_how_to_go_on(trained):
    with pytest.raises(ConfigError, match="larger epochs"):
        YOLO(trained.trainer.last).train(resume=True)


@pytest.mark.e2e
def test_images_become_vectors_of_the_last_layer_but_one(trained, dataset):
    folder = dataset.parent / "images" / "val"
    vectors = trained.embed(folder, imgsz=64, verbose=False)
    again = list(trained.embed(folder, imgsz=64, verbose=False, stream=True))
    assert len(vectors) == len(again) == 4
    assert all(vector.ndim == 1 and vector.equal(other) for vector, other in zip(vectors, again, strict=True))
    assert not vectors[0].equal(vectors[1])
