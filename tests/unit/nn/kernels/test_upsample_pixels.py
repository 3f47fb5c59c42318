"""Sampled pixels carry the logits that upsampling everything would give them."""

import torch
from torch.nn.functional import interpolate

from ultralytics.nn.kernels import sample_pixels


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
