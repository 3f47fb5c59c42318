"""Figures of a training for TensorBoard, as event files in the run's folder."""

from __future__ import annotations

from typing import Any

from ultralytics.engine.loggers.base import RunLogger
from ultralytics.engine.train.figures import EpochFigures, RunFacts
from ultralytics.utils.imports import load
from ultralytics.utils.log import LOGGER


class TensorBoardLogger(RunLogger):
    """Writes one scalar per figure and epoch."""

    name = "TensorBoard"

    def __init__(self) -> None:
        self._writer: Any = None

    def start(self, facts: RunFacts) -> None:
        """Open the event file."""
        self._writer = load("torch.utils.tensorboard:SummaryWriter")(str(facts.folder))
        LOGGER.info(f"TensorBoard: tensorboard --logdir '{facts.folder}'")

    def write(self, figures: EpochFigures) -> None:
        """Write a point of each curve."""
        for name, value in figures.scalars.items():
            self._writer.add_scalar(name, value, figures.epoch)

    def end(self, status: str) -> None:
        """Close the event file."""
        if self._writer is not None:
            self._writer.close()
