"""How far an artefact's answers are from those of the network it was made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ultralytics.deploy.metadata import ModelMetadata
from ultralytics.deploy.verify import Limits, Verdict
from ultralytics.nn.kernels import logits_at
from ultralytics.tasks.semantic.decide import Decision
from ultralytics.tasks.semantic.outputs import CLASS_MAP, LOGITS, RAW_LOGITS, as_logits
from ultralytics.utils.metrics import ConfusionMatrix

UNLABELLED_INT8 = 0.9
"""Equal pixels asked of a quantised artefact without labels: good ones move borders, which costs nothing on labels."""

_EXAMINED = 1 << 16
"""Differing pixels of a batch, at most, whose logits are looked at."""


class SemanticComparison:
    """Pixels, scores and logits of an artefact against those of its network, over images.

    Args:
        metadata: of the artefact.
        labelled: whether the batches have labels worth comparing with.
    """

    headline = "equal_pixels"

    def __init__(self, metadata: ModelMetadata, *, labelled: bool = False) -> None:
        self.metadata = metadata
        self.labelled = labelled
        self.decision = Decision.from_calibration(len(metadata.names), metadata.calibration)
        self._equal = self._pixels = 0
        self._error_max, self._error_sum, self._error_count = 0.0, 0.0, 0
        self._with_network, self._of_network, self._of_artefact = (
            ConfusionMatrix(len(metadata.names), self.decision.ignore_index) for _ in range(3)
        )

    @staticmethod
    def divergence(expected: Tensor, actual: Tensor) -> float:
        """Return the mean Kullback-Leibler divergence of a pixel's classes, in nats, of logits (B, C, h, w)."""
        there, here = _log_probabilities(expected), _log_probabilities(actual)
        total = float(functional.kl_div(here, there, reduction="sum", log_target=True))
        return total / (there.numel() // there.shape[1])

    def read_network(self, outputs: Tensor, size: tuple[int, int]) -> Tensor:
        """Make ids (B, H, W) of the network's logits (B, C, h, w), as prediction does."""
        return self.decision(outputs, size).ids

    def read_artefact(self, outputs: Sequence[np.ndarray], size: tuple[int, int]) -> Tensor:
        """Make ids (B, H, W) of what the artefact returned, as prediction does."""
        answer, output = torch.from_numpy(np.ascontiguousarray(outputs[0])), self.metadata.output
        if output == CLASS_MAP:
            return answer
        return self.decision(as_logits(answer, output, self.decision), size).ids

    def update(
        self,
        batch: Mapping[str, Any],
        network: tuple[Tensor, Tensor],
        artefact: tuple[Sequence[np.ndarray], Tensor],
    ) -> None:
        """Compare one answer.

        Args:
            batch: the images, and their labels as "semantic_mask" if the comparison has labels.
            network: its logits (B, C, h, w) in single precision, and the ids that they make.
            artefact: what it returned for the same images, and the ids that it makes.
        """
        (expected, truth), (outputs, ids) = network, artefact
        if self.metadata.output in {LOGITS, RAW_LOGITS}:
            self._count_errors(expected, torch.from_numpy(np.ascontiguousarray(outputs[0])))
        else:
            self._infer_error(expected, truth, ids)
        self._equal += int((ids == truth).sum())
        self._pixels += truth.numel()
        self._with_network.update(ids, truth)
        if self.labelled:
            self._of_network.update(truth, batch["semantic_mask"])
            self._of_artefact.update(ids, batch["semantic_mask"])

    def _count_errors(self, expected: Tensor, actual: Tensor) -> None:
        if self.metadata.output == LOGITS:
            expected = functional.interpolate(expected, actual.shape[2:], mode="bilinear", align_corners=False)
        error = (actual.float() - expected).abs()
        self._error_max = max(self._error_max, float(error.max()))
        self._error_sum += float(error.double().sum())
        self._error_count += error.numel()

    def _infer_error(self, expected: Tensor, truth: Tensor, ids: Tensor) -> None:
        """Raise the least error that explains which classes differ: two logits d apart change places by d / 2 each."""
        image, row, column = torch.nonzero(ids != truth).T
        every = -(-len(image) // _EXAMINED) or 1
        pixels = image[::every], row[::every], column[::every]
        logits = logits_at(expected, pixels, (truth.shape[1], truth.shape[2]))
        if logits.shape[1] == 1:
            errors = (logits[:, 0] - self.decision.logit).abs()
        else:
            ours, theirs = (answer[pixels].long().clamp(max=logits.shape[1] - 1)[:, None] for answer in (truth, ids))
            errors = (logits.gather(1, ours) - logits.gather(1, theirs)).abs() / 2
        self._error_max = max(self._error_max, float(errors.max()) if len(errors) else 0.0)

    def figures(self) -> dict[str, float]:
        """Return shares of 1: equal pixels, mIoU with the network as the truth, and with labels what both reach.

        Besides the largest and the mean error of the logits; where the artefact does not return them, the least that
        the largest can be.
        """
        figures = {"equal_pixels": self._equal / max(self._pixels, 1), "miou_with_network": self._with_network.miou}
        if self.labelled:
            figures["miou_network"], figures["miou_artefact"] = self._of_network.miou, self._of_artefact.miou
            figures["miou_drop"] = figures["miou_network"] - figures["miou_artefact"]
        if self._error_count:
            figures["max_logit_error"] = self._error_max
            figures["mean_logit_error"] = self._error_sum / self._error_count
        else:
            figures["max_logit_error_at_least"] = self._error_max
        return figures

    def judge(self, figures: Mapping[str, float], limits: Limits) -> Verdict:
        """Ask for equal pixels or, of quantised artefacts, for the mIoU they may lose."""
        lost = figures["miou_drop"] if "miou_drop" in figures else 1 - figures["miou_with_network"]
        equal, drop = figures["equal_pixels"], 100 * lost
        if limits.agreement is not None:
            gate, passed = f"equal pixels >= {100 * limits.agreement:.1f} %", equal >= limits.agreement
        elif "miou_drop" in figures:
            gate, passed = f"mIoU drop <= {limits.drop:.1f} points", drop <= limits.drop
        else:
            gate = f"equal pixels >= {100 * UNLABELLED_INT8:.0f} %, as there are no labels of these classes"
            passed = equal >= UNLABELLED_INT8
        return Verdict(passed=passed, gate=gate, drop=drop)


def _log_probabilities(logits: Tensor) -> Tensor:
    """Of classes, or of foreground and background where there is one logit."""
    if logits.shape[1] == 1:
        logits = torch.cat([logits, torch.zeros_like(logits)], 1)
    return functional.log_softmax(logits.float(), 1)
