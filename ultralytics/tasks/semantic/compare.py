"""How far an artefact's answers are from those of the network it was made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ultralytics.deploy.metadata import ModelMetadata
from ultralytics.tasks.semantic.decide import Decision
from ultralytics.tasks.semantic.ids import to_ids
from ultralytics.utils.metrics import ConfusionMatrix


class SemanticComparison:
    """Pixels, scores and logits of an artefact against those of its network, over images.

    Args:
        metadata: of the artefact.
        labelled: whether the batches have labels worth comparing with.
    """

    def __init__(self, metadata: ModelMetadata, *, labelled: bool = False) -> None:
        self.metadata = metadata
        self.labelled = labelled
        self.decision = Decision.of(len(metadata.names), metadata.calibration)
        self._equal = self._pixels = 0
        self._error_max, self._error_sum, self._error_count = 0.0, 0.0, 0
        self._with_network, self._of_network, self._of_artefact = (
            ConfusionMatrix(len(metadata.names), self.decision.ignore_index) for _ in range(3)
        )

    def update(self, batch: Mapping[str, Any], expected: Tensor, answer: Sequence[np.ndarray]) -> None:
        """Compare one answer.

        Args:
            batch: the images, and their labels as "semantic_mask" if the comparison has labels.
            expected: logits (B, C, h, w) of the network in single precision, as it makes them.
            answer: what the artefact returned for the same images.
        """
        size = tuple(batch["img"].shape[2:])
        actual = torch.from_numpy(np.ascontiguousarray(answer[0]))
        truth = self.decision(expected, size).ids
        ids = read_ids(actual, self.metadata.output, size, self.decision)
        self._count_errors(expected, actual)
        self._equal += int((ids == truth).sum())
        self._pixels += truth.numel()
        self._with_network.update(ids, truth)
        if self.labelled:
            self._of_network.update(truth, batch["semantic_mask"])
            self._of_artefact.update(ids, batch["semantic_mask"])

    def _count_errors(self, expected: Tensor, actual: Tensor) -> None:
        if self.metadata.output not in {"logits", "logits_lowres"}:
            return
        if self.metadata.output == "logits":
            expected = functional.interpolate(expected, actual.shape[2:], mode="bilinear", align_corners=False)
        error = (actual.float() - expected).abs()
        self._error_max = max(self._error_max, float(error.max()))
        self._error_sum += float(error.double().sum())
        self._error_count += error.numel()

    def figures(self) -> dict[str, float]:
        """Return shares of 1: equal pixels, mIoU with the network as the truth, and with labels what both reach."""
        figures = {"equal_pixels": self._equal / max(self._pixels, 1), "miou_with_network": self._with_network.miou}
        if self.labelled:
            figures["miou_network"], figures["miou_artefact"] = self._of_network.miou, self._of_artefact.miou
            figures["miou_drop"] = figures["miou_network"] - figures["miou_artefact"]
        if self._error_count:
            figures["max_logit_error"] = self._error_max
            figures["mean_logit_error"] = self._error_sum / self._error_count
        return figures


def read_ids(actual: Tensor, output: str, size: tuple[int, int], decision: Decision) -> Tensor:
    """Read an artefact's answer as ids (B, H, W) at the input's size."""
    if output == "classmap":
        return actual
    if output == "probs":
        return to_ids(actual, decision.num_classes, decision.threshold)
    if output == "logits_lowres":
        return decision(actual.float(), size).ids
    return to_ids(actual, decision.num_classes, decision.logit)
