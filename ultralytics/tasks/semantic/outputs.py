"""Answers of artefacts that are not logits, made into what prediction and validation work with."""

from __future__ import annotations

import torch
from torch import Tensor

from ultralytics.cfg import Config
from ultralytics.deploy.outputs import OutputKind, OutputTensor
from ultralytics.errors import ConfigError
from ultralytics.nn.autobackend import AutoBackend
from ultralytics.tasks.semantic.decide import Decision

CLASS_MAP, PROBABILITIES, LOGITS, RAW_LOGITS = "classmap", "probs", "logits", "logits_lowres"

_IDS = OutputTensor("output", ("batch", "rows", "columns"), "ids")
_PER_CLASS = OutputTensor("output", ("batch", "classes", "rows", "columns"))

OUTPUTS = (
    OutputKind(name=CLASS_MAP, tensors=(_IDS,), needs=frozenset({"resize", "argmax"}), pipeline=True),
    OutputKind(name=LOGITS, tensors=(_PER_CLASS,), needs=frozenset({"resize"})),
    OutputKind(name=RAW_LOGITS, tensors=(_PER_CLASS,)),
    OutputKind(name=PROBABILITIES, tensors=(_PER_CLASS,), needs=frozenset({"resize", "softmax"})),
)
"""What an artefact may return: ids, logits or probabilities at the input's size, or the network's own logits."""


def output_of(model: object) -> str:
    """Tell which of `OUTPUTS` a model returns.

    An artefact of another tool does not say. It is run once: whole numbers, or no axis of classes, are ids; anything
    else counts as logits, since probabilities have the same arg-max.
    """
    if stated := getattr(model, "output", ""):
        return str(stated)
    if not isinstance(model, AutoBackend) or model.backend is None:
        return RAW_LOGITS
    answer, imgsz = model.example_outputs[0], model.backend.metadata.imgsz
    if answer.ndim == 3 or answer.dtype.kind in "iu":
        return CLASS_MAP
    return LOGITS if answer.shape[2:] == imgsz else RAW_LOGITS


def as_ids(ids: Tensor, num_classes: int) -> Tensor:
    """Return a class map (B, H, W) in the type of ids; other tools make 64 bits, or leave an axis of one class."""
    ids = ids[:, 0] if ids.ndim == 4 else ids
    return ids.to(torch.uint8 if num_classes <= 256 else torch.int32)


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
