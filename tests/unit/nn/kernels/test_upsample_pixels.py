"""Sampled pixels carry the logits that upsampling everything would give them."""

import pytest
import torch
from torch.nn.functional import interpolate

from ultralytics.nn.kernels import logits_at, sample_pixels


def test_logits_and_labels_of_labelled_pixels() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 5, 6, 7, generator=generator)
    # Every pixel has a label of its own, so that labels tell where the logits come from.
    mask = torch.arange(2 * 41 * 50).view(2, 41, 50)
    mask[:, 10:20] = -1
    z, labels = sample_pixels(logits, mask, 300, generator, ignore_index=-1)
    assert len(labels.unique()) == 300
    assert (labels >= 0).all()
    everything = interpolate(logits, size=(41, 50), mode="bilinear").movedim(1, -1).reshape(-1, 5)
    torch.testing.assert_close(z, everything[labels])


def test_fewer_labelled_pixels_than_asked_for() -> None:
    mask = torch.full((1, 8, 8), 255, dtype=torch.uint8)
    mask[0, 2, :3] = 1
    z, labels = sample_pixels(torch.zeros(1, 4, 2, 2), mask, 10, torch.Generator())
    assert z.shape == (3, 4)
    assert labels.tolist() == [1, 1, 1]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_logits_of_pixels_of_a_region(dtype: torch.dtype) -> None:
    logits = torch.randn(2, 3, 9, 12, generator=torch.Generator().manual_seed(0)).to(dtype)
    everything = interpolate(logits.float(), size=(72, 96), mode="bilinear")
    pixels = torch.tensor([0, 1, 1]), torch.tensor([0, 17, 39]), torch.tensor([5, 31, 0])
    found = logits_at(logits, pixels, (40, 32), region=(2.0, 4.0, 5.0, 4.0))  # 8 pixels of the map per logit
    torch.testing.assert_close(found, everything[pixels[0], :, 16 + pixels[1], 32 + pixels[2]])
    torch.testing.assert_close(logits_at(logits, pixels, (72, 96)), everything[pixels[0], :, pixels[1], pixels[2]])
