"""A class for every pixel: logits at the resolution of the finest feature map, supervised on the next one as well."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from ultralytics.errors import ModelError
from ultralytics.nn.modules.conv import Conv
from ultralytics.nn.modules.head.base import Head
from ultralytics.nn.registry import per_class_head, register_module


@register_module(per_class_head)
class SemanticSegment(Head):
    """Per-pixel classifier with an auxiliary one for training.

    Args:
        num_classes: classes to tell apart; 1 means foreground against background with one logit.
        in_channels: channels of the finer and of the coarser feature map.
    """

    def __init__(self, num_classes: int, in_channels: Sequence[int]) -> None:
        super().__init__(num_classes, in_channels)
        if len(in_channels) != 2:
            raise ModelError(f"takes two feature maps, the finer one first, not {len(in_channels)}")
        fine, coarse = in_channels
        self.classifier = nn.Sequential(Conv(fine, fine, 3), nn.Conv2d(fine, num_classes, 1))
        self.aux_head = nn.Sequential(Conv(coarse, fine, 3), nn.Conv2d(fine, num_classes, 1))

    def forward(self, maps: Sequence[Tensor]) -> Tensor | tuple[Tensor, Tensor]:
        """Map (B, C1, H, W) and (B, C2, H / 2, W / 2) to logits.

        Returns:
            In evaluation (B, classes, H, W); in training also those of the coarser map, (B, classes, H / 2, W / 2).
        """
        fine, coarse = maps
        logits = self.classifier(fine)
        return (logits, self.aux_head(coarse)) if self.training else logits
