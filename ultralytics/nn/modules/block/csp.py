"""Cross-stage partial blocks: part of the channels goes through a chain of bottlenecks, the rest passes by."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ultralytics.nn.modules.block.attention import PSABlock, heads_for
from ultralytics.nn.modules.block.bottleneck import Bottleneck
from ultralytics.nn.modules.conv import Conv
from ultralytics.nn.registry import LayerPlan, LayerRequest, register_module, widened_and_repeated


@register_module(widened_and_repeated)
class C3(nn.Module):
    """Two branches joined by a third convolution; one branch holds the bottlenecks.

    Args:
        in_channels: channels that come in.
        out_channels: channels that go out.
        repeats: bottlenecks in a row.
        shortcut: let the input pass around each bottleneck.
        groups: groups of the bottlenecks' second convolution.
        expansion: channels of a branch per output channel.
    """

    kernel_sizes = (1, 3)

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        repeats: int = 1,
        shortcut: bool = True,
        groups: int = 1,
        expansion: float = 0.5,
    ) -> None:
        super().__init__()
        hidden = int(out_channels * expansion)
        self.cv1 = Conv(in_channels, hidden)
        self.cv2 = Conv(in_channels, hidden)
        self.cv3 = Conv(2 * hidden, out_channels)
        self.m = nn.Sequential(
            *(Bottleneck(hidden, hidden, shortcut, groups, self.kernel_sizes, expansion=1.0) for _ in range(repeats))
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, in, H, W) to (B, out, H, W)."""
        return self.cv3(torch.cat((self.m(self.cv1(x)), self.cv2(x)), 1))


@register_module(widened_and_repeated)
class C3k(C3):
    """`C3` whose bottlenecks have two 3 × 3 convolutions."""

    kernel_sizes = (3, 3)


class _Chain(nn.Module):
    """One half of the channels goes through a chain of blocks, and every step of the chain reaches the output.

    Args:
        in_channels: channels that come in.
        out_channels: channels that go out.
        width: channels of a half; the blocks keep them.
        blocks: the chain.
    """

    def __init__(self, in_channels: int, out_channels: int, width: int, blocks: Sequence[nn.Module]) -> None:
        super().__init__()
        self.c = width
        self.cv1 = Conv(in_channels, 2 * width)
        self.cv2 = Conv((2 + len(blocks)) * width, out_channels)
        self.m = nn.ModuleList(blocks)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, in, H, W) to (B, out, H, W)."""
        passed, last = self.cv1(x).split(self.c, dim=1)
        steps = [passed, last]  # by name: tools that trace symbolically cannot iterate over a split
        for block in self.m:
            steps.append(block(steps[-1]))
        return self.cv2(torch.cat(steps, 1))


@register_module(widened_and_repeated)
class C2f(_Chain):
    """A chain of bottlenecks on one half of the channels, all of whose steps reach the output.

    Args:
        in_channels: channels that come in.
        out_channels: channels that go out.
        repeats: bottlenecks in the chain.
        shortcut: let the input pass around each bottleneck.
        groups: groups of the bottlenecks' second convolution.
        expansion: channels of a half per output channel.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        repeats: int = 1,
        shortcut: bool = False,
        groups: int = 1,
        expansion: float = 0.5,
    ) -> None:
        width = int(out_channels * expansion)
        blocks = [Bottleneck(width, width, shortcut, groups, expansion=1.0) for _ in range(repeats)]
        super().__init__(in_channels, out_channels, width, blocks)


def _c3k2_rule(layer: LayerRequest) -> LayerPlan:
    """Size a `C3k2` row; the three larger scales use `C3k` blocks whatever the row says."""
    plan = widened_and_repeated(layer)
    if layer.scale.letter not in {"m", "l", "x"}:
        return plan
    in_channels, out_channels, repeats, *rest = plan.args
    return LayerPlan((in_channels, out_channels, repeats, True, *rest[1:]), plan.out_channels)


@register_module(_c3k2_rule)
class C3k2(_Chain):
    """`C2f` with a choice of blocks: `C3k`, a bottleneck and attention, or plain bottlenecks.

    Args:
        in_channels: channels that come in.
        out_channels: channels that go out.
        repeats: blocks in the chain.
        c3k: use `C3k` blocks of two bottlenecks.
        expansion: channels of a half per output channel.
        attention: use a bottleneck followed by attention, whatever `c3k` says.
        groups: groups of the bottlenecks' second convolution.
        shortcut: let the input pass around each bottleneck.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        repeats: int = 1,
        c3k: bool = False,
        expansion: float = 0.5,
        attention: bool = False,
        groups: int = 1,
        shortcut: bool = True,
    ) -> None:
        width = int(out_channels * expansion)

        def block() -> nn.Module:
            if attention:
                bottleneck = Bottleneck(width, width, shortcut, groups)
                return nn.Sequential(bottleneck, PSABlock(width, num_heads=heads_for(width)))
            if c3k:
                return C3k(width, width, 2, shortcut, groups)
            return Bottleneck(width, width, shortcut, groups)

        super().__init__(in_channels, out_channels, width, [block() for _ in range(repeats)])
