"""Per-pixel losses against values worked out by hand and against torch's own."""

import math

import pytest
import torch
import torch.nn.functional as F

from ultralytics.nn.losses import cross_entropy, focal, ohem_cross_entropy


def logits_of(*probabilities: float) -> torch.Tensor:
    """(1, 2, 1, n) logits whose softmax gives class 1 these probabilities."""
    p = torch.tensor(probabilities)
    return torch.stack([torch.zeros_like(p), torch.logit(p)])[None, :, None]


def test_cross_entropy_is_torchs_with_weights_and_ignore() -> None:
    logits, target = torch.randn(2, 5, 6, 7), torch.randint(0, 5, (2, 6, 7))
    target[0, 2:] = 255
    weights = torch.rand(5) + 0.5
    expected = F.cross_entropy(logits, target, weight=weights, ignore_index=255)
    torch.testing.assert_close(cross_entropy(logits, target, class_weights=weights), expected)


def test_one_channel_is_binary_cross_entropy() -> None:
    logits = torch.tensor([[[[0.0, 2.0, -3.0]]]])
    target = torch.tensor([[[1, 255, 0]]])
    expected = (math.log(2) + math.log1p(math.exp(-3))) / 2
    assert cross_entropy(logits, target).item() == pytest.approx(expected, rel=1e-6)


def test_focal_fades_easy_pixels() -> None:
    logits, target = logits_of(0.9, 0.2), torch.tensor([[[1, 1]]])
    expected = (0.1**2 * -math.log(0.9) + 0.8**2 * -math.log(0.2)) / 2
    assert focal(logits, target, gamma=2).item() == pytest.approx(expected, rel=1e-5)
    torch.testing.assert_close(focal(logits, target, gamma=0), cross_entropy(logits, target))


def test_focal_of_a_solved_pixel_has_a_finite_gradient() -> None:
    logits = torch.tensor([[[[-90.0]], [[90.0]]]], requires_grad=True)
    focal(logits, torch.tensor([[[1]]]), gamma=0.5).backward()
    assert logits.grad.isfinite().all()


def test_ohem_keeps_the_pixels_below_the_threshold() -> None:
    logits, target = logits_of(0.95, 0.6, 0.3, 0.9), torch.tensor([[[1, 1, 1, 1]]])
    expected = -(math.log(0.6) + math.log(0.3)) / 2
    assert ohem_cross_entropy(logits, target, threshold=0.7).item() == pytest.approx(expected, rel=1e-5)


def test_ohem_keeps_a_share_even_of_easy_pixels() -> None:
    logits, target = logits_of(0.95, 0.99, 0.9, 0.97), torch.tensor([[[1, 1, 1, 1]]])
    expected = -(math.log(0.95) + math.log(0.9)) / 2
    assert ohem_cross_entropy(logits, target, min_kept=0.5).item() == pytest.approx(expected, rel=1e-5)
