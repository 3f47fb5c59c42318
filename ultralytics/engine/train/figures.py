"""The figures of one epoch, made once and given to every logger."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochFigures:
    """What is known of an epoch when it is over.

    Attributes:
        epoch: counted from 1.
        seconds: since the training began, over all resumptions.
        losses: means over the epoch's batches, as "train/ce_loss".
        metrics: of the validation after it, as "metrics/mIoU" and "val/ce_loss"; NaN where there was none.
        rates: learning rates by parameter group, as "lr/pg0".
    """

    epoch: int
    seconds: float
    losses: Mapping[str, float]
    metrics: Mapping[str, float]
    rates: Mapping[str, float]

    @property
    def scalars(self) -> dict[str, float]:
        """The figures that are known, by name."""
        figures = {**self.losses, **self.metrics, **self.rates}
        return {name: value for name, value in figures.items() if math.isfinite(value)}

    @property
    def row(self) -> dict[str, float]:
        """All figures as a row of a table, the epoch and its time first."""
        return {"epoch": self.epoch, "time": self.seconds, **self.losses, **self.metrics, **self.rates}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """What a logger knows of a training when it begins.

    Attributes:
        folder: of the run.
        options: of the run, as plain values.
        resume_epoch: epochs that an earlier part of the run has finished; 0 for a new run.
    """

    folder: Path
    options: Mapping[str, Any]
    resume_epoch: int = 0
