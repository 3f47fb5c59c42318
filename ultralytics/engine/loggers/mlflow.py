"""Figures of a training for MLflow; where no tracking server is set they stay beside the run's folder."""

from __future__ import annotations

import os
import time
from typing import Any

from ultralytics.engine.loggers.base import RunLogger
from ultralytics.engine.train.figures import EpochFigures, RunFacts
from ultralytics.utils.imports import require

_MOST_PARAMS = 100
"""Parameters that a server takes at once."""

_STATUS = {"finished": "FINISHED", "failed": "FAILED", "interrupted": "KILLED"}


class MLflowLogger(RunLogger):
    """Logs the options at the start and the figures of every epoch.

    It works through a client of its own: the experiment and the active run of the process are the caller's, and stay as
    they are. A run that is active becomes the parent of this one.
    """

    name = "MLflow"

    def __init__(self) -> None:
        self._client: Any = None
        self._run_id = ""

    def start(self, facts: RunFacts) -> None:
        """Begin a run named as the folder of the training, in an experiment named as the folder above."""
        mlflow = require("mlflow", extra="mlflow", why="log to MLflow")
        folder, parent = facts.folder, mlflow.active_run()
        is_set = parent is not None or "MLFLOW_TRACKING_URI" in os.environ or mlflow.tracking.is_tracking_uri_set()
        # A database, since MLflow refuses to begin in plain folders from version 3 on.
        local = f"sqlite:///{(folder.parent.resolve() / 'mlflow.db').as_posix()}"
        address = mlflow.get_tracking_uri() if is_set else local
        client = mlflow.MlflowClient(tracking_uri=address)
        if parent is None:
            experiment = self._experiment(client, os.environ.get("MLFLOW_EXPERIMENT_NAME", folder.parent.name))
        else:
            experiment = parent.info.experiment_id
        tags = {} if parent is None else {"mlflow.parentRunId": parent.info.run_id}
        run = client.create_run(experiment, run_name=os.environ.get("MLFLOW_RUN", folder.name), tags=tags)
        self._client, self._run_id = client, run.info.run_id
        self._metric = mlflow.entities.Metric
        params = [mlflow.entities.Param(key, str(value)) for key, value in facts.options.items()]
        for first in range(0, len(params), _MOST_PARAMS):
            client.log_batch(self._run_id, params=params[first : first + _MOST_PARAMS])

    def write(self, figures: EpochFigures) -> None:
        """Log an epoch."""
        now = round(1000 * time.time())
        metrics = [self._metric(key, value, now, figures.epoch) for key, value in figures.scalars.items()]
        self._client.log_batch(self._run_id, metrics=metrics)

    def end(self, status: str) -> None:
        """End the run."""
        if self._run_id:
            self._client.set_terminated(self._run_id, status=_STATUS[status])

    @staticmethod
    def _experiment(client: Any, name: str) -> str:
        found = client.get_experiment_by_name(name)
        identity: str = client.create_experiment(name) if found is None else found.experiment_id
        return identity
