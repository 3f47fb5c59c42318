"""MuSGD against its definition."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from ultralytics.engine.train.muon import MuSGD, newton_schulz, orthogonalised


@settings(deadline=None, max_examples=50)
@given(st.integers(2, 40), st.integers(2, 40), st.integers(0, 2**31))
def test_singular_values_become_about_one(rows: int, columns: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    matrix = torch.randn(2, rows, columns, generator=generator)
    values = torch.linalg.svdvals(newton_schulz(matrix))
    given_values = torch.linalg.svdvals(matrix / matrix.norm(dim=(1, 2), keepdim=True))
    assert values.max() < 1.3
    assert values[given_values > 0.01].min() > 0.5  # five steps cannot lift what is almost zero


def test_singular_vectors_stay() -> None:
    torch.manual_seed(0)
    u, _ = torch.linalg.qr(torch.randn(6, 6))
    v, _ = torch.linalg.qr(torch.randn(9, 6))
    matrix = u @ torch.diag(torch.tensor([5.0, 4, 3, 2, 1.5, 1])) @ v.T
    inner = u.T @ newton_schulz(matrix[None])[0] @ v
    assert torch.allclose(inner, torch.diag(torch.diag(inner)), atol=1e-4)
    assert torch.diag(inner).min() > 0.6


def test_updates_of_all_shapes_keep_their_places() -> None:
    torch.manual_seed(0)
    shapes = [(4, 3, 3, 3), (8, 2), (4, 3, 3, 3), (2, 8), (4, 27, 1, 1)]
    updates = [torch.randn(shape) for shape in shapes]
    results = orthogonalised(updates)
    for update, result in zip(updates, results, strict=True):
        rows = len(update)
        alone = newton_schulz(update.reshape(1, rows, -1))[0] * max(1, rows * rows / update.numel()) ** 0.5
        assert result.shape == update.shape
        assert torch.allclose(result.reshape(rows, -1), alone, atol=1e-5)
    assert results[1].norm() > 1.5 * results[3].norm()  # tall matrices move more


def test_zero_stays_zero() -> None:
    assert torch.equal(orthogonalised([torch.zeros(3, 4)])[0], torch.zeros(3, 4))


def stepped(parameter: Tensor, gradients: list[Tensor], **options: float) -> Tensor:
    parameter = nn.Parameter(parameter.clone())
    optimizer = MuSGD([parameter], **options)
    for gradient in gradients:
        parameter.grad = gradient.clone()
        optimizer.step()
    return parameter.detach()


def test_vectors_take_the_steps_of_sgd() -> None:
    torch.manual_seed(0)
    start, gradients = torch.randn(7), list(torch.randn(4, 7))
    expected = nn.Parameter(start.clone())
    sgd = torch.optim.SGD([expected], lr=0.1, momentum=0.9, weight_decay=0.01, nesterov=True)
    for gradient in gradients:
        expected.grad = gradient.clone()
        sgd.step()
    assert torch.allclose(stepped(start, gradients, lr=0.1, momentum=0.9, weight_decay=0.01), expected, atol=1e-6)


def test_matrices_follow_the_definition() -> None:
    torch.manual_seed(0)
    start, gradients = torch.randn(4, 3, 3, 3), list(torch.randn(3, 4, 3, 3, 3))
    expected, buffer = start.clone(), torch.zeros_like(start)
    for gradient in gradients:
        buffer = 0.9 * buffer + gradient
        direction = newton_schulz((gradient + 0.9 * buffer).reshape(1, 4, 27)).reshape(start.shape)
        expected = expected * (1 - 0.1 * 0.01) - 0.1 * direction
    assert torch.allclose(stepped(start, gradients, lr=0.1, momentum=0.9, weight_decay=0.01), expected, atol=1e-5)


def test_scale_of_the_gradient_does_not_matter_for_matrices() -> None:
    torch.manual_seed(0)
    start, gradients = torch.randn(4, 5), list(torch.randn(3, 4, 5))
    small = stepped(start, [1e-3 * gradient for gradient in gradients])
    assert torch.allclose(stepped(start, gradients), small, atol=1e-4)


def test_group_can_switch_it_off() -> None:
    torch.manual_seed(0)
    start, gradient = torch.randn(4, 5), torch.randn(4, 5)
    plain = stepped(start, [gradient], lr=0.1, momentum=0.0, use_muon=False)
    assert torch.allclose(plain, start - 0.1 * gradient)


def test_closure_and_parameters_without_gradient() -> None:
    used, unused = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2))
    optimizer = MuSGD([used, unused], lr=0.5, momentum=0.0)

    def closure() -> Tensor:
        loss = used.sum()
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == 2.0
    assert used.tolist() == [0.5, 0.5]
    assert unused.tolist() == [1.0, 1.0]
