"""Where the figures of a training go: CSV and JSON lines always, other tools if they are installed and switched on.

A logger gets facts and figures, never the trainer, and its failure costs a warning, never the training.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple

from ultralytics.cfg.settings import SETTINGS
from ultralytics.engine.loggers.base import RunLogger
from ultralytics.engine.loggers.files import ResultsCSV, ResultsJSON
from ultralytics.engine.train.figures import EpochFigures, RunFacts
from ultralytics.utils.imports import available, load
from ultralytics.utils.log import LOGGER

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["LOGGERS", "LoggerRow", "ResultsCSV", "ResultsJSON", "RunLogger", "RunLoggers", "wanted_loggers"]


class LoggerRow(NamedTuple):
    """A logging tool: its switch in the settings, the package it needs, and the class that writes to it."""

    setting: str
    package: str
    target: str


LOGGERS = (
    LoggerRow("tensorboard", "tensorboard", "ultralytics.engine.loggers.tensorboard:TensorBoardLogger"),
    LoggerRow("wandb", "wandb", "ultralytics.engine.loggers.wandb:WandbLogger"),
    LoggerRow("mlflow", "mlflow", "ultralytics.engine.loggers.mlflow:MLflowLogger"),
)


def wanted_loggers(settings: Mapping[str, Any] = SETTINGS) -> list[RunLogger]:
    """Make the loggers of a run: the files, and the tools that are switched on and installed."""
    loggers: list[RunLogger] = [ResultsCSV(), ResultsJSON()]
    for setting, package, target in LOGGERS:
        if not settings.get(setting):
            continue
        if available(package):
            loggers.append(load(target)())
        else:
            LOGGER.warning(f"The setting '{setting}' is on, but the package '{package}' is not installed.")
    return loggers


class RunLoggers:
    """The loggers of one run, closed with the block they are used in, however it ends.

    One that fails is told of once and gets nothing more.
    """

    def __init__(self, loggers: Iterable[RunLogger]) -> None:
        self._loggers = list(loggers)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        status = "finished" if kind is None else "failed" if issubclass(kind, Exception) else "interrupted"
        self._each(lambda logger: logger.end(status))

    def start(self, facts: RunFacts) -> None:
        """Begin a run, or go on with one."""
        self._each(lambda logger: logger.start(facts))

    def write(self, figures: EpochFigures) -> None:
        """Write the figures of an epoch."""
        self._each(lambda logger: logger.write(figures))

    def _each(self, call: Callable[[RunLogger], None]) -> None:
        for logger in tuple(self._loggers):
            try:
                call(logger)
            except Exception as error:  # noqa: BLE001 - whatever a tool raises, hours of training are worth more
                self._loggers.remove(logger)
                LOGGER.warning(
                    f"{logger.name} failed and gets nothing more of this run: {type(error).__name__}: {error}"
                )
