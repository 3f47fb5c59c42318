"""The table of modules and the rules that size them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ultralytics.nn.modules  # noqa: F401  (registers the modules)
from ultralytics.errors import ModelError
from ultralytics.nn import registry
from ultralytics.nn.registry import MODULES, LayerPlan, LayerRequest, Scale, module_kind, register_module

HALF = Scale("n", depth=0.5, width=0.25, max_channels=512)


def request(args=(), *, channels=(16,), strides=None, repeats=1, scale=HALF, num_classes=3):
    return LayerRequest(
        in_channels=tuple(channels),
        in_strides=tuple(strides or [8.0] * len(channels)),
        args=tuple(args),
        repeats=repeats,
        scale=scale,
        num_classes=num_classes,
        options={},
    )


@pytest.fixture
def table(monkeypatch):
    """An own table of modules, so that the real one stays as it is."""
    own = {}
    monkeypatch.setattr(registry, "MODULES", own)
    return own


@pytest.mark.parametrize(("written", "scaled"), [(1, 1), (2, 1), (3, 2), (4, 2), (6, 3)])
def test_repeats_follow_the_depth_but_never_vanish(written, scaled):
    assert HALF.repeats(written) == scaled


@pytest.mark.parametrize(("written", "scaled"), [(64, 16), (512, 128), (1024, 128), (100, 32), (8, 8)])
def test_channels_are_cut_scaled_and_rounded_up_to_eight(written, scaled):
    assert HALF.channels(written) == scaled


@given(st.integers(1, 4096), st.floats(0.05, 3), st.integers(1, 4096))
def test_scaled_channels_are_the_least_multiple_of_eight_that_is_enough(count, width, limit):
    channels = Scale("t", 1.0, width, limit).channels(count)
    assert channels % 8 == 0
    assert channels - 8 < min(count, limit) * width <= channels


def test_no_scale_changes_nothing_but_rounding():
    assert Scale() == Scale("", 1.0, 1.0, math.inf)
    assert (Scale().repeats(3), Scale().channels(512), Scale().channels(500)) == (3, 512, 504)


@pytest.mark.parametrize(
    ("rule", "layer", "plan"),
    [
        (registry.widened, request([128, 3]), LayerPlan((16, 32, 3), 32)),
        (registry.widened, request([64], repeats=3), LayerPlan((16, 16), 16, copies=3)),
        (registry.convolution, request([128, 3, 2]), LayerPlan((16, 32, 3, 2), 32, stride=2.0)),
        (registry.convolution, request([128]), LayerPlan((16, 32), 32)),
        (registry.widened_and_repeated, request([128, True], repeats=2), LayerPlan((16, 32, 2, True), 32)),
        (registry.as_wide_as_input, request([4]), LayerPlan((16, 4), 16)),
        (registry.as_written, request([7], repeats=2), LayerPlan((7,), 16, copies=2)),
        (registry.resampled, request([None, 2, "nearest"]), LayerPlan((None, 2, "nearest"), 16, stride=0.5)),
        (registry.joined, request([1], channels=(16, 32)), LayerPlan((1,), 48)),
        (registry.joined, request(channels=(16, 32, 8)), LayerPlan((), 56)),
        (registry.per_class_head, request([3], channels=(16, 32)), LayerPlan((3, [16, 32]), 3)),
    ],
)
def test_a_rule_gives_constructor_arguments_and_output_channels(rule, layer, plan):
    assert rule(layer) == plan


@pytest.mark.parametrize(
    ("rule", "layer", "message"),
    [
        (registry.widened, request(), "output channels"),
        (registry.widened, request(["64"]), "positive integer"),
        (registry.widened, request([True]), "positive integer"),
        (registry.widened, request([128], repeats=2), "16 channels into 32"),
        (registry.widened, request([64], channels=(16, 16)), "one source, not 2"),
        (registry.convolution, request([64, 3, 0]), "stride 0"),
        (registry.convolution, request([64, 3, None]), "stride None"),
        (registry.resampled, request([64, 2]), "positive factor"),
        (registry.resampled, request([None]), "positive factor"),
        (registry.resampled, request([None, -2]), "positive factor"),
        (registry.joined, request([2], channels=(16, 16)), "dimension 1"),
        (registry.joined, request([[1]], channels=(16, 16)), "dimension 1"),
        (registry.joined, request([1], channels=(16, 16), strides=(8.0, 16.0)), "1/8, 1/16"),
        (registry.per_class_head, request([80], channels=(16, 16)), r"3 classes; write \[nc\]"),
        (registry.per_class_head, request([], channels=(16, 16)), r"write \[nc\]"),
    ],
)
def test_a_rule_says_what_is_wrong_with_a_row(rule, layer, message):
    with pytest.raises(ModelError, match=message):
        rule(layer)


def test_a_registered_class_is_found_by_its_name_or_another(table):
    @register_module(registry.widened)
    class Plain:
        pass

    @register_module(registry.as_written, name="my.Other")
    class Other:
        pass

    assert {name: kind.cls for name, kind in table.items()} == {"Plain": Plain, "my.Other": Other}
    assert module_kind("my.Other").rule is registry.as_written


def test_a_name_belongs_to_one_class(table):
    register_module(registry.widened, name="Same")(dict)
    register_module(registry.as_written, name="Same")(dict)
    with pytest.raises(ModelError, match="'Same' is taken by builtins"):
        register_module(registry.widened, name="Same")(list)
    assert table["Same"].cls is dict


def test_an_unknown_name_gets_the_nearest_known_one(table):
    table["Bottleneck"] = table["Concat"] = object()
    with pytest.raises(ModelError, match=r"Unknown module 'Botleneck'\. Did you mean 'Bottleneck'\? Known: Bottleneck"):
        module_kind("Botleneck")


def test_the_modules_of_the_package_are_registered():
    expected = {
        "Attention", "Bottleneck", "C2PSA", "C2f", "C3", "C3k", "C3k2", "Concat", "Conv", "DWConv", "PSABlock", "SPPF",
        "SemanticSegment", "nn.Identity", "nn.Upsample",
    }  # fmt: skip
    assert expected <= set(MODULES)
