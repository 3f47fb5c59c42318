"""MuSGD: momentum steps whose direction is orthogonalised for weight matrices, and left as it is for vectors.

Muon (K. Jordan et al., 2024, kellerjordan.github.io/posts/muon) replaces the momentum M = U S Vᵀ of a weight matrix by
U Vᵀ, so that every direction of the matrix learns at the same pace. U Vᵀ comes from five Newton-Schulz steps

    X ← a X + (b A + c A²) X,   A = X Xᵀ,   starting from X = M / ‖M‖,

whose coefficients (a, b, c) push all singular values towards 1 without ever growing them beyond about 1.2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

_A, _B, _C = 3.4445, -4.7750, 2.0315
_STEPS = 5
_EPSILON = 1e-7


class MuSGD(Optimizer):
    """Stochastic gradient descent with Nesterov momentum, orthogonalised for tensors of two or more dimensions.

    A convolution's weight counts as a matrix of its outputs by everything else. Weight decay shrinks matrices directly
    (an addition to the gradient would vanish in the orthogonalisation) and is added to the gradient of vectors.

    Args:
        params: parameters or groups of them; a group's `use_muon` decides whether its matrices are orthogonalised.
        lr: learning rate of both kinds.
        momentum: share of the old direction, in [0, 1).
        weight_decay: pull towards zero.
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float = 0.01,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        use_muon: bool = True,
    ) -> None:
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "use_muon": use_muon}
        super().__init__(params, defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take a step; `closure`, if given, computes the loss and the gradients first."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            trained = [parameter for parameter in group["params"] if parameter.grad is not None]
            matrices = [p for p in trained if group["use_muon"] and p.ndim >= 2]
            vectors = [p for p in trained if not (group["use_muon"] and p.ndim >= 2)]
            if matrices:
                self._step_matrices(matrices, group["lr"], group["momentum"], group["weight_decay"])
            if vectors:
                self._step_vectors(vectors, group["lr"], group["momentum"], group["weight_decay"])
        return loss

    def _step_vectors(self, parameters: list[Tensor], lr: float, momentum: float, weight_decay: float) -> None:
        gradients = list(torch._foreach_add(_gradients(parameters), parameters, alpha=weight_decay))
        torch._foreach_add_(parameters, self._direction(parameters, gradients, momentum), alpha=-lr)

    def _step_matrices(self, parameters: list[Tensor], lr: float, momentum: float, weight_decay: float) -> None:
        directions = orthogonalised(self._direction(parameters, _gradients(parameters), momentum))
        torch._foreach_mul_(parameters, 1 - lr * weight_decay)
        torch._foreach_add_(parameters, directions, alpha=-lr)

    def _direction(self, parameters: list[Tensor], gradients: list[Tensor], momentum: float) -> list[Tensor]:
        """Update the momentum buffers and look ahead from them (Nesterov): g + m·buffer."""
        for parameter in parameters:
            if "momentum_buffer" not in self.state[parameter]:
                self.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
        buffers = [self.state[parameter]["momentum_buffer"] for parameter in parameters]
        torch._foreach_mul_(buffers, momentum)
        torch._foreach_add_(buffers, gradients)
        return list(torch._foreach_add(gradients, buffers, alpha=momentum))


def orthogonalised(updates: Sequence[Tensor]) -> list[Tensor]:
    """Replace each update (O, I, …) by the nearest matrix with orthonormal rows or columns, times √max(1, O/I…).

    The factor keeps the size of an output's change the same for tall matrices. Updates of one shape share their matrix
    products; zeros stay zeros.
    """
    by_shape: dict[tuple[int, int], list[int]] = {}
    for index, update in enumerate(updates):
        rows, columns = len(update), update.numel() // len(update)
        by_shape.setdefault((rows, columns), []).append(index)
    results: list[Tensor] = list(updates)
    for (rows, columns), indices in by_shape.items():
        batch = torch.stack([updates[index].reshape(rows, columns) for index in indices])
        batch = newton_schulz(batch) * max(1.0, rows / columns) ** 0.5
        for index, result in zip(indices, batch, strict=True):
            results[index] = result.reshape(updates[index].shape).to(updates[index].dtype)
    return results


def newton_schulz(matrices: Tensor) -> Tensor:
    """Approximate U Vᵀ of each matrix (B, R, C) = U S Vᵀ: singular values become about 1 (0.7 to 1.2)."""
    precision = torch.bfloat16 if matrices.is_cuda else torch.float32
    tall = matrices.shape[1] > matrices.shape[2]
    x: Tensor = (matrices.mT if tall else matrices).to(precision)  # A is then the smaller of the two products
    x = x / (x.norm(dim=(1, 2), keepdim=True) + _EPSILON)
    for _ in range(_STEPS):
        a = x @ x.mT
        x = _A * x + (_B * a + _C * (a @ a)) @ x
    return x.mT if tall else x


def _gradients(parameters: list[Tensor]) -> list[Tensor]:
    return [parameter.grad for parameter in parameters if parameter.grad is not None]
