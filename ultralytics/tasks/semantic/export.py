"""What a semantic graph returns when it is exported.

Converters' own environments import this module: it needs torch and nothing else.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from ultralytics.cfg import Config
from ultralytics.deploy.metadata import ModelMetadata
from ultralytics.deploy.options import ExportOptions
from ultralytics.deploy.outputs import NETWORK_OUTPUT
from ultralytics.errors import ConfigError
from ultralytics.nn.checkpoint import Checkpoint, load_checkpoint
from ultralytics.nn.tasks import SemanticSegmentationModel
from ultralytics.tasks.semantic.decide import Decision
from ultralytics.tasks.semantic.ids import to_ids
from ultralytics.tasks.semantic.outputs import LOGITS, PROBABILITIES, RAW_LOGITS
from ultralytics.tasks.semantic.pipeline import PipelineGraph


def build_graph(weights: Path, options: ExportOptions, metadata: ModelMetadata, *, half: bool = False) -> nn.Module:
    """Build the network that is exported: eval mode, fused, with what `options.output` names as its one output.

    Args:
        weights: checkpoint.
        options: what it is exported with.
        metadata: what is known of it; the calibration decides what a binary model calls foreground.
        half: compute in half precision; inputs and outputs stay single.
    """
    checkpoint = load_checkpoint(weights)
    network = SemanticSegmentationModel(checkpoint.yaml, ch=checkpoint.ch, nc=checkpoint.nc)
    if checkpoint.is_fused:
        network.fuse()
    network.load_state_dict(checkpoint.state_dict)
    network.fuse()
    network.eval().requires_grad_(False)
    decision = Decision.from_calibration(checkpoint.nc, metadata.calibration)
    if options.pipeline:
        return PipelineGraph(_Precise(network, half=half), options.imgsz, checkpoint.nc, decision.logit).eval()
    ratio = _ratio(network, options.imgsz, checkpoint.ch)
    return SemanticGraph(_Precise(network, half=half), options.output, ratio, decision).eval()


def prepare_checkpoint(checkpoint: Checkpoint, config: Config) -> Checkpoint:
    """Put the user's threshold in the place of the one that training found.

    Raises:
        ConfigError: `conf` was given for a model that has no threshold.
    """
    if config.conf is None:
        return checkpoint
    if checkpoint.nc != 1:
        raise ConfigError(
            f"conf={config.conf} at an export is the threshold of a model of one class, and this one has "
            f"{checkpoint.nc}. Give conf= when you predict, from an artefact of logits or probabilities."
        )
    return replace(checkpoint, calibration={**checkpoint.calibration, "threshold": config.conf})


class SemanticGraph(nn.Module):
    """Images (B, C, H, W) in [0, 1] to one output.

    Args:
        network: images to logits (B, classes, H / ratio, W / ratio).
        output: name of one of `OUTPUTS`; empty for what the network itself returns.
        ratio: pixels of the image per logit, along each axis.
        decision: temperature of the probabilities and threshold of a binary model.
    """

    def __init__(self, network: nn.Module, output: str, ratio: int, decision: Decision) -> None:
        super().__init__()
        self.network = network
        self.output = output
        self.ratio = ratio
        self.decision = decision

    def forward(self, images: Tensor) -> Tensor:
        """Return ids (B, H, W), or probabilities or logits (B, classes, H, W)."""
        logits = self.network(images)
        if self.output in {NETWORK_OUTPUT, RAW_LOGITS}:
            return logits
        # A factor instead of a size: constant in the graph, whatever size the input has.
        logits = functional.interpolate(logits, scale_factor=self.ratio, mode="bilinear", align_corners=False)
        if self.output == LOGITS:
            return logits
        if self.output == PROBABILITIES:
            logits = logits / self.decision.temperature
            return logits.softmax(1) if self.decision.num_classes > 1 else logits.sigmoid()
        return to_ids(logits, self.decision.num_classes, self.decision.logit)


class _Precise(nn.Module):
    """A network that computes in one precision and speaks single."""

    def __init__(self, network: nn.Module, *, half: bool) -> None:
        super().__init__()
        self.network = network.half() if half else network
        self.half_precision = half

    def forward(self, images: Tensor) -> Tensor:
        return self.network(images.half()).float() if self.half_precision else self.network(images)


@torch.inference_mode()
def _ratio(network: nn.Module, imgsz: tuple[int, int], channels: int) -> int:
    logits = network(torch.zeros(1, channels, *imgsz))
    return round(imgsz[0] / logits.shape[2])
