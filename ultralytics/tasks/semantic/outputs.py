"""Answers of artefacts that are not logits, made into what prediction and validation work with."""

from __future__ import annotations

import torch
from torch import Tensor

from ultralytics.cfg import Config
from ultralytics.errors import ConfigError
from ultralytics.tasks.semantic.decide import Decision

CLASS_MAP, PROBABILITIES = "classmap", "probs"


def as_logits(outputs: Tensor, output: str, decision: Decision) -> Tensor:
    """Return what gives the answer's probabilities when a decision is made of it; logits come back as they are.

    Args:
        outputs: (B, classes, h, w).
        output: what they are, one of `OUTPUTS` but class maps.
        decision: whose temperature is undone, as the probabilities have it in them.
    """
    if output != PROBABILITIES:
        return outputs.float()
    probs = outputs.float().clamp(min=torch.finfo(torch.float32).tiny)
    logits = probs.log() if probs.shape[1] > 1 else probs.clamp(max=1 - 1e-7).logit()
    return logits * decision.temperature


def resize_ids(ids: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize ids (H, W) by taking the nearest pixel; nothing finer is left in a class map."""
    if tuple(ids.shape) == tuple(size):
        return ids
    rows, columns = (
        ((torch.arange(new, device=ids.device) + 0.5) * (old / new)).long()
        for new, old in zip(size, ids.shape, strict=True)
    )
    return ids[rows][:, columns]


def check_output_supports(config: Config, output: str) -> None:
    """Refuse what cannot be had from an artefact that returns class maps.

    Raises:
        ConfigError: the message names the option and how to export instead.
    """
    if output != CLASS_MAP:
        return
    wishes = {
        "probs": config.probs is not None,
        "entropy": config.entropy,
        "conf": config.conf is not None,
        "tta": config.tta is not None or config.augment,
        "two_step": config.two_step,
        "tile": config.tile is not None,
    }
    if wanted := [name for name, is_wanted in wishes.items() if is_wanted]:
        raise ConfigError(
            f"{', '.join(wanted)} needs what comes before the class map, and this artefact returns only the map. "
            "Export it with output=logits_lowres."
        )
