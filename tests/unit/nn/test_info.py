"""What a network is said to be made of and to cost."""

from __future__ import annotations

import pytest
import torch

from ultralytics.nn.info import ModelInfo, count_operations, layer_table, model_info, summary
from ultralytics.nn.model import GraphModel

PLAIN = {
    "nc": 2,
    "yaml_file": "yolo1-plain.yaml",
    "backbone": [[-1, 1, "Conv", [8, 3, 2]]],
    "head": [[-1, 1, "DWConv", [8, 3]]],
}
HEADED = {
    "nc": 2,
    "backbone": [[-1, 1, "Conv", [8, 1, 2]], [-1, 1, "Conv", [8, 1, 2]]],
    "head": [[[0, 1], 1, "SemanticSegment", ["nc"]]],
}
ATTENTION = {"nc": 2, "backbone": [[-1, 1, "Conv", [8]]], "head": [[-1, 1, "Attention", [2]]]}


def test_operations_are_those_counted_by_hand():
    pixels = 16 * 32
    convolutions = 2 * pixels * 8 * (3 * 9 + 9)
    normalisations = 2 * 8 * pixels * 8
    model = GraphModel(PLAIN)
    assert count_operations(model, (32, 64)) == convolutions + normalisations
    assert count_operations(model.fuse(), (32, 64)) == convolutions


def test_a_branch_for_training_only_costs_nothing():
    quarter = 16 * 16
    fine = 2 * 4 * quarter * 8 * (3 + 9 * 8 + 2)
    coarse = 2 * quarter * 8 * 8
    assert count_operations(GraphModel(HEADED).fuse(), 64) == fine + coarse


def test_attention_grows_with_the_square_of_the_pixels():
    def products(side):
        convolutions = 2 * side**2 * (3 * 8 + 8 * 16 + 8 * 8 + 8 * 9)
        return count_operations(model, side) - convolutions

    model = GraphModel(ATTENTION).fuse()
    assert products(8) == 2 * 2 * 64**2 * (2 + 4)
    assert products(16) == 16 * products(8)


def test_sizes_are_rounded_up_to_the_stride():
    model = GraphModel(PLAIN)
    assert count_operations(model, 31) == count_operations(model, (32, 32))


def test_counting_leaves_the_model_as_it_was():
    model = GraphModel(PLAIN)
    model.model[0].bn.eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    modes = [module.training for module in model.modules()]
    model_info(model, 32)
    assert [module.training for module in model.modules()] == modes
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not any(module._forward_hooks for module in model.modules())


def test_layers_and_parameters():
    model = GraphModel(PLAIN)
    model.model[0].requires_grad_(False)
    info = model_info(model, 32)
    first, second = 3 * 8 * 9 + 2 * 8, 8 * 9 + 2 * 8
    # Two convolutions, two batch norms and the activation that both share.
    assert info == ModelInfo(5, first + second, second, count_operations(model, 32) / 1e9)


@pytest.mark.parametrize("fused", [False, True])
def test_the_summary_is_one_line(fused):
    model = GraphModel(PLAIN)
    text = summary(model.fuse() if fused else model, ModelInfo(5, 12345, 0, 1.26))
    middle = " (fused)" if fused else ""
    assert text == f"YOLO1-plain summary{middle}: 5 layers, 12,345 parameters, 0 gradients, 1.3 GFLOPs"


def test_the_table_has_a_line_for_each_layer():
    header, first, second, last = layer_table(GraphModel(HEADED)).splitlines()
    assert header.split() == ["from", "n", "parameters", "channels", "stride", "module", "arguments"]
    assert first.split(maxsplit=7) == ["0", "-1", "1", "40", "8", "2", "Conv", "[3, 8, 1, 2]"]
    assert second.split()[:3] == ["1", "-1", "1"]
    assert last.split(maxsplit=8) == ["2", "[0,", "1]", "1", "1,220", "2", "2", "SemanticSegment", "[2, [8, 8]]"]
