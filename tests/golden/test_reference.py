"""Checkpoints of the public distribution give the outputs, the maps and the scores that were recorded with it.

A small part of the recordings is in `recorded/`; tests of the rest skip in a clone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from ultralytics import YOLO
from ultralytics.nn.kernels import class_map
from ultralytics.tasks.semantic.metrics import SemanticMetrics

CHECKPOINTS = {"yolo26n-sem-rand": 2e-3, "camvid12-e80-best": 1e-4}
PREDICTIONS = ["camvid_640", "camvid_360x480", "camvid_1024", "camvid_640_rectFalse", "camvid_classes_4_5",
               "odd_640", "odd_360x480", "syn_640", "syn_360x480", "syn_1024", "batch_mixed_320",
               "tensor_128x192"]  # fmt: skip


PICTURES = {
    (360, 480): "camvid_0016E5_07959.png",
    (1080, 1920): "synthetic_1080x1920.png",
    (333, 517): "synthetic_333x517.png",
}


def _picture(folder: Path, shape: list[int]) -> np.ndarray:
    """Read the recorded picture of a size; each has its own."""
    return cv2.imdecode(np.fromfile(folder / PICTURES[tuple(shape)], np.uint8), cv2.IMREAD_COLOR)


def _load(shared: Path, name: str) -> YOLO:
    return YOLO(shared / "interop" / "ckpt" / f"{name}.pt")


def _compare_outputs(checkpoint: Path, images: np.ndarray, expected: Mapping[str, np.ndarray], atol: float) -> None:
    """Compare what a network returns in evaluation, in training, and fused."""
    inputs, model = torch.from_numpy(images).float() / 255, YOLO(checkpoint).model
    with torch.no_grad():
        np.testing.assert_allclose(model.eval()(inputs).numpy(), expected["eval"], atol=atol)
        for output, part in zip(model.train()(inputs), ("train[0]", "train[1]"), strict=True):
            np.testing.assert_allclose(output.numpy(), expected[part], atol=atol)
        fused = YOLO(checkpoint).fuse(verbose=False).model.eval()
        np.testing.assert_allclose(fused(inputs).numpy(), expected["fused"], atol=atol)


def test_raw_outputs_of_the_recorded_checkpoint(recorded):
    expected = np.load(recorded / "yolo26n-sem-rand__b.npz")
    _compare_outputs(recorded / "yolo26n-sem-rand.pt", expected["images"], expected, 2e-3)


@pytest.mark.parametrize("inputs", ["a", "b"])
@pytest.mark.parametrize("name", CHECKPOINTS)
def test_raw_outputs(shared, name, inputs):
    images = np.load(shared / "interop" / "io" / "inputs_u8.npz")[f"x_{inputs}"]
    expected = np.load(shared / "interop" / "io" / f"{name}__{inputs}.npz")
    _compare_outputs(shared / "interop" / "ckpt" / f"{name}.pt", images, expected, CHECKPOINTS[name])


@pytest.mark.parametrize("case", PREDICTIONS)
def test_predictions(shared, case):
    folder = shared / "interop" / "pre_post"
    facts = json.loads((folder / "predict_index.json").read_text())[case]
    recorded = np.load(folder / f"predict_{case}.npz")
    options = {key: eval(value) if isinstance(value, str) else value for key, value in facts["kwargs"].items()}
    if "imgsz" in options and isinstance(options["imgsz"], tuple):
        options["imgsz"] = list(options["imgsz"])
    if facts["source"] == ["Tensor"]:
        source = torch.from_numpy(recorded["letterboxed_u8"]).float() / 255
    else:
        source = [_picture(folder, shape) for shape in facts["orig_shape"]]
    options.setdefault("batch", len(source))
    if len(source) > 1:
        options["rect"] = False  # the recorded batch of mixed shapes is square; here a shape is not its neighbours'
    results = _load(shared, "yolo26n-sem-rand").predict(source, two_step=True, verbose=False, **options)
    for i, result in enumerate(results):
        expected = recorded[f"semantic_mask_{i}"]
        assert result.semantic_mask.data.shape == expected.shape
        assert (result.semantic_mask.data.numpy() == expected).mean() >= 0.9999


@pytest.mark.parametrize("loader", ["320_rect", "320_square"])
def test_validation_scores(shared, loader):
    folder = shared / "interop" / "pre_post"
    facts = json.loads((folder / "val_index.json").read_text())[loader]
    arrays = np.load(folder / f"val_loader_{loader}.npz")
    image, mask = (next(arrays[key] for key in arrays.files if word in key) for word in ("im", "mask"))
    model = _load(shared, "camvid12-e80-best")
    with torch.no_grad():
        logits = model.model.eval()(torch.from_numpy(image).float() / 255)
    metrics = SemanticMetrics(model.names)
    ids = class_map(logits, mask.shape[1:]).ids
    for predicted, target in zip(ids, torch.from_numpy(mask), strict=True):
        metrics.update(predicted, target)
    assert metrics.miou == pytest.approx(facts["results"]["metrics/mIoU"], abs=2e-4)
    assert metrics.pixel_accuracy == pytest.approx(facts["results"]["metrics/pixel_acc"], abs=2e-4)
    assert np.abs(metrics.matrix.numpy() - np.array(facts["matrix_gt_by_pred"])).sum() <= 20
