"""A small network whose answers depend on everything that it sees."""

from __future__ import annotations

import pytest
import torch

from ultralytics import YOLO
from ultralytics.utils.yamlio import YAML

ARCHITECTURE = {
    "nc": 3,
    "backbone": [[-1, 1, "Conv", [8, 3, 2]], [-1, 1, "Conv", [16, 3, 2]], [-1, 1, "C3k2", [16, False, 0.5]],
                 [-1, 1, "Conv", [32, 3, 2]], [-1, 1, "Conv", [32, 3, 2]]],
    "head": [[-1, 1, "nn.Upsample", ["None", 2, "nearest"]], [[-1, 3], 1, "Concat", [1]],
             [-1, 1, "C3k2", [32, False]], [[7, 4], 1, "SemanticSegment", ["nc"]]],
}  # fmt: skip
"""A network of stride 16, whose answer depends on what is padded beside an image."""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> YOLO:
    folder = tmp_path_factory.mktemp("model")
    YAML.save(folder / "small-sem.yaml", ARCHITECTURE)
    torch.manual_seed(3)
    made = YOLO(folder / "small-sem.yaml")
    network, noise = made.model, torch.nn.functional.interpolate(torch.rand(8, 3, 12, 12), (96, 96), mode="bilinear")
    with torch.no_grad():
        for _ in range(50):  # norms as after a training, so that the answer depends on the image
            network.train()(noise)
        network.model[-1].classifier[-1].bias -= network.eval()(noise).mean((0, 2, 3))
    made.save(folder / "small.pt")
    return YOLO(folder / "small.pt")
