"""What a logger is: three calls, with facts and figures."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from ultralytics.engine.train.figures import EpochFigures, RunFacts


class RunLogger(ABC):
    """Writes the figures of a run somewhere.

    Attributes:
        name: what messages call it.
    """

    name: ClassVar[str]

    @abstractmethod
    def start(self, facts: RunFacts) -> None:
        """Begin a run, or go on with one."""

    @abstractmethod
    def write(self, figures: EpochFigures) -> None:
        """Write the figures of an epoch."""

    @abstractmethod
    def end(self, status: str) -> None:
        """End the run: "finished", "failed" or "interrupted"; called once, also if `start` failed half-way."""
