"""The strip-wise losses against upsampling everything and taking the losses there."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import interpolate

from ultralytics.errors import DatasetError, ModelError, TrainingError
from ultralytics.nn.kernels import upsample_loss, upsampled_ce_dice
from ultralytics.nn.losses import cross_entropy, dice


def plain(logits: Tensor, mask: Tensor, **options) -> tuple[Tensor, Tensor]:
    z = interpolate(logits.float(), size=mask.shape[1:], mode="bilinear", align_corners=False)
    absent = options.pop("absent_classes", True)
    ignore = options.get("ignore_index", 255)
    return cross_entropy(z, mask, **options), dice(z, mask, ignore_index=ignore, absent_classes=absent)


def problem(num_classes: int, source: tuple, size: tuple, batch: int = 2, seed: int = 0, ignored: float = 0.2) -> tuple:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(batch, num_classes, *source, generator=generator) * 3
    mask = torch.randint(0, max(num_classes, 2), (batch, *size), generator=generator).to(torch.uint8)
    mask[torch.rand(mask.shape, generator=generator) < ignored] = 255
    return logits.requires_grad_(), mask


def values_and_gradient(function, logits: Tensor, mask: Tensor, factors=(1.0, 1.0), **options) -> tuple:
    logits = logits.detach().clone().requires_grad_()
    ce, dice_loss = function(logits, mask, **options)
    (factors[0] * ce + factors[1] * dice_loss).backward()
    return ce.detach(), dice_loss.detach(), logits.grad


def assert_all_close(actual: tuple, expected: tuple) -> None:
    for ours, theirs in zip(actual, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)


@given(
    num_classes=st.sampled_from([1, 2, 5, 19]),
    source=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    size=st.tuples(st.integers(1, 50), st.integers(1, 50)),
    strip=st.sampled_from([1, 500, 1 << 19]),
    absent_classes=st.booleans(),
    seed=st.integers(0, 1000),
)
@settings(max_examples=80, deadline=None)
def test_same_as_upsampling_everything(num_classes, source, size, strip, absent_classes, seed) -> None:
    logits, mask = problem(num_classes, source, size, seed=seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(upsample_loss, "CPU_STRIP", strip)
        ours = values_and_gradient(upsampled_ce_dice, logits, mask, (0.7, 1.9), absent_classes=absent_classes)
    assert_all_close(ours, values_and_gradient(plain, logits, mask, (0.7, 1.9), absent_classes=absent_classes))


@pytest.mark.parametrize("weighted", [False, True])
def test_cross_entropy_alone(weighted: bool) -> None:
    logits, mask = problem(7, (6, 8), (41, 64))
    weights = torch.rand(7) + 0.5 if weighted else None
    ce, none, gradient = values_and_gradient(upsampled_ce_dice, logits, mask, class_weights=weights, dice=False)
    expected, _, wanted = values_and_gradient(plain, logits, mask, (1.0, 0.0), class_weights=weights)
    assert_all_close((ce, gradient), (expected, wanted))
    assert none == 0


def test_class_weights_touch_the_cross_entropy_only() -> None:
    logits, mask = problem(5, (6, 6), (48, 48))
    weights = torch.tensor([0.1, 1.0, 2.0, 3.0, 0.5])
    weighted = values_and_gradient(upsampled_ce_dice, logits, mask, class_weights=weights)
    assert_all_close(weighted, values_and_gradient(plain, logits, mask, class_weights=weights))
    assert weighted[1] == upsampled_ce_dice(logits, mask)[1]


def test_another_ignore_index_and_integer_type() -> None:
    logits, mask = problem(4, (5, 5), (40, 40))
    wide = mask.int()
    wide[wide == 255] = 65535
    assert_all_close(
        values_and_gradient(upsampled_ce_dice, logits, wide, ignore_index=65535),
        values_and_gradient(upsampled_ce_dice, logits, mask),
    )


@pytest.mark.parametrize("num_classes", [1, 6])
@pytest.mark.parametrize("dice_too", [True, False])
def test_nothing_labelled_is_exactly_nothing(num_classes: int, dice_too: bool) -> None:
    logits, mask = problem(num_classes, (4, 4), (32, 32), ignored=1.0)
    ce, dice_loss, gradient = values_and_gradient(upsampled_ce_dice, logits, mask, dice=dice_too)
    assert ce == 0
    assert dice_loss == 0
    assert not gradient.any()


@pytest.mark.parametrize("num_classes", [1, 6])
@pytest.mark.parametrize("dice_too", [True, False])
def test_what_lies_beneath_ignored_pixels_changes_no_bit(num_classes: int, dice_too: bool) -> None:
    logits, mask = problem(num_classes, (8, 8), (64, 64))
    mask[:, :, 32:] = 255
    flipped = logits.detach().clone()
    # The mask's column 31 still leans on the logits' column 4.
    flipped[..., 5:] = -7 * flipped[..., 5:]
    one = values_and_gradient(upsampled_ce_dice, logits, mask, dice=dice_too)
    other = values_and_gradient(upsampled_ce_dice, flipped, mask, dice=dice_too)
    assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_two_runs_give_the_same_bits() -> None:
    logits, mask = problem(19, (30, 30), (240, 240))
    one, other = (values_and_gradient(upsampled_ce_dice, logits, mask) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_logits_far_apart_stay_finite() -> None:
    logits, mask = problem(3, (4, 4), (32, 32))
    ours = values_and_gradient(upsampled_ce_dice, logits * 1e4, mask)
    assert_all_close(ours, values_and_gradient(plain, logits * 1e4, mask))
    assert ours[2].isfinite().all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_logits_are_computed_in_single_precision(dtype: torch.dtype) -> None:
    logits, mask = problem(5, (6, 6), (48, 48))
    half = logits.detach().to(dtype)
    ce, dice_loss, gradient = values_and_gradient(upsampled_ce_dice, half, mask)
    wanted = values_and_gradient(upsampled_ce_dice, half.float(), mask)
    assert ce == wanted[0]
    assert dice_loss == wanted[1]
    assert torch.equal(gradient, wanted[2].to(dtype))


def test_autocast_changes_nothing() -> None:
    logits, mask = problem(5, (6, 6), (48, 48))
    wanted = values_and_gradient(upsampled_ce_dice, logits, mask)
    with torch.autocast("cpu", torch.bfloat16):
        ours = values_and_gradient(upsampled_ce_dice, logits, mask)
    assert all(torch.equal(a, b) for a, b in zip(ours, wanted, strict=True))


@pytest.mark.parametrize("dice_too", [True, False])
def test_values_without_gradient(dice_too: bool) -> None:
    logits, mask = problem(5, (6, 6), (48, 48))
    with torch.no_grad():
        values = upsampled_ce_dice(logits, mask, dice=dice_too)
    assert all(not value.requires_grad for value in values)
    assert values == upsampled_ce_dice(logits, mask, dice=dice_too)


@pytest.mark.parametrize("dice_too", [True, False])
def test_second_derivatives_are_refused(dice_too: bool) -> None:
    logits, mask = problem(3, (4, 4), (32, 32))
    ce, dice_loss = upsampled_ce_dice(logits, mask, dice=dice_too)
    with pytest.raises(TrainingError, match="create_graph"):
        torch.autograd.grad(ce + dice_loss, logits, create_graph=True)


@pytest.mark.parametrize(("num_classes", "wrong"), [(3, 3), (3, 254), (1, 2), (3, -1)])
def test_labels_out_of_range_are_named(num_classes: int, wrong: int) -> None:
    logits, mask = problem(num_classes, (4, 4), (32, 32))
    mask = mask.int()
    mask[1, 5, 6] = wrong
    with pytest.raises(DatasetError, match=f"id {wrong}:"):
        upsampled_ce_dice(logits, mask)


@pytest.mark.parametrize(
    ("logits", "mask"),
    [
        (torch.zeros(2, 3, 4, 4), torch.zeros(1, 8, 8, dtype=torch.uint8)),
        (torch.zeros(2, 3, 4, 4), torch.zeros(2, 1, 8, 8, dtype=torch.uint8)),
        (torch.zeros(2, 3, 4, 4), torch.zeros(2, 8, 8)),
    ],
)
def test_shapes_that_do_not_belong_together_are_refused(logits: Tensor, mask: Tensor) -> None:
    with pytest.raises(ModelError, match="do not belong together"):
        upsampled_ce_dice(logits, mask)
