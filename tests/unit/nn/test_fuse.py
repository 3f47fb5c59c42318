"""Folding batch norm into convolutions."""

from __future__ import annotations

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from ultralytics.nn.fuse import Fusable, fold_batch_norm, fuse_modules
from ultralytics.nn.modules import Conv


def pair(dtype=torch.double, *, groups=1, bias=False, affine=True, stride=1):
    """A convolution and a batch norm with statistics of their own."""
    conv = nn.Conv2d(4, 6 if groups == 1 else 4, 3, stride, 1, groups=groups, bias=bias)
    norm = nn.BatchNorm2d(conv.out_channels, eps=1e-3, affine=affine).eval()
    norm.running_mean.normal_()
    norm.running_var.uniform_(0.01, 3)
    if affine:
        nn.init.normal_(norm.weight)
        nn.init.normal_(norm.bias)
    return conv.to(dtype), norm.to(dtype)


@settings(max_examples=25, deadline=None)
@given(st.sampled_from([1, 2, 4]), st.booleans(), st.booleans(), st.sampled_from([1, 2]), st.integers(0, 2**31 - 1))
def test_the_folded_convolution_is_the_same_function(groups, bias, affine, stride, seed):
    torch.manual_seed(seed)
    conv, norm = pair(groups=groups, bias=bias, affine=affine, stride=stride)
    x = torch.randn(2, 4, 7, 5, dtype=torch.double)
    torch.testing.assert_close(fold_batch_norm(conv, norm)(x), norm(conv(x)), rtol=1e-11, atol=1e-11)


def test_a_worked_example():
    conv, norm = nn.Conv2d(1, 1, 1, bias=False), nn.BatchNorm2d(1, eps=0.0)
    nn.init.constant_(conv.weight, 3.0)
    norm.running_mean.fill_(5.0)
    norm.running_var.fill_(4.0)
    nn.init.constant_(norm.weight, 6.0)
    nn.init.constant_(norm.bias, 1.0)
    folded = fold_batch_norm(conv, norm)
    assert folded.weight.item() == 3.0 * 6.0 / 2.0
    assert folded.bias.item() == 1.0 - 5.0 * 6.0 / 2.0


def test_half_precision_is_folded_without_overflow_on_the_way():
    conv, norm = pair(torch.half)
    norm.running_var.fill_(1e-6)
    folded = fold_batch_norm(conv, norm)
    assert (folded.weight.dtype, folded.bias.dtype) == (torch.half, torch.half)
    expected = conv.weight.double() * (norm.weight.double() / (1e-6 + 1e-3) ** 0.5).view(-1, 1, 1, 1)
    torch.testing.assert_close(folded.weight.double(), expected, rtol=2e-3, atol=1e-6)


def test_the_original_and_the_random_numbers_are_left_alone():
    conv, norm = pair()
    before = copy.deepcopy(conv.state_dict())
    conv.weight.requires_grad_(False)
    state = torch.get_rng_state()
    folded = fold_batch_norm(conv, norm)
    assert torch.equal(state, torch.get_rng_state())
    assert conv.bias is None
    assert torch.equal(conv.weight, before["weight"])
    assert not folded.weight.requires_grad
    assert not folded.bias.requires_grad


def test_the_memory_layout_is_kept():
    conv, norm = pair()
    conv.to(memory_format=torch.channels_last)
    assert fold_batch_norm(conv, norm).weight.is_contiguous(memory_format=torch.channels_last)


def test_a_norm_without_statistics_cannot_be_folded():
    with pytest.raises(ValueError, match="running statistics"):
        fold_batch_norm(nn.Conv2d(2, 2, 1), nn.BatchNorm2d(2, track_running_stats=False))


def test_every_module_that_can_is_fused_once():
    network = nn.Sequential(Conv(3, 4, 3), nn.Sequential(nn.ReLU(), Conv(4, 4)))
    network[0].bn.running_mean.normal_()
    network.eval()
    x = torch.randn(1, 3, 6, 6)
    expected = network(x)
    fuse_modules(network)
    once = copy.deepcopy(network.state_dict())
    fuse_modules(network)
    torch.testing.assert_close(network(x), expected)
    assert list(network.state_dict()) == ["0.conv.weight", "0.conv.bias", "1.1.conv.weight", "1.1.conv.bias"]
    assert all(torch.equal(value, network.state_dict()[name]) for name, value in once.items())


def test_a_module_says_that_it_can_be_fused_by_having_the_method():
    assert isinstance(Conv(1, 1), Fusable)
    assert not isinstance(nn.ReLU(), Fusable)
