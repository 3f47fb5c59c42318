"""Averaging over copies: exact where copies say the same, and never away from the lattice of the plain output."""

import pytest
import torch
from torch import Tensor, nn

from ultralytics.cfg import get_cfg
from ultralytics.errors import ConfigError
from ultralytics.tasks.semantic.tta import TTA, copies


class Equivariant(nn.Module):
    """Logits that depend on the colours of their own 8 by 8 pixels and on nothing else."""

    stride = torch.tensor([8])

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.mix = nn.Conv2d(3, num_classes, 1).requires_grad_(False)

    def forward(self, images: Tensor) -> Tensor:
        return 20 * self.mix(nn.functional.avg_pool2d(images, 8))


class Leftmost(nn.Module):
    """Says class 1 in the left half of whatever it sees, with a probability of 0.9, and else class 0."""

    dynamic = False

    def forward(self, images: Tensor) -> Tensor:
        sure = torch.full((1, 1, images.shape[2] // 8, images.shape[3] // 8), 9.0).log()
        sure[..., sure.shape[3] // 2 :] = 0
        return torch.cat([torch.zeros_like(sure), sure], dim=1)


@pytest.mark.parametrize("num_classes", [1, 5])
def test_mirroring_changes_nothing_for_a_network_that_mirrors_along(num_classes: int) -> None:
    torch.manual_seed(0)
    model, images = Equivariant(num_classes), torch.rand(2, 3, 64, 96)
    plain, averaged = model(images), TTA(model, flip=True)(images)
    if num_classes == 1:
        torch.testing.assert_close(averaged, plain, rtol=1e-6, atol=1e-5)
        assert torch.equal(averaged > 0, plain > 0)
    else:
        torch.testing.assert_close(averaged.softmax(1), plain.softmax(1), rtol=0, atol=1e-6)
        assert torch.equal(averaged.argmax(1), plain.argmax(1))


def test_probabilities_are_averaged() -> None:
    probabilities = TTA(Leftmost(), flip=True)(torch.zeros(1, 3, 16, 32)).softmax(1)
    # One copy says 0.9 in each half, the other 0.5.
    torch.testing.assert_close(probabilities[0, 1], torch.full((2, 4), 0.7))


def test_scaled_copies_come_back_to_the_lattice() -> None:
    seen = []

    class Watched(Equivariant):
        def forward(self, images: Tensor) -> Tensor:
            seen.append(tuple(images.shape[2:]))
            return super().forward(images)

    images = torch.full((1, 3, 64, 96), 0.3)
    model = Watched(3)
    averaged = TTA(model, flip=True, scales=(0.75, 1.0, 1.25), stride=32)(images)
    # 96 * 0.75 = 72 rounds to 64, 96 * 1.25 = 120 to 128, 64 * 0.75 = 48 to 64 (half to even), 64 * 1.25 = 80 to 64.
    assert seen == [(64, 96), (64, 64), (64, 64), (64, 96), (64, 128), (64, 128)]
    # A flat image is flat at every size.
    torch.testing.assert_close(averaged.softmax(1), model(images).softmax(1))


def test_a_binary_mean_survives_certainty() -> None:
    sure = nn.Sequential(nn.AvgPool2d(8), nn.Conv2d(3, 1, 1)).requires_grad_(False)
    sure[1].weight.zero_()
    sure[1].bias.fill_(300.0)
    assert float(TTA(sure, flip=True)(torch.zeros(1, 3, 8, 8))) == pytest.approx(300)


@pytest.mark.parametrize(
    ("tta", "augment", "expected"),
    [
        (None, False, set()),
        (None, True, {"flip", "ms"}),
        ("flip", True, {"flip"}),
        ("ms, flip", False, {"flip", "ms"}),
    ],
)
def test_options_choose_the_copies(tta: str | None, augment: bool, expected: set[str]) -> None:
    assert copies(tta, augment=augment) == expected


def test_a_word_that_is_not_known_is_named() -> None:
    with pytest.raises(ConfigError, match=r"'flp'.*'flip'"):
        copies("ms,flp")


def test_wrapping() -> None:
    model = Equivariant(3)
    assert TTA.wrap(model, get_cfg()) is model
    wrapped = TTA.wrap(model, get_cfg({"augment": True}))
    assert isinstance(wrapped, TTA)
    assert (wrapped.flip, wrapped.scales, wrapped.stride) == (True, (0.75, 1.0, 1.25), 8)
    with pytest.raises(ConfigError, match="tta=flip"):
        TTA.wrap(Leftmost(), get_cfg({"tta": "ms"}))
