"""GraphModel: from an architecture to a network that runs."""

from __future__ import annotations

import copy
import weakref

import pytest
import torch
from torch import nn

from ultralytics.errors import ModelError
from ultralytics.nn import registry
from ultralytics.nn.model import GraphModel
from ultralytics.nn.modules import Concat, Conv, SemanticSegment
from ultralytics.nn.registry import as_wide_as_input, register_module

SMALL = {
    "nc": 3,
    "backbone": [
        [-1, 1, "Conv", [8, 3, 2]],
        [-1, 1, "Conv", [16, 3, 2]],
        [-1, 1, "C2PSA", [16]],
    ],
    "head": [
        [-1, 1, "nn.Upsample", ["None", 2, "nearest"]],
        [[-1, 0], 1, "Concat", [1]],
        [[4, 2], 1, "SemanticSegment", ["nc"]],
    ],
}


def small(**changes):
    torch.manual_seed(0)
    return GraphModel(copy.deepcopy(SMALL) | changes)


def randomised(model):
    """Give batch norms statistics as after training, so that folding them has something to do."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(std=0.2)
            module.running_var.uniform_(0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.2)
    return model.eval()


def test_the_layers_are_run_as_the_rows_say():
    model = randomised(small())
    x = torch.randn(2, 3, 32, 48)
    first = model.model[0](x)
    last = model.model[2](model.model[1](first))
    joined = torch.cat([nn.functional.interpolate(last, scale_factor=2), first], 1)
    torch.testing.assert_close(model(x), model.head([joined, last]))


def test_training_gives_two_outputs_and_evaluation_one():
    model = small()
    x = torch.randn(2, 3, 32, 48)
    main, auxiliary = model(x)
    assert (main.shape, auxiliary.shape) == ((2, 3, 16, 24), (2, 3, 8, 12))
    assert model.eval()(x).shape == (2, 3, 16, 24)


def test_facts_of_a_model():
    model = GraphModel("yolo26n-sem.yaml", ch=4, nc=2)
    assert (model.nc, model.ch, model.names) == (2, 4, {0: "0", 1: "1"})
    assert model.save == [4, 6, 13, 16]
    assert model.stride.tolist() == [32.0]
    assert model.stride.dtype == torch.float32
    assert isinstance(model.head, SemanticSegment)
    assert model.head.stride.tolist() == [32.0]
    assert model.head is model.model[-1]
    assert (model.yaml["scale"], model.yaml["nc"], model.yaml["channels"]) == ("n", 2, 4)


def test_a_model_is_built_again_from_what_it_remembers():
    model = randomised(GraphModel("yolo26n-sem.yaml", nc=5))
    again = GraphModel(model.yaml).eval()
    again.load_state_dict(model.state_dict())
    x = torch.rand(1, 3, 32, 64)
    assert torch.equal(again(x), model(x))
    assert again.yaml == model.yaml


def test_an_output_is_let_go_when_no_later_layer_needs_it():
    model = small().eval()
    outputs = []
    alive = []
    for layer in model.model:
        layer.register_forward_pre_hook(lambda *_: alive.append([reference() is not None for reference in outputs]))
        layer.register_forward_hook(lambda _m, _i, output: outputs.append(weakref.ref(output)))
    with torch.no_grad():
        model(torch.rand(1, 3, 32, 32))
    assert alive == [
        [],
        [True],
        [True, True],
        [True, False, True],
        [True, False, True, True],
        [False, False, True, False, True],
    ]


def test_copies_of_a_row_follow_each_other():
    model = small(backbone=[[-1, 1, "Conv", [8, 3, 2]], [-1, 1, "Conv", [8, 3, 2]], [-1, 3, "Conv", [8, 3]]])
    assert isinstance(model.model[2], nn.Sequential)
    assert len(model.model[2]) == 3
    assert model(torch.rand(2, 3, 32, 32))[0].shape == (2, 3, 16, 16)


def test_the_activation_is_one_object_that_belongs_to_the_model():
    model, other = small(), small(activation="nn.LeakyReLU()")
    activations = {id(m): m for m in model.modules() if isinstance(m, nn.SiLU)}
    assert len(activations) == 1
    assert not any(isinstance(m, nn.SiLU) for m in other.modules())
    assert any(isinstance(m, nn.LeakyReLU) for m in other.modules())
    assert isinstance(Conv(1, 1).act, nn.SiLU)
    assert id(Conv(1, 1).act) not in activations


def test_fusing_changes_the_layers_but_not_the_answer():
    model = randomised(small()).double()
    x = torch.randn(1, 3, 32, 32, dtype=torch.double)
    expected = model(x)
    assert not model.is_fused
    assert model.fuse() is model
    torch.testing.assert_close(model(x), expected, rtol=1e-10, atol=1e-10)
    assert model.is_fused
    assert not any("running" in name for name in model.state_dict())
    assert len(model.train()(x)) == 2


def test_a_copy_is_a_model_of_its_own():
    model = randomised(small())
    x = torch.rand(1, 3, 32, 32)
    expected = model(x)
    clone = copy.deepcopy(model).fuse()
    with torch.no_grad():
        for parameter in clone.parameters():
            parameter.zero_()
    assert torch.equal(model(x), expected)
    assert not model.is_fused


@pytest.mark.parametrize("fused", [False, True])
def test_the_memory_layout_does_not_change_the_answer(fused):
    model = randomised(small())
    model = model.fuse() if fused else model
    x = torch.rand(2, 3, 32, 64)
    expected = model(x)
    model.to(memory_format=torch.channels_last)
    torch.testing.assert_close(model(x.to(memory_format=torch.channels_last)), expected, rtol=1e-4, atol=1e-5)


def test_precision_can_be_lowered():
    model = randomised(small())
    x = torch.rand(1, 3, 32, 32)
    expected = model(x)
    torch.testing.assert_close(model.to(torch.bfloat16)(x.bfloat16()).float(), expected, rtol=0.1, atol=0.1)


@pytest.mark.filterwarnings("ignore:`torch.jit.trace:DeprecationWarning")
def test_a_trace_holds_for_other_sizes_and_batches():
    model = randomised(GraphModel("yolo26n-sem.yaml", nc=4))
    with torch.no_grad():
        traced = torch.jit.trace(model, torch.rand(1, 3, 64, 96))
        x = torch.rand(2, 3, 128, 32)
        assert torch.equal(traced(x), model(x))


def test_an_exported_program_holds_for_other_sizes_and_batches():
    model = randomised(small())
    batch, rows, columns = (torch.export.Dim(name, min=1, max=64) for name in ("batch", "rows", "columns"))
    shapes = ({0: batch, 2: 4 * rows, 3: 4 * columns},)
    program = torch.export.export(model, (torch.rand(2, 3, 32, 48),), dynamic_shapes=shapes)
    x = torch.rand(3, 3, 44, 20)
    torch.testing.assert_close(program.module()(x), model(x))


def test_a_module_of_somebody_elses_can_be_used(monkeypatch):
    monkeypatch.setattr(registry, "MODULES", dict(registry.MODULES))

    @register_module(as_wide_as_input)
    class Gate(nn.Module):
        def __init__(self, channels, power=1):
            super().__init__()
            self.gain = nn.Conv2d(channels, channels, 1)
            self.power = power

        def forward(self, x):
            return x * self.gain(x).sigmoid() ** self.power

    head = [[-1, 1, "Gate", [2]], *copy.deepcopy(SMALL["head"])]
    head[2][0], head[3][0] = [-1, 0], [5, 2]
    model = small(head=head)
    assert isinstance(model.model[3], Gate)
    assert model.model[3].power == 2
    assert model.eval()(torch.rand(1, 3, 32, 32)).shape == (1, 3, 16, 16)


def test_an_architecture_without_a_head_is_a_network_too():
    model = GraphModel({"nc": 1, "backbone": [[-1, 1, "Conv", [8, 3, 2]]], "head": [[-1, 1, "Conv", [16, 3, 2]]]})
    assert model.stride.tolist() == [4.0]
    assert model(torch.rand(2, 3, 16, 16)).shape == (2, 16, 4, 4)
    assert not any(isinstance(layer, Concat) for layer in model.model)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ([-1, 1, "Conv", [8, 3, 1, 1, 1, 1, True, 9, 9]], r"Layer 3, Conv\(16, 8, 3.*cannot be built"),
        ([-1, 1, "Conv", [8, "big"]], "cannot be built"),
        ([-1, 1, "Attention", [0]], "cannot be built"),
        ([[2], 1, "SemanticSegment", ["nc"]], r"Layer 3, SemanticSegment\(3, \[16\]\).*two feature maps"),
        ([-1, 1, "Conv", [8, 3, 1, None, 3]], "cannot be built"),
    ],
)
def test_a_layer_that_cannot_be_built_is_named(row, message):
    with pytest.raises(ModelError, match=message):
        small(head=[row])
