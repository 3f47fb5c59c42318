"""Figures of a training for MLflow; without `MLFLOW_TRACKING_URI` they stay beside the run's folder."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from ultralytics.engine.loggers import EpochLogger
from ultralytics.utils.imports import require

if TYPE_CHECKING:
    from ultralytics.engine.trainer import BaseTrainer


class MLflowLogger(EpochLogger):
    """Logs the options at the start and the figures of every epoch."""

    def start(self, trainer: BaseTrainer) -> None:
        """Begin a run named as the folder of the training, in an experiment named as the folder above."""
        self._mlflow: Any = require("mlflow", extra="mlflow", why="log to MLflow")
        folder = trainer.save_dir
        if not os.environ.get("MLFLOW_TRACKING_URI"):
            self._mlflow.set_tracking_uri((folder.parent.resolve() / "mlflow").as_uri())
        self._mlflow.set_experiment(os.environ.get("MLFLOW_EXPERIMENT_NAME", folder.parent.name))
        self._mlflow.start_run(run_name=os.environ.get("MLFLOW_RUN", folder.name))
        self._mlflow.log_params(trainer.args.as_dict())

    def write(self, figures: dict[str, float], epoch: int) -> None:
        """Log an epoch."""
        self._mlflow.log_metrics(figures, step=epoch)

    def end(self) -> None:
        """End the run."""
        self._mlflow.end_run()
