"""Figures of a training for Weights & Biases; whether and where they are sent is decided by its own environment."""

from __future__ import annotations

from typing import Any

from ultralytics.engine.loggers.base import RunLogger
from ultralytics.engine.train.figures import EpochFigures, RunFacts
from ultralytics.utils.imports import require


class WandbLogger(RunLogger):
    """Logs the options at the start and the figures of every epoch.

    A run that is active already is the caller's: figures go into it, and it is left open.
    """

    name = "Weights & Biases"

    def __init__(self) -> None:
        self._run: Any = None
        self._is_ours = False

    def start(self, facts: RunFacts) -> None:
        """Begin a run named as the folder of the training, in a project named as the folder above."""
        wandb = require("wandb", extra="wandb", why="log to Weights & Biases")
        self._run, self._is_ours = wandb.run, wandb.run is None
        if self._is_ours:
            folder, options = facts.folder, dict(facts.options)
            self._run = wandb.init(project=folder.parent.name, name=folder.name, dir=str(folder), config=options)
        else:
            self._run.config.update({"training": dict(facts.options)}, allow_val_change=True)

    def write(self, figures: EpochFigures) -> None:
        """Log an epoch; of the caller's run the step is the caller's too, so the epoch is a figure."""
        if self._is_ours:
            self._run.log(figures.scalars, step=figures.epoch)
        else:
            self._run.log({**figures.scalars, "epoch": figures.epoch})

    def end(self, status: str) -> None:
        """End the run, unless it is the caller's."""
        if self._run is not None and self._is_ours:
            self._run.finish(exit_code=0 if status == "finished" else 1)
