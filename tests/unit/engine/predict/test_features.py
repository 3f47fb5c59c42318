"""Looking into a network: vectors of layers, and maps of the strongest pattern."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from ultralytics.engine.predict.features import LayerOutputs, attention, heat_map, pooled
from ultralytics.errors import ConfigError
from ultralytics.nn.model import GraphModel
from ultralytics.utils.ops.letterbox import LetterboxGeometry


@pytest.fixture(scope="module")
def network() -> GraphModel:
    return GraphModel("yolo26n-sem.yaml", nc=3).eval()


@torch.inference_mode()
def test_the_outputs_are_those_of_the_layers(network: GraphModel) -> None:
    images = torch.rand(2, 3, 32, 64)
    first = network.model[0](images)
    with LayerOutputs(nn.Sequential(network), [1, 0]) as layers:
        network(images)
        network(torch.zeros_like(images))  # another pass, as test-time augmentation makes it
        second, again = layers.take()
        network(torch.zeros_like(images))
        assert not torch.equal(layers.take()[1], first)
    assert torch.equal(again, first)
    assert torch.equal(second, network.model[1](first))
    vectors = pooled([second, first])
    assert vectors.shape == (2, second.shape[1] + first.shape[1])
    torch.testing.assert_close(vectors[:, second.shape[1] :], first.mean((2, 3)))
    assert not network.model[0]._forward_hooks


def test_unless_told_the_finest_map_before_the_head_is_kept(network: GraphModel) -> None:
    with LayerOutputs(network) as layers, torch.inference_mode():
        network(torch.rand(1, 3, 64, 64))
    assert layers.take()[0].shape[2:] == (8, 8)


def test_layers_that_do_not_exist_or_cannot_be_seen(network: GraphModel) -> None:
    with pytest.raises(ConfigError, match=r"no layer 99: allowed are 0 to \d+"):
        LayerOutputs(network, [3, 99])
    with pytest.raises(ConfigError, match=r"Use the \.pt file"):
        LayerOutputs(nn.Conv2d(3, 3, 1), [0])


@pytest.mark.parametrize("sign", [1, -1])
def test_attention_lies_where_the_pattern_is_without_the_padding(sign: int) -> None:
    features = torch.zeros(4, 8, 8)
    features[:, 4:, 2:4] = sign * torch.tensor([1.0, 2.0, 0.0, 3.0]).view(4, 1, 1)  # in the image's lower left quarter
    geometry = LetterboxGeometry.fit((60, 30), (64, 64))  # 16 columns of padding on both sides
    strength = attention(features, geometry)
    assert strength.shape == (60, 30)
    assert strength[45, 5] == pytest.approx(1)
    assert strength[10, 5] == strength[45, 28] == 0
    picture = heat_map(np.zeros((60, 30, 1), np.uint8), strength)
    blue, red = (cv2.applyColorMap(np.full((1, 1), level, np.uint8), cv2.COLORMAP_TURBO)[0, 0] for level in (0, 255))
    assert np.abs(picture[45, 5] - red / 2).max() <= 1
    assert np.abs(picture[10, 5] - blue / 2).max() <= 1


def test_features_of_nothing_draw_nothing() -> None:
    assert attention(torch.zeros(3, 4, 4), LetterboxGeometry.fit((32, 32), (32, 32))).max() == 0
