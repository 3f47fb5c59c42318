"""Predictions from several threads: each call is its own, and gives what it gives alone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from ultralytics import YOLO
from ultralytics.utils.imports import available

THREADS, IMAGES = 8, 24


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("threads") / "best.pt"
    YOLO("yolo26n-sem.yaml").save(path)
    return path


@pytest.fixture(scope="module")
def images() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (40 + number % 3, 60, 3), np.uint8) for number in range(IMAGES)]


def maps(model: YOLO, images: list[np.ndarray], threads: int, **options: object) -> list[np.ndarray]:
    def predict(number: int) -> np.ndarray:
        # Options differ from call to call: one that saw another's would give another map.
        result = model.predict(images[number], imgsz=64, conf=0.02 * (number % 3), verbose=False, **options)[0]
        return result.semantic_mask.data.numpy()

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(predict, range(len(images))))


@pytest.mark.parametrize("format", ["pytorch", "onnx", "openvino", "torchscript"])
def test_threads_get_what_one_thread_gets(format: str, weights: Path, images: list[np.ndarray]) -> None:
    if format in {"onnx", "openvino"} and not available("onnxruntime" if format == "onnx" else format):
        pytest.skip(f"{format} is not installed")
    model = YOLO(weights)
    if format != "pytorch":
        made = model.export(format=format, imgsz=64, output="logits_lowres", verify=False, batch=1)
        model = YOLO(made)
    alone = maps(model, images, 1)
    for found, expected in zip(maps(model, images, THREADS), alone, strict=True):
        assert np.array_equal(found, expected)


@pytest.mark.parametrize("options", [{"device": "cpu"}, {"channels_last": True}, {"runtime": "auto"}])
def test_a_call_that_changes_nothing_keeps_the_network(options: dict, weights: Path, images: list[np.ndarray]) -> None:
    model = YOLO(weights)
    model.predict(images[0], imgsz=64, verbose=False)
    kept = model.predictor.model
    for _ in range(2):
        model.predict(images[0], imgsz=64, verbose=False, **options)
        assert model.predictor.model is kept


def test_weights_changed_in_place_are_noticed(weights: Path, images: list[np.ndarray]) -> None:
    model = YOLO(weights)
    model.predict(images[0], imgsz=64, verbose=False, device="cpu")
    kept = model.predictor.model
    with torch.no_grad():
        next(model.model.parameters()).add_(1)
    model.predict(images[0], imgsz=64, verbose=False, device="cpu")
    assert model.predictor.model is not kept
