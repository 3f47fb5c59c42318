"""How logits become class ids: one decision that prediction, tiling and validation share."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ultralytics.errors import CheckpointError, ConfigError
from ultralytics.nn.kernels import ClassMapResult, class_map


@dataclass(frozen=True, slots=True)
class Decision:
    """What is done between logits and the ids that a user gets.

    Attributes:
        num_classes: classes of the model; 1 is a binary model.
        temperature: what logits are divided by before they become probabilities; the arg-max does not depend on it.
        threshold: probability above which a binary model says foreground.
        reject_below: pixels whose class has a lower probability get the ignore index; None rejects none.
        classes: ids that are kept, others get the ignore index; None keeps all.

    Example:
        >>> decide = Decision.from_calibration(3, {"temperature": 2.0}, conf=0.6)
        >>> decide(torch.tensor([[[[4.0]], [[0.0]], [[3.0]]]]), (1, 2)).ids
        tensor([[[255, 255]]], dtype=torch.uint8)
    """

    num_classes: int
    temperature: float = 1.0
    threshold: float = 0.5
    reject_below: float | None = None
    classes: tuple[int, ...] | None = None

    @classmethod
    def from_calibration(
        cls,
        num_classes: int,
        calibration: Mapping[str, Any],
        *,
        conf: float | None = None,
        classes: int | Sequence[int] | None = None,
    ) -> Decision:
        """Make the decision from what a checkpoint knows and a user asks for.

        Args:
            num_classes: classes of the model.
            calibration: the checkpoint's `temperature` and `threshold`, where it has them.
            conf: probability below which a pixel is rejected; of a binary model the threshold itself.
            classes: ids to keep; a binary model has only one.

        Raises:
            CheckpointError: the calibration holds implausible numbers.
            ConfigError: `classes` names a class that does not exist.
        """
        temperature = _number(calibration, "temperature", 1.0, limits=(1e-6, 1e6))
        threshold = _number(calibration, "threshold", 0.5, limits=(0.0, 1.0))
        listed = () if classes is None else (classes,) if isinstance(classes, int) else tuple(classes)
        if unknown := [number for number in listed if not 0 <= number < num_classes]:
            raise ConfigError(
                f"classes={list(listed)}: there is no class {unknown[0]}. Allowed: 0 to {num_classes - 1}."
            )
        if num_classes == 1:
            return cls(1, temperature, threshold if conf is None else conf)
        kept = None if classes is None else listed
        return cls(num_classes, temperature, reject_below=conf, classes=kept)

    @property
    def ignore_index(self) -> int:
        """Id of pixels without a class."""
        return 255 if self.num_classes <= 255 else 65535

    @property
    def logit(self) -> float:
        """The threshold as a logit."""
        if not 0 < self.threshold < 1:
            return math.inf if self.threshold >= 1 else -math.inf
        return self.temperature * math.log(self.threshold / (1 - self.threshold))

    def __call__(
        self,
        logits: Tensor,
        size: tuple[int, int],
        *,
        region: tuple[float, float, float, float] | None = None,
        confidence: bool = False,
        entropy: bool = False,
    ) -> ClassMapResult:
        """Reduce logits (B, C, h, w) to ids at another size; see `class_map`.

        Ids take a wider type than `class_map` gives them only where the ignore index needs it.
        """
        found = class_map(
            logits,
            size,
            region=region,
            threshold=self.logit,
            confidence=confidence or self.reject_below is not None,
            entropy=entropy,
            temperature=self.temperature,
        )
        ids = found.ids
        if self.reject_below is not None and found.confidence is not None:
            ids = _fill(ids, found.confidence < self.reject_below, self.ignore_index)
        if self.classes is not None:
            ids = keep_classes(ids, self.classes, self.ignore_index)
        return ClassMapResult(ids, found.confidence if confidence else None, found.entropy)


def keep_classes(ids: Tensor, classes: int | Sequence[int], ignore_index: int = 255) -> Tensor:
    """Set every pixel of a class that is not listed to `ignore_index`."""
    kept = torch.as_tensor([classes] if isinstance(classes, int) else classes, dtype=torch.int32, device=ids.device)
    return _fill(ids, ~torch.isin(ids, kept), ignore_index)


def _fill(ids: Tensor, where: Tensor, ignore_index: int) -> Tensor:
    wide = ids.int() if ignore_index > torch.iinfo(ids.dtype).max else ids
    return wide.masked_fill(where, ignore_index)


def _number(calibration: Mapping[str, Any], name: str, default: float, *, limits: tuple[float, float]) -> float:
    value = calibration.get(name, default)
    if not isinstance(value, (int, float)) or not limits[0] <= value <= limits[1]:
        raise CheckpointError(
            f"The checkpoint's calibration has {name}={value!r}; allowed is a number from {limits[0]:g} to "
            f"{limits[1]:g}. Use another checkpoint."
        )
    return float(value)
