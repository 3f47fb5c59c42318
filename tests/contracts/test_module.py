"""What every module that an architecture may name promises; a new one needs a row in `EXAMPLES`, and keeps it."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import Tensor, nn

import ultralytics.nn.modules  # noqa: F401  (registers the modules)
from ultralytics.nn.fuse import fuse_modules
from ultralytics.nn.registry import MODULES, LayerRequest, Scale, module_kind

CLASSES = 3
EXAMPLES = {
    # name: rows as (channels of the sources, args); several sources become a list of maps
    "Attention": [((16,), [2])],
    "Bottleneck": [((16,), [16]), ((16,), [24, False])],
    "C2PSA": [((16,), [32])],
    "C2f": [((16,), [32]), ((16,), [16, True])],
    "C3": [((16,), [32])],
    "C3k": [((16,), [32])],
    "C3k2": [((16,), [32]), ((16,), [32, True]), ((16,), [32, False, 0.25]), ((16,), [32, True, 0.5, True])],
    "Concat": [((16, 8), [1]), ((16, 8, 4), [])],
    "Conv": [((16,), [32]), ((16,), [32, 3, 2]), ((16,), [24, 5])],
    "DWConv": [((16,), [16, 3]), ((16,), [24, 3, 2])],
    "PSABlock": [((16,), [0.5, 2])],
    "SPPF": [((16,), [32, 5]), ((16,), [16, 5, 3, True])],
    "SemanticSegment": [((16, 24), [CLASSES])],
    "nn.Identity": [((16,), [])],
    "nn.Upsample": [((16,), [None, 2, "nearest"])],
}
ROWS = [pytest.param(name, *row, id=f"{name}{list(row[1])}") for name, rows in EXAMPLES.items() for row in rows]
SIZES = [(13, 10), (8, 16), (1, 5)]
each_row = pytest.mark.parametrize(("name", "channels", "args"), ROWS)


def build(name, channels, args):
    """Build a row's module in evaluation mode with batch norms that do something, and return its plan as well."""
    kind = module_kind(name)
    plan = kind.rule(
        LayerRequest(
            in_channels=channels,
            in_strides=(8.0,) * len(channels),
            args=tuple(args),
            repeats=2 if kind.rule.__name__ in {"widened_and_repeated", "_c3k2_rule"} else 1,
            scale=Scale("n"),
            num_classes=CLASSES,
            options={},
        )
    )
    torch.manual_seed(0)
    module = kind.cls(*plan.args)
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.normal_(std=0.2)
            part.running_var.uniform_(0.5, 2)
    return module.eval(), plan


def inputs(channels, size, batch=2):
    maps = [torch.randn(batch, count, *size) for count in channels]
    return maps if len(maps) > 1 else maps[0]


def untouched(value):
    return [tensor.clone() for tensor in value] if isinstance(value, list) else value.clone()


def test_every_module_has_an_example():
    own = {name for name, kind in MODULES.items() if kind.cls.__module__.startswith(("ultralytics.", "torch."))}
    assert set(EXAMPLES) == own


@each_row
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_declared_channels_and_sizes_are_the_real_ones(name, channels, args, size):
    module, plan = build(name, channels, args)
    output = module(inputs(channels, size))
    assert isinstance(output, Tensor)
    assert output.shape == (2, plan.out_channels, *(math.ceil(side / plan.stride) for side in size))
    assert output.isfinite().all()


@each_row
def test_inputs_are_left_alone(name, channels, args):
    module, _ = build(name, channels, args)
    x = inputs(channels, (6, 8))
    before = untouched(x)
    module.train()
    module(x)
    module.eval()
    module(x)
    torch.testing.assert_close(x, before, rtol=0, atol=0)


@each_row
@pytest.mark.filterwarnings("ignore:`torch.jit.trace:DeprecationWarning")
def test_a_trace_equals_the_module_at_another_size(name, channels, args):
    module, _ = build(name, channels, args)
    with torch.no_grad():
        traced = torch.jit.trace(module, (inputs(channels, (8, 6), batch=1),))
        x = inputs(channels, (13, 10))
        torch.testing.assert_close(traced(x), module(x), rtol=1e-5, atol=1e-6)


@each_row
def test_a_state_dict_carries_everything(name, channels, args):
    module, plan = build(name, channels, args)
    other = module_kind(name).cls(*plan.args).eval()
    other.load_state_dict(module.state_dict())
    x = inputs(channels, (7, 5))
    torch.testing.assert_close(other(x), module(x), rtol=0, atol=0)


@each_row
def test_fusing_keeps_the_function(name, channels, args):
    module, _ = build(name, channels, args)
    module.double()
    x = inputs(channels, (7, 5))
    x = [tensor.double() for tensor in x] if isinstance(x, list) else x.double()
    expected = module(x)
    holder = nn.ModuleList([copy.deepcopy(module)])
    fuse_modules(holder)
    torch.testing.assert_close(holder[0](x), expected, rtol=1e-9, atol=1e-9)
    assert not any(isinstance(part, nn.BatchNorm2d) for part in holder.modules())


@each_row
def test_every_parameter_is_trained(name, channels, args):
    module, _ = build(name, channels, args)
    outputs = module.train()(inputs(channels, (6, 8)))
    loss = sum(output.square().mean() for output in (outputs if isinstance(outputs, tuple) else (outputs,)))
    if list(module.parameters()):
        loss.backward()
    assert all(parameter.grad is not None for parameter in module.parameters())
