"""What the engine needs to know of a loss: how to call it, and the names of its parts."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor, nn


class Criterion(nn.Module):
    """The loss of a task.

    Attributes:
        names: the parts that are reported, in order.
        train_only: those of them that a network in evaluation gives nothing for.
    """

    names: ClassVar[tuple[str, ...]] = ()
    train_only: ClassVar[frozenset[str]] = frozenset()

    @property
    def eval_names(self) -> tuple[str, ...]:
        """The parts that a validation reports."""
        return tuple(name for name in self.names if name not in self.train_only)

    @abstractmethod
    def forward(self, outputs: Any, batch: Mapping[str, Any]) -> tuple[Tensor, dict[str, Tensor]]:
        """Compute the loss of a batch from the network's outputs.

        Returns:
            The total, multiplied by the batch size so that gradient accumulation sums over images, and the detached
            parts by name, which are not.
        """
