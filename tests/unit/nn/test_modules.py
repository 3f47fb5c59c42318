"""The modules' mathematics, against the same thing written another way."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from ultralytics.errors import ModelError
from ultralytics.nn.modules import (
    C2PSA,
    C3,
    SPPF,
    Attention,
    Bottleneck,
    C2f,
    C3k,
    C3k2,
    Concat,
    Conv,
    DWConv,
    Head,
    PSABlock,
    SemanticSegment,
)
from ultralytics.nn.modules.block.attention import heads_for
from ultralytics.nn.modules.conv import DEFAULT_ACTIVATION, make_activation, use_activation


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def in_evaluation(module):
    """Evaluation mode, with batch norm statistics that do something."""
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.normal_()
            part.running_var.uniform_(0.5, 2)
    return module.eval()


def test_a_convolution_is_followed_by_batch_norm_and_silu():
    conv = in_evaluation(Conv(3, 4, 3, 2))
    x = torch.randn(2, 3, 9, 8)
    y = F.conv2d(x, conv.conv.weight, stride=2, padding=1)
    mean, variance = conv.bn.running_mean, conv.bn.running_var
    y = (y - mean.view(1, -1, 1, 1)) / (variance + 1e-3).sqrt().view(1, -1, 1, 1)
    torch.testing.assert_close(conv(x), y * y.sigmoid())
    assert conv.bn.momentum == 0.03
    assert conv.conv.bias is None


@pytest.mark.parametrize(("kernel", "dilation"), [(1, 1), (3, 1), (5, 1), (3, 2), (7, 3)])
def test_a_convolution_keeps_the_size(kernel, dilation):
    assert Conv(2, 4, kernel, dilation=dilation)(torch.zeros(2, 2, 13, 10)).shape == (2, 4, 13, 10)


def test_padding_may_be_given():
    assert Conv(3, 8, 6, 2, 2)(torch.zeros(2, 3, 32, 64)).shape == (2, 8, 16, 32)


def test_a_depth_wise_convolution_has_as_many_groups_as_it_can():
    assert DWConv(8, 8, 3).conv.groups == 8
    assert DWConv(8, 12, 3).conv.groups == 4


@pytest.mark.parametrize(
    ("activation", "kind"),
    [(True, nn.SiLU), (False, nn.Identity), ("nn.ReLU()", nn.ReLU), ("Mish", nn.Mish), (nn.Tanh(), nn.Tanh)],
)
def test_the_activation_is_chosen(activation, kind):
    assert type(Conv(1, 1, activation=activation).act) is kind


@pytest.mark.parametrize("name", ["__import__('os').getcwd()", "Sequential", "nn.ReLU(inplace=True)", ""])
def test_only_activations_in_the_table_are_made(name):
    with pytest.raises(ModelError, match=r"Unknown activation .*Known: elu, .*silu"):
        make_activation(name)


def test_an_activation_replaces_the_default_and_nothing_else():
    network = nn.Sequential(Conv(1, 1), Conv(1, 1, activation=False), Conv(1, 1, activation="relu"))
    own = nn.Hardswish()
    use_activation(network, own)
    assert network[0].act is own
    assert [type(conv.act) for conv in network[1:]] == [nn.Identity, nn.ReLU]
    assert Conv(1, 1).act is DEFAULT_ACTIVATION


def test_training_through_the_in_place_activation_gives_the_right_gradient():
    conv = Conv(2, 3, 3)
    x = torch.randn(2, 2, 4, 4, requires_grad=True)
    inputs = (x, *conv.parameters())
    gradients = torch.autograd.grad(conv(x).square().sum(), inputs)
    y = F.batch_norm(F.conv2d(x, conv.conv.weight, padding=1), None, None, conv.bn.weight, conv.bn.bias, True, eps=1e-3)
    torch.testing.assert_close(gradients, torch.autograd.grad((y * y.sigmoid()).square().sum(), inputs))


def test_maps_are_joined_along_their_channels():
    a, b = torch.zeros(1, 2, 3, 3), torch.ones(1, 1, 3, 3)
    assert Concat()([a, b]).sum((0, 2, 3)).tolist() == [0, 0, 9]


@pytest.mark.parametrize(("channels", "shortcut", "added"), [(8, True, True), (8, False, False), (6, True, False)])
def test_a_bottleneck_adds_its_input_where_it_can(channels, shortcut, added):
    block = in_evaluation(Bottleneck(8, channels, shortcut))
    x = torch.randn(1, 8, 5, 7)
    residual = block.cv2(block.cv1(x))
    torch.testing.assert_close(block(x), x + residual if added else residual)
    assert block.cv1.conv.out_channels == channels // 2


def test_repeated_pooling_sees_growing_windows():
    block = in_evaluation(SPPF(8, 6))
    x = torch.randn(1, 8, 20, 17)
    y = block.cv1(x)
    windows = [F.max_pool2d(y, side, 1, side // 2) for side in (1, 5, 9, 13)]
    torch.testing.assert_close(block(x), block.cv2(torch.cat(windows, 1)))


def test_pooling_of_the_26_family_adds_its_input_and_does_not_activate_first():
    block = in_evaluation(SPPF(8, 8, 5, 3, True))
    assert isinstance(block.cv1.act, nn.Identity)
    x = torch.randn(1, 8, 6, 6)
    with_shortcut = block(x)
    block.add = False
    torch.testing.assert_close(with_shortcut, x + block(x))
    assert not SPPF(8, 4, 5, 3, True).add


def test_attention_is_what_the_formula_says():
    attention = in_evaluation(Attention(8, num_heads=2, key_ratio=0.5))
    x = torch.randn(1, 8, 3, 5)
    qkv = attention.qkv(x).flatten(2)[0]
    expected = torch.empty(8, 15)
    values = torch.empty(8, 15)
    for head in range(2):
        query, key, value = qkv[8 * head : 8 * head + 8].split([2, 2, 4])
        values[4 * head : 4 * head + 4] = value
        for pixel in range(15):
            weights = torch.softmax(query[:, pixel] @ key / 2**0.5, dim=0)
            expected[4 * head : 4 * head + 4, pixel] = value @ weights
    positions = attention.pe(values.view(1, 8, 3, 5))
    torch.testing.assert_close(attention(x), attention.proj(expected.view(1, 8, 3, 5) + positions))


def test_an_attention_block_lets_its_input_pass_around_both_parts():
    block = in_evaluation(PSABlock(8, num_heads=2))
    x = torch.randn(1, 8, 4, 3)
    y = x + block.attn(x)
    torch.testing.assert_close(block(x), y + block.ffn(y))
    block.add = False
    torch.testing.assert_close(block(x), block.ffn(block.attn(x)))


@pytest.mark.parametrize(("channels", "heads"), [(16, 1), (64, 1), (128, 2), (384, 6)])
def test_there_is_a_head_for_every_64_channels(channels, heads):
    assert heads_for(channels) == heads


def test_attention_acts_on_the_second_half_of_the_channels():
    block = in_evaluation(C2PSA(16, 12, 2))
    x = torch.randn(1, 16, 4, 4)
    passed, attended = block.cv1(x).chunk(2, 1)
    torch.testing.assert_close(block(x), block.cv2(torch.cat([passed, block.m[1](block.m[0](attended))], 1)))


@pytest.mark.parametrize(("cls", "kernels"), [(C3, [1, 3]), (C3k, [3, 3])])
def test_two_branches_are_joined(cls, kernels):
    block = in_evaluation(cls(6, 8, 2))
    x = torch.randn(1, 6, 5, 4)
    left = block.m[1](block.m[0](block.cv1(x)))
    torch.testing.assert_close(block(x), block.cv3(torch.cat([left, block.cv2(x)], 1)))
    assert [conv.conv.kernel_size[0] for conv in (block.m[0].cv1, block.m[0].cv2)] == kernels


def test_every_step_of_the_chain_reaches_the_output():
    block = in_evaluation(C2f(6, 8, 3, shortcut=True))
    x = torch.randn(1, 6, 5, 4)
    steps = list(block.cv1(x).chunk(2, 1))
    steps.append(block.m[0](steps[1]))
    steps.append(block.m[1](steps[2]))
    steps.append(block.m[2](steps[3]))
    torch.testing.assert_close(block(x), block.cv2(torch.cat(steps, 1)))


@pytest.mark.parametrize(
    ("options", "kinds"),
    [
        ({}, [Bottleneck, Bottleneck]),
        ({"c3k": True}, [C3k, C3k]),
        ({"c3k": True, "attention": True}, [nn.Sequential, nn.Sequential]),
    ],
)
def test_the_chain_is_made_of_the_blocks_asked_for(options, kinds):
    block = in_evaluation(C3k2(8, 16, 2, **options))
    assert [type(part) for part in block.m] == kinds
    assert block(torch.zeros(1, 8, 4, 4)).shape == (1, 16, 4, 4)


def test_attention_in_the_chain_follows_a_bottleneck():
    block = C3k2(8, 16, 1, attention=True)
    assert [type(part) for part in block.m[0]] == [Bottleneck, PSABlock]


def test_the_head_classifies_the_finer_map_and_in_training_the_coarser_too():
    head = SemanticSegment(5, (8, 12))
    maps = [torch.randn(2, 8, 6, 4), torch.randn(2, 12, 3, 2)]
    main, auxiliary = head(maps)
    assert (main.shape, auxiliary.shape) == ((2, 5, 6, 4), (2, 5, 3, 2))
    head.eval()
    torch.testing.assert_close(head(maps), head.classifier(maps[0]))
    assert (head.nc, head.nl) == (5, 2)


@pytest.mark.parametrize("channels", [(8,), (8, 8, 8)])
def test_the_head_takes_two_maps(channels):
    with pytest.raises(ModelError, match=f"two feature maps, the finer one first, not {len(channels)}"):
        SemanticSegment(5, channels)


def test_a_plain_head_has_the_networks_stride_and_no_forward():
    head = Head(3, (8,))
    assert head.strides([8.0, 16.0], 32.0) == [32.0]
    with pytest.raises(NotImplementedError):
        head([torch.zeros(1)])
