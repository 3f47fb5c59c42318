"""Figures of a training for TensorBoard, as event files in the run's folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ultralytics.engine.loggers import EpochLogger
from ultralytics.utils.imports import load
from ultralytics.utils.log import LOGGER

if TYPE_CHECKING:
    from ultralytics.engine.trainer import BaseTrainer


class TensorBoardLogger(EpochLogger):
    """Writes one scalar per figure and epoch."""

    def start(self, trainer: BaseTrainer) -> None:
        """Open the event file."""
        self._writer: Any = load("torch.utils.tensorboard:SummaryWriter")(str(trainer.save_dir))
        LOGGER.info(f"TensorBoard: tensorboard --logdir '{trainer.save_dir}'")

    def write(self, figures: dict[str, float], epoch: int) -> None:
        """Write a point of each curve."""
        for name, value in figures.items():
            self._writer.add_scalar(name, value, epoch)

    def end(self) -> None:
        """Close the event file."""
        self._writer.close()
