"""What a run remembers, so that a resumed run is bitwise the run that never stopped."""

from __future__ import annotations

import math
import time
from dataclasses import asdict, dataclass, fields
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from ultralytics.engine.train.ema import ModelEMA
from ultralytics.errors import ConfigError
from ultralytics.utils.torch_utils import rng_state, set_rng_state


@dataclass(slots=True)
class LoopState:
    """Plain numbers of the training loop, saved with every checkpoint.

    Attributes:
        epoch: epochs finished.
        iteration: batches seen.
        updates: optimizer steps taken.
        epochs: epochs planned (a time budget may change it).
        elapsed: seconds of training so far, over all resumptions.
        best_fitness: best validation fitness, None before the first validation.
        best_loss: validation loss of that epoch, which decides between epochs of the same fitness.
        best_epoch: epoch (counted from 1) that reached it.
        planned_updates: optimizer steps planned at the very start; an automatic optimizer is chosen by it, so a resumed
            run with more epochs keeps its optimizer.
    """

    epochs: int
    epoch: int = 0
    iteration: int = 0
    updates: int = 0
    elapsed: float = 0.0
    best_fitness: float | None = None
    best_loss: float = math.inf
    best_epoch: int = 0
    planned_updates: int = 0

    def state_dict(self) -> dict[str, Any]:
        """Give the numbers as plain data."""
        return asdict(self)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take the numbers of a saved run; what an older one did not note keeps its default."""
        for field in fields(self):
            setattr(self, field.name, state.get(field.name, field.default))

    def observe(self, fitness: float, loss: float = math.inf) -> bool:
        """Remember a fitness and the validation loss; tell whether they are strictly better than all before.

        At the start of a training no class may be right anywhere, epoch after epoch: the loss then still falls.
        """
        better = self.best_fitness is None or (fitness, -loss) > (self.best_fitness, -self.best_loss)
        if better:
            self.best_fitness, self.best_loss, self.best_epoch = fitness, loss, self.epoch
        return better


@dataclass(slots=True)
class TrainingState:
    """Everything a run needs to go on exactly where it was, as tensors and plain data."""

    model: nn.Module
    ema: ModelEMA
    optimizer: Optimizer
    scaler: torch.amp.GradScaler
    loop: LoopState

    def snapshot(self) -> dict[str, Any]:
        """Take the state; tensors are shared, not copied."""
        parts = {name: getattr(self, name).state_dict() for name in self.__slots__}
        return {**parts, "rng": rng_state()}

    def restore(self, state: dict[str, Any] | None) -> None:
        """Put a state back.

        Raises:
            ConfigError: the checkpoint was saved without it.
        """
        if state is None:
            raise ConfigError("The checkpoint holds no training state to resume from. Resume from a run's last.pt.")
        for name in self.__slots__:
            getattr(self, name).load_state_dict(state[name])
        set_rng_state(state["rng"])


class Stopwatch:
    """Seconds since it was made, on top of those of earlier runs."""

    def __init__(self, before: float = 0.0) -> None:
        self._start = time.monotonic() - before

    def __call__(self) -> float:
        """Read the watch."""
        return time.monotonic() - self._start
