"""Quantisation that keeps its promise: what it costs, which layers cost most, and whether it is any faster.

All of it is measured on the user's own images. Layers are those that artefacts name their nodes by: "model.22".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import inf
from statistics import fmean
from typing import Any

import torch
from torch import Tensor, nn

from ultralytics.deploy.base import ExportJob
from ultralytics.deploy.verify import Report
from ultralytics.nn.model import GraphModel
from ultralytics.utils import LOGGER
from ultralytics.utils.progress import progress

_LAYER = re.compile(r"(?:^|\.)(model\.\d+)$")
_STEPS = 255
"""Steps between the smallest and the largest of 256 values."""

_SAME = 0.05
"""Share of the time below which a difference says nothing."""

Ranking = list[tuple[str, float]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """One conversion and what it proved to be worth.

    Attributes:
        job: made the artefact.
        report: what the artefact answers; None if nobody asked.
    """

    job: ExportJob
    report: Report | None


# Which layers suffer -------------------------------------------------------------------------------------------------


@torch.inference_mode()
def layer_sensitivity(
    network: nn.Module, batches: Iterable[Tensor], divergence: Callable[[Any, Any], float]
) -> Ranking:
    """Quantise one layer at a time, and see how far the answers move.

    Weights are rounded to 8 bits per output channel, what comes out of them per tensor, between its own extremes.

    Args:
        network: images to whatever the task compares, in eval mode; it is left as it was.
        batches: float images (B, C, H, W) in [0, 1]; a few will do.
        divergence: how far an output moved from the expected one; see `Comparison`.

    Returns:
        Names of the layers that have weights, and the mean divergence of the batches; the worst first.
    """
    images = list(batches)
    expected = [network(batch) for batch in images]
    ranking: Ranking = []
    for name, layer in progress(list(_layers(network).items()), desc="layer sensitivity", leave=False):
        with _quantized(layer):
            moved = [divergence(truth, network(batch)) for truth, batch in zip(expected, images, strict=True)]
        ranking.append((name, fmean(moved)))
    return sorted(ranking, key=lambda entry: -entry[1])


def layer_readers(network: nn.Module) -> dict[str, set[str]]:
    """Find who takes what a layer returns: the next layers that have weights, and those without on the way to them.

    Args:
        network: holds a `GraphModel`, wrapped into whatever it is exported with.

    Returns:
        Names of the readers by the name of the layer.
    """
    graph = next(module for module in network.modules() if isinstance(module, GraphModel))
    weighted, readers = _layers(network), dict[str, set[str]]()
    for spec in reversed(graph.specs):  # so that the readers of a reader are known
        direct = {f"model.{later.index}" for later in graph.specs if spec.index in later.sources}
        readers[f"model.{spec.index}"] = direct.union(*(readers[name] for name in direct - weighted.keys()))
    return readers


def _layers(network: nn.Module) -> dict[str, nn.Module]:
    """Find the layers that have weights, wherever the network was wrapped into."""
    found = ((_LAYER.search(name), module) for name, module in network.named_modules())
    return {match[1]: module for match, module in found if match and any(True for _ in module.parameters())}


@contextmanager
def _quantized(layer: nn.Module) -> Iterator[None]:
    """Let a layer compute as if it were quantised."""
    weights = ((module, getattr(module, "weight", None)) for module in layer.modules())
    originals = [(module, weight) for module, weight in weights if isinstance(weight, Tensor) and weight.ndim > 1]
    hooks = [module.register_forward_hook(_round_output) for module in {layer, *(module for module, _ in originals)}]
    try:
        for module, weight in originals:
            module.weight = nn.Parameter(_round_weights(weight), requires_grad=False)
        yield
    finally:
        for hook in hooks:
            hook.remove()
        for module, weight in originals:
            module.weight = weight


def _round_weights(weights: Tensor) -> Tensor:
    largest = weights.flatten(1).abs().amax(1)
    scales = torch.where(largest > 0, largest / (_STEPS // 2), torch.ones_like(largest))
    zeros = torch.zeros_like(scales, dtype=torch.int32)
    return torch.fake_quantize_per_channel_affine(weights, scales, zeros, 0, -(_STEPS // 2), _STEPS // 2)


def _round_output(_module: nn.Module, _inputs: Any, output: Any) -> Any:
    if not isinstance(output, Tensor):
        return None
    low, high = min(float(output.min()), 0.0), max(float(output.max()), 0.0)  # zero is exact, as in the toolkits
    scale = (high - low) / _STEPS or 1.0
    return torch.fake_quantize_per_tensor_affine(output, scale, round(-low / scale), 0, _STEPS)


# What is done about it -----------------------------------------------------------------------------------------------


def spare_worst_layers(
    first: Attempt,
    ranking: Ranking,
    readers: Mapping[str, Collection[str]],
    attempt: Callable[[tuple[str, ...]], Attempt],
) -> Attempt:
    """Convert again, with the worst 1, 2, 4, … layers in higher precision, until the gate is met or half are kept.

    Toolkits quantise a tensor for the sake of whoever reads it, even where a kept layer made it. What a layer returns
    stays as it is only if its readers are kept as well.

    Args:
        first: attempt with no layer kept, which failed.
        ranking: see `layer_sensitivity`.
        readers: see `layer_readers`.
        attempt: converts and proves with layers kept.

    Returns:
        The attempt that met the gate, else the one that lost least. Its report lists all.
    """
    names = [name for name, _ in ranking]
    LOGGER.info("Layers that suffer most: " + ", ".join(f"{name} ({error:.2g})" for name, error in ranking[:5]))
    attempts, count = [first], 1
    while not _passed(attempts[-1]) and count <= len(names) // 2:
        worst = names[:count]
        kept = tuple(dict.fromkeys([*worst, *(reader for name in worst for reader in sorted(readers[name]))]))
        LOGGER.info(f"Too much is lost: converting again with {', '.join(kept)} in higher precision")
        attempts.append(attempt(kept))
        count *= 2
    best = min(attempts, key=lambda made: (not _passed(made), _drop(made)))
    if best.report is not None:
        best.report.sensitivity = dict(ranking)
        best.report.candidates = [{"kept": list(made.job.options.keep), "drop": _drop(made)} for made in attempts]
    return best


def _passed(made: Attempt) -> bool:
    return made.report is not None and made.report.passed is True


def _drop(made: Attempt) -> float:
    return inf if made.report is None or made.report.drop is None else made.report.drop


def advice(milliseconds: Mapping[str, Mapping[str, float]], megabytes: Mapping[str, float]) -> str:
    """Say plainly which artefact is faster and which is smaller, the quantised one or the fastest of its rivals.

    Args:
        milliseconds: per image, "total" counts; of the quantised artefact as "artefact", of its rivals by name.
        megabytes: sizes of these.
    """
    rival = min(megabytes.keys() - {"artefact"}, key=lambda name: milliseconds[name]["total"])
    mine, other = milliseconds["artefact"]["total"], milliseconds[rival]["total"]
    small, large = megabytes["artefact"], megabytes[rival]
    if abs(mine - other) < _SAME * other:
        speed = f"int8 and {rival} take about the same time here: {mine:.1f} and {other:.1f} ms"
    elif other < mine:
        speed = f"{rival} is faster here: {other:.1f} ms against {mine:.1f} ms"
    else:
        speed = f"int8 is faster here: {mine:.1f} ms against {other:.1f} ms of {rival}"
    size = f"int8 is {'smaller' if small < large else 'not smaller'} ({small:.1f} against {large:.1f} MB)"
    return f"{speed}; {size}"
