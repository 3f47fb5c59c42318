"""A dataset a small network learns in seconds, and that network."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from ultralytics import YOLO
from ultralytics.utils.yamlio import YAML

ARCHITECTURE = {
    "nc": 3,
    "backbone": [
        [-1, 1, "Conv", [16, 3, 2]],
        [-1, 1, "Conv", [16, 3, 2]],
        [-1, 1, "C3k2", [16, False, 0.5]],
        [-1, 1, "Conv", [32, 3, 2]],
        [-1, 1, "Conv", [64, 3, 2]],
        [-1, 1, "C2PSA", [64]],
    ],
    "head": [
        [-1, 1, "nn.Upsample", ["None", 2, "nearest"]],
        [[-1, 3], 1, "Concat", [1]],
        [-1, 1, "C3k2", [32, False]],
        [[8, 5], 1, "SemanticSegment", ["nc"]],
    ],
}
"""What the formats meet in the real ones: attention, upsampling, concatenation, shortcuts."""


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Discs and bars on a ground, each class of one colour: twenty pictures to train on, sixteen to compare with."""
    root = tmp_path_factory.mktemp("shapes")
    rng = np.random.default_rng(0)
    for split, count in (("train", 20), ("val", 16)):
        for kind in ("images", "masks"):
            (root / kind / split).mkdir(parents=True)
        for i in range(count):
            ids = np.zeros((64, 96), np.uint8)
            y, x = rng.integers(16, 48), rng.integers(16, 80)
            cv2.circle(ids, (int(x), int(y)), 12, 1, -1)
            left = int(rng.integers(0, 80))
            cv2.rectangle(ids, (left, 0), (left + 12, 64), 2, -1)
            colors = np.array([[60, 90, 60], [40, 40, 200], [210, 180, 40]], np.int16)
            image = np.clip(colors[ids] + rng.integers(-10, 10, (64, 96, 3)), 0, 255).astype(np.uint8)
            cv2.imwrite(str(root / "images" / split / f"{i}.png"), image)
            cv2.imwrite(str(root / "masks" / split / f"{i}.png"), ids)
    YAML.save(root / "data.yaml", {"train": "images/train", "val": "images/val", "names": ["ground", "disc", "bar"]})
    return root / "data.yaml"


@pytest.fixture(scope="session")
def best(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint that tells the classes apart."""
    folder = tmp_path_factory.mktemp("model")
    YAML.save(folder / "small-sem.yaml", ARCHITECTURE)
    torch.manual_seed(0)
    model = YOLO(folder / "small-sem.yaml")
    metrics = model.train(
        data=str(dataset), imgsz=64, batch=4, nbs=4, epochs=20, optimizer="AdamW", lr0=0.01, warmup_epochs=1,
        mosaic=0.0, workers=0, device="cpu", plots=False, project=str(folder), name="run", verbose=False,
    )  # fmt: skip
    assert metrics.miou > 0.75
    return Path(model.ckpt_path)
