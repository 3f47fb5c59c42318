"""The optimizer with its parameter groups, and the learning rate and momentum of every iteration."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ultralytics.engine.train.muon import MuSGD
from ultralytics.errors import ConfigError, unknown_name
from ultralytics.utils.log import LOGGER

AUTO = "auto"
_LONG_RUN = 10_000  # iterations from which a hand-tuned SGD-like optimizer beats an adaptive one

_OPTIMIZERS: Mapping[str, type[Optimizer]] = {
    "SGD": torch.optim.SGD,
    "Adam": torch.optim.Adam,
    "AdamW": torch.optim.AdamW,
    "Adamax": torch.optim.Adamax,
    "NAdam": torch.optim.NAdam,
    "RAdam": torch.optim.RAdam,
    "RMSProp": torch.optim.RMSprop,
    "MuSGD": MuSGD,
}
_FUSED = (torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW)


def build_optimizer(
    model: nn.Module,
    name: str = AUTO,
    lr: float = 0.01,
    momentum: float = 0.937,
    weight_decay: float = 5e-4,
    iterations: int = 0,
    num_classes: int = 80,
) -> Optimizer:
    """Make an optimizer with three groups: weights (decayed), scales of normalisation layers, biases.

    Args:
        model: network on its device; parameters that take no gradient are left out.
        name: SGD, Adam, AdamW, Adamax, NAdam, RAdam, RMSProp, MuSGD or auto, in any case. "auto" chooses name,
            learning rate and momentum: AdamW for short runs, MuSGD for long ones.
        lr: learning rate at the start.
        momentum: momentum, or beta1 of the Adam family.
        weight_decay: decay of the weights; nothing else is decayed.
        iterations: optimizer steps planned, for "auto".
        num_classes: number of classes, for "auto".

    Raises:
        ConfigError: there is no such optimizer.
    """
    auto = name.lower() == AUTO
    if auto:
        name, lr, momentum = _automatic(iterations, num_classes)
        LOGGER.info(f"optimizer=auto: {name} with lr0={lr:g}, momentum={momentum:g} (lr0= and momentum= are ignored).")
    known = {known.lower(): known for known in _OPTIMIZERS}
    if name.lower() not in known:
        raise ConfigError(unknown_name("optimizer", name, [*_OPTIMIZERS, AUTO]))
    kind: Any = _OPTIMIZERS[known[name.lower()]]
    groups = _parameter_groups(model)
    for group in groups:
        group["weight_decay"] = weight_decay if group["param_group"] == "weight" else 0.0
        # A bias takes its own, larger rate at first; where steps do not scale with the gradient that would be a jump.
        group["bias_warmup"] = (
            group["param_group"] == "bias" and issubclass(kind, (torch.optim.SGD, MuSGD)) and not auto
        )
    optimizer: Optimizer = kind(groups, lr=lr, **_options(kind, momentum, groups))
    return optimizer


def _automatic(iterations: int, num_classes: int) -> tuple[str, float, float]:
    """Choose name, learning rate and momentum."""
    if iterations > _LONG_RUN:
        return "MuSGD", 0.01, 0.9
    return "AdamW", round(0.002 * 5 / (4 + num_classes), 6), 0.9


def _parameter_groups(model: nn.Module) -> list[dict[str, Any]]:
    groups: dict[str, list[Tensor]] = {"weight": [], "norm": [], "bias": []}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            one_dimensional = "bias" if name.endswith("bias") else "norm"
            groups[one_dimensional if parameter.ndim < 2 else "weight"].append(parameter)
    return [{"params": parameters, "param_group": name} for name, parameters in groups.items()]


def _options(kind: type[Optimizer], momentum: float, groups: list[dict[str, Any]]) -> dict[str, Any]:
    """Name the arguments of an optimizer that stand for momentum and speed."""
    options: dict[str, Any] = {}
    if kind in {torch.optim.SGD, torch.optim.RMSprop, MuSGD}:
        options["momentum"] = momentum
    else:
        options["betas"] = (momentum, 0.999)
    if kind is torch.optim.SGD:
        options["nesterov"] = momentum > 0
    if kind is not MuSGD:
        # One kernel for all parameters: same steps each time, without a Python loop over hundreds of tensors.
        devices = {parameter.device.type for group in groups for parameter in group["params"]}
        options["fused" if kind in _FUSED and devices <= {"cpu", "cuda"} else "foreach"] = True
    return options


class LRSchedule:
    """Learning rate and momentum as functions of the iteration alone, so that a resumed run needs no state.

    After the warm-up the rate falls from its start to `lrf` times that over the epochs, in a straight line or as half
    a cosine. During the warm-up it rises from 0, that of biases comes from `warmup_bias_lr` if the optimizer is of the
    SGD family, and the momentum moves from `warmup_momentum` to its value.

    Attributes:
        steps_per_epoch: iterations of an epoch; may be changed between epochs.

    Args:
        optimizer: its groups are set by `apply`.
        steps_per_epoch: iterations of an epoch.
        lrf: last learning rate as a share of the first.
        cosine: half a cosine instead of a straight line.
        warmup_epochs: length of the warm-up; at most all epochs but one.
        warmup_momentum: momentum at the first iteration.
        warmup_bias_lr: learning rate of biases at the first iteration.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        *,
        steps_per_epoch: int,
        lrf: float = 0.01,
        cosine: bool = False,
        warmup_epochs: float = 3.0,
        warmup_momentum: float = 0.8,
        warmup_bias_lr: float = 0.1,
    ) -> None:
        self.optimizer = optimizer
        self.steps_per_epoch = steps_per_epoch
        self._lrf = lrf
        self._cosine = cosine
        self._warmup_epochs = warmup_epochs
        self._warmup_momentum = warmup_momentum
        self._full = [(group["lr"], group.get("momentum")) for group in optimizer.param_groups]
        self._first_lr = [warmup_bias_lr if group.get("bias_warmup") else 0.0 for group in optimizer.param_groups]

    def apply(self, iteration: int, epochs: int) -> None:
        """Set the optimizer's groups for an iteration (from 0) of a run of so many epochs."""
        factor = self.factor(iteration // self.steps_per_epoch, epochs)
        warmup = self.warmup_iterations(epochs)
        progress = min(iteration / warmup, 1.0) if warmup else 1.0
        for group, (lr, momentum), first in zip(self.optimizer.param_groups, self._full, self._first_lr, strict=True):
            group["lr"] = _between(first, lr * factor, progress)
            if momentum is not None:
                group["momentum"] = _between(self._warmup_momentum, momentum, progress)

    def factor(self, epoch: int, epochs: int) -> float:
        """Give the share of the full learning rate in an epoch (from 0)."""
        done = min(epoch / epochs, 1.0)
        left = (1 + math.cos(math.pi * done)) / 2 if self._cosine else 1 - done
        return self._lrf + (1 - self._lrf) * left

    def warmup_iterations(self, epochs: int) -> int:
        """Count the iterations of the warm-up."""
        return round(max(min(self._warmup_epochs, epochs - 1), 0) * self.steps_per_epoch)


def _between(start: float, end: float, progress: float) -> float:
    """Interpolate; exact at both ends."""
    return start * (1 - progress) + end * progress
