"""Figures of a training for Weights & Biases; whether and where they are sent is decided by its own environment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ultralytics.engine.loggers import EpochLogger
from ultralytics.utils.imports import require

if TYPE_CHECKING:
    from ultralytics.engine.trainer import BaseTrainer


class WandbLogger(EpochLogger):
    """Logs the options at the start and the figures of every epoch."""

    def start(self, trainer: BaseTrainer) -> None:
        """Begin a run named as the folder of the training, in a project named as the folder above."""
        wandb = require("wandb", extra="wandb", why="log to Weights & Biases")
        folder = trainer.save_dir
        self._run: Any = wandb.init(
            project=folder.parent.name, name=folder.name, dir=str(folder), config=trainer.args.as_dict()
        )

    def write(self, figures: dict[str, float], epoch: int) -> None:
        """Log an epoch."""
        self._run.log(figures, step=epoch)

    def end(self) -> None:
        """End the run."""
        self._run.finish()
