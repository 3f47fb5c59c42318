"""The criterion of semantic training: cross-entropy and Dice on full-resolution logits, cross-entropy on the aux head.

The logits stay at the network's stride; the kernel upsamples them to the label's resolution in strips, so the loss
costs little memory at any class count (see `nn.kernels.upsample_loss`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from ultralytics.engine.train.criterion import Criterion
from ultralytics.nn.kernels import upsampled_ce_dice

AUX_GAIN = 0.4


class SemanticCriterion(Criterion):
    """Sum of cross-entropy, Dice and auxiliary cross-entropy over the pixels that are not ignored.

    Args:
        ignore_index: label id that takes no part.
        class_weights: (C,) weights of the cross-entropy terms; None weighs all classes alike. Not used when C = 1,
            where the terms are binary cross-entropy and binary Dice.
    """

    names = ("ce_loss", "dice_loss", "aux_loss")
    train_only = frozenset({"aux_loss"})

    def __init__(self, ignore_index: int = 255, class_weights: Tensor | None = None) -> None:
        super().__init__()
        self.ignore_index = ignore_index
        self.register_buffer("class_weights", class_weights, persistent=False)

    def forward(
        self, outputs: Tensor | tuple[Tensor, Tensor], batch: Mapping[str, Any]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Compute the loss of a batch.

        Args:
            outputs: (B, C, h, w) logits, or a pair with the auxiliary head's logits of any size.
            batch: its `semantic_mask` holds (B, H, W) integer ids.

        Returns:
            See `Criterion`.
        """
        main, aux = outputs if isinstance(outputs, (tuple, list)) else (outputs, None)
        target = batch["semantic_mask"].to(main.device, non_blocking=True)
        options: dict[str, Any] = {
            "ignore_index": self.ignore_index,
            "class_weights": self.class_weights if main.shape[1] > 1 else None,
        }
        ce, dice = upsampled_ce_dice(main, target, **options)
        parts = {"ce_loss": ce.detach(), "dice_loss": dice.detach()}
        if aux is None:
            return (ce + dice) * len(main), parts
        aux_ce = AUX_GAIN * upsampled_ce_dice(aux, target, dice=False, **options)[0]
        return (ce + dice + aux_ce) * len(main), {**parts, "aux_loss": aux_ce.detach()}
