"""Where the figures of a training go: results.csv always, other tools if they are installed and switched on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from ultralytics.cfg.settings import SETTINGS
from ultralytics.engine.events import EVENTS, CallbackList
from ultralytics.engine.loggers.csv import ResultsCSV
from ultralytics.utils.imports import available, load
from ultralytics.utils.log import LOGGER

if TYPE_CHECKING:
    from ultralytics.engine.trainer import BaseTrainer

__all__ = ["LOGGERS", "EpochLogger", "Logger", "ResultsCSV", "add_loggers"]


class Logger(NamedTuple):
    """A logging tool: its switch in the settings, the package it needs, and the class that does it."""

    setting: str
    package: str
    target: str


LOGGERS = (
    Logger("tensorboard", "tensorboard", "ultralytics.engine.loggers.tensorboard:TensorBoardLogger"),
    Logger("wandb", "wandb", "ultralytics.engine.loggers.wandb:WandbLogger"),
    Logger("mlflow", "mlflow", "ultralytics.engine.loggers.mlflow:MLflowLogger"),
)


def add_loggers(callbacks: CallbackList, settings: Mapping[str, Any] = SETTINGS) -> list[str]:
    """Hang the loggers that are switched on and installed on their events, each once; return their names."""
    added = []
    for setting, package, target in LOGGERS:
        if not settings.get(setting):
            continue
        if not available(package):
            LOGGER.warning(f"The setting '{setting}' is on, but the package '{package}' is not installed.")
            continue
        kind = load(target)
        present = (getattr(function, "__self__", None) for function in callbacks.functions("on_train_start"))
        if not any(isinstance(owner, kind) for owner in present):
            logger = kind()
            for event in EVENTS:
                if hasattr(logger, event):
                    callbacks.add(event, getattr(logger, event))
        added.append(setting)
    return added


class EpochLogger(ABC):
    """A logger that writes the figures of every epoch, once."""

    def __init__(self) -> None:
        self._last_epoch = 0

    @abstractmethod
    def start(self, trainer: BaseTrainer) -> None:
        """Begin a run."""

    @abstractmethod
    def write(self, figures: dict[str, float], epoch: int) -> None:
        """Write losses, metrics and learning rates of an epoch, counted from 1."""

    @abstractmethod
    def end(self) -> None:
        """End the run."""

    def on_train_start(self, trainer: BaseTrainer) -> None:
        """Begin a run."""
        self._last_epoch = trainer.loop.epoch
        self.start(trainer)

    def on_fit_epoch_end(self, trainer: BaseTrainer) -> None:
        """Write the epoch's figures; the validation of the best weights at the very end is no epoch."""
        if trainer.loop.epoch > self._last_epoch:
            self._last_epoch = trainer.loop.epoch
            losses = {f"train/{name}": value for name, value in trainer.loss_items.items()}
            rates = {f"lr/pg{index}": group["lr"] for index, group in enumerate(trainer.optimizer.param_groups)}
            self.write({**losses, **trainer.metrics, **rates}, trainer.loop.epoch)

    def on_train_end(self, trainer: BaseTrainer) -> None:
        """End the run."""
        self.end()
