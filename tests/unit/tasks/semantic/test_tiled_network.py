"""A network that sees images in tiles gives the logits it would give of the whole."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from ultralytics.tasks.semantic.tiled_network import TiledNetwork
from ultralytics.utils.ops.letterbox import PAD_VALUE


class Pool(nn.Module):
    """A network whose logits see nothing but the 8x8 pixels below them; it notes the shapes it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.shapes: list[tuple[int, ...]] = []

    def forward(self, images: Tensor) -> Tensor:
        self.shapes.append(tuple(images.shape))
        return nn.functional.avg_pool2d((images * 15).round(), 8)


@pytest.mark.parametrize("blend", ["none", "linear", "gauss"])
@pytest.mark.parametrize("size", [(96, 224), (64, 64), (32, 320), (160, 32)])
def test_tiles_join_to_the_logits_of_the_whole(size: tuple[int, int], blend: str) -> None:
    images = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(0))
    tiled = TiledNetwork(Pool(), tile=64, overlap=0.25, blend=blend, batch=3)(images)
    assert torch.equal(tiled, Pool()(images))


def test_tiles_run_in_batches_of_one_shape() -> None:
    network = Pool()
    TiledNetwork(network, tile=64, overlap=0.0, blend="none", batch=4)(torch.zeros(1, 3, 128, 192))
    assert network.shapes == [(4, 3, 64, 64), (2, 3, 64, 64)]


def test_a_network_of_one_input_size_gets_grey_beside_a_small_image() -> None:
    network = Pool()
    small = TiledNetwork(network, tile=64, overlap=0.25, blend="linear", shrink=False)
    assert small(torch.ones(1, 3, 32, 40)).shape == (1, 3, 4, 5)
    assert network.shapes == [(1, 3, 64, 64)]
    odd = small(torch.ones(1, 3, 30, 40))[0, 0]
    assert (odd[:3] == 15).all()
    grey = round(PAD_VALUE / 255 * 15)
    assert torch.allclose(odd[3], torch.tensor((6 * 15 + 2 * grey) / 8))
