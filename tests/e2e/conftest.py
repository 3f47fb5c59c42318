"""A dataset of twelve small pictures that a network can learn in seconds."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from ultralytics import YOLO

NAMES = {0: "ground", 1: "disc", 2: "bar"}


def draw_scene(rng: np.random.Generator, height: int = 64, width: int = 96) -> tuple[np.ndarray, np.ndarray]:
    """Draw a disc and a bar on a noisy ground; every class has its colour."""
    ids = np.zeros((height, width), np.uint8)
    y, x = rng.integers(16, height - 16), rng.integers(16, width - 16)
    cv2.circle(ids, (int(x), int(y)), 12, 1, -1)
    left = int(rng.integers(0, width - 16))
    cv2.rectangle(ids, (left, 0), (left + 12, height), 2, -1)
    colors = np.array([[60, 90, 60], [40, 40, 200], [210, 180, 40]], np.int16)
    image = colors[ids] + rng.integers(-20, 20, (height, width, 3))
    return np.clip(image, 0, 255).astype(np.uint8), ids


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the dataset, in a folder with a name that is not ASCII, and return its YAML."""
    root = tmp_path_factory.mktemp("daten") / "Prüfung é 测试"
    rng = np.random.default_rng(0)
    for split, count in (("train", 8), ("val", 4)):
        for kind in ("images", "masks"):
            (root / kind / split).mkdir(parents=True)
        for i in range(count):
            image, ids = draw_scene(rng)
            (root / "images" / split / f"{i}.png").write_bytes(cv2.imencode(".png", image)[1].tobytes())
            (root / "masks" / split / f"{i}.png").write_bytes(cv2.imencode(".png", ids)[1].tobytes())
    names = "\n".join(f"  {i}: {name}" for i, name in NAMES.items())
    (root / "data.yaml").write_text(f"train: images/train\nval: images/val\nnames:\n{names}\n", encoding="utf-8")
    return root / "data.yaml"


@pytest.fixture(scope="session")
def options(dataset: Path) -> dict:
    """Options of a short training that learns the dataset."""
    return {"data": str(dataset), "imgsz": 64, "batch": 4, "nbs": 4, "device": "cpu", "workers": 0, "mosaic": 0.0,
            "optimizer": "AdamW", "lr0": 0.01, "warmup_epochs": 1, "plots": False}  # fmt: skip


@pytest.fixture(scope="session")
def trained(dataset: Path, options: dict, tmp_path_factory: pytest.TempPathFactory) -> YOLO:
    """Train a model well enough to tell the classes apart."""
    torch.manual_seed(0)
    model = YOLO("yolo26n-sem.yaml")
    folder = tmp_path_factory.mktemp("runs")
    model.train(**{**options, "epochs": 60, "project": str(folder), "name": "trained", "plots": True})
    return model
