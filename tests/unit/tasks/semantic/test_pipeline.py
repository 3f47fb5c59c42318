"""The graph of a whole prediction: what its network sees, and the map that it returns."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ultralytics.nn.kernels.interpolation import taps
from ultralytics.tasks.semantic.pipeline import PipelineGraph
from ultralytics.utils.ops.letterbox import LetterboxGeometry, letterbox

IMGSZ = (64, 96)
SIZES = [(64, 96), (128, 192), (33, 41), (77, 151), (1, 1), (2, 700), (900, 5), (719, 1281), (1500, 4001)]


class Network(nn.Module):
    """Keeps what it is given."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Conv2d(3, 4, 3, stride=8, padding=1)
        self.seen = torch.empty(0)

    def forward(self, images: Tensor) -> Tensor:
        self.seen = images
        return self.layer(images)


def noise(size: tuple[int, int]) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_the_network_sees_what_it_sees_in_a_prediction(size):
    network, picture = Network(), noise(size)
    with torch.no_grad():
        PipelineGraph(network, IMGSZ, 4, 0.0)(torch.from_numpy(picture)[None])
    expected = letterbox(picture, LetterboxGeometry.fit(size, IMGSZ))
    assert torch.equal(network.seen[0].permute(1, 2, 0), torch.from_numpy(expected).float() / 255)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_the_map_has_the_size_of_the_picture_and_the_ids_of_the_kernel(size):
    network, picture = Network(), noise(size)
    with torch.no_grad():
        ids = PipelineGraph(network, IMGSZ, 4, 0.0)(torch.from_numpy(picture)[None])
        logits = network.layer(network.seen)
    region = LetterboxGeometry.fit(size, IMGSZ).logits_region(8)
    for axis in (0, 1):
        one = taps(size[axis], logits.shape[axis + 2], start=region[axis], length=region[axis + 2])
        weight = one.weight.reshape(-1, 1) if axis == 0 else one.weight
        low, high = logits.index_select(axis + 2, one.low), logits.index_select(axis + 2, one.high)
        logits = low * (1 - weight) + high * weight
    assert ids.shape == (1, *size)
    assert torch.equal(ids, logits.argmax(1).to(torch.uint8))
