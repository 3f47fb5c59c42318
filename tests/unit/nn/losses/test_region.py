"""Region losses against values worked out by hand."""

import itertools

import pytest
import torch

from ultralytics.nn.losses import dice, lovasz_softmax, tversky


def certain(ids: torch.Tensor, num_classes: int) -> torch.Tensor:
    """Logits (B, C, H, W) that are sure of these ids (B, H, W)."""
    return 200.0 * torch.nn.functional.one_hot(ids, num_classes).movedim(-1, 1).float()


def test_dice_counts_over_the_whole_batch() -> None:
    predicted = torch.tensor([[[0, 0, 1]], [[1, 1, 2]]])
    target = torch.tensor([[[0, 1, 1]], [[1, 255, 0]]])
    # Class 0: I 1, P 2, T 2; class 1: I 2, P 2, T 3; class 2: I 0, P 1, T 0.
    expected = ((1 - 3 / 5) + (1 - 5 / 6) + (1 - 1 / 2)) / 3
    assert dice(certain(predicted, 3), target).item() == pytest.approx(expected, rel=1e-6)
    present = ((1 - 3 / 5) + (1 - 5 / 6)) / 2
    assert dice(certain(predicted, 3), target, absent_classes=False).item() == pytest.approx(present, rel=1e-6)


def test_one_channel_judges_the_foreground() -> None:
    logits = torch.tensor([[[[0.0, 200.0, -200.0]]]])
    target = torch.tensor([[[1, 0, 1]]])
    assert dice(logits, target).item() == pytest.approx(1 - (2 * 0.5 + 1) / (1.5 + 2 + 1), rel=1e-6)


def test_tversky_prices_the_two_errors() -> None:
    predicted, target = torch.tensor([[[0, 0, 0, 1]]]), torch.tensor([[[0, 1, 1, 1]]])
    # Class 0: I 1, FP 2, FN 0; class 1: I 1, FP 0, FN 2.
    expected = ((1 - 2 / (2 + 0.3 * 2)) + (1 - 2 / (2 + 0.7 * 2))) / 2
    assert tversky(certain(predicted, 2), target).item() == pytest.approx(expected, rel=1e-6)
    squared = ((1 - 2 / 2.6) ** 2 + (1 - 2 / 3.4) ** 2) / 2
    assert tversky(certain(predicted, 2), target, gamma=2).item() == pytest.approx(squared, rel=1e-5)


def test_focal_tversky_of_a_solved_class_has_a_finite_gradient() -> None:
    target = torch.tensor([[[0, 1, 1, 1]]])
    logits = certain(target, 2).requires_grad_()
    tversky(logits, target, gamma=0.75).backward()
    assert logits.grad.isfinite().all()


def test_lovasz_of_certain_predictions_is_one_minus_iou() -> None:
    predicted, target = torch.tensor([[[0, 0, 1, 1, 1]]]), torch.tensor([[[0, 1, 1, 1, 255]]])
    # Class 0: IoU 1/2; class 1: IoU 2/3; class 2 is absent and does not count.
    assert lovasz_softmax(certain(predicted, 3), target).item() == pytest.approx((1 / 2 + 1 / 3) / 2, rel=1e-6)


def test_lovasz_is_the_extension_over_all_orders() -> None:
    # The extension of a submodular set function is its largest value over all orders of adding the errors.
    logits, target = torch.randn(1, 2, 1, 4), torch.tensor([[[0, 1, 1, 0]]])
    errors = (torch.nn.functional.one_hot(target, 2).movedim(-1, 1) - logits.softmax(1)).abs()[0, :, 0]

    def jaccard(wrong: set, members: set) -> float:
        return 1 - len(members - wrong) / max(len(members | wrong), 1)

    total = 0.0
    for k in (0, 1):
        members = {i for i in range(4) if target[0, 0, i] == k}
        best = 0.0
        for order in itertools.permutations(range(4)):
            value = sum(
                float(errors[k, pixel]) * (jaccard(set(order[: n + 1]), members) - jaccard(set(order[:n]), members))
                for n, pixel in enumerate(order)
            )
            best = max(best, value)
        total += best / 2
    assert lovasz_softmax(logits, target).item() == pytest.approx(total, rel=1e-5)
