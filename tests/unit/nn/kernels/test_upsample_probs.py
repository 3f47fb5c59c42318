"""Full probabilities are the softmax of upsampled logits, and their arg-max is the class map."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import interpolate

from ultralytics.nn.kernels import class_map, class_probabilities


@settings(max_examples=40)
@given(
    num_classes=st.sampled_from([2, 3, 19, 150]),
    size=st.tuples(st.integers(1, 70), st.integers(1, 70)),
    scale=st.sampled_from([0.0, 1e-3, 1.0, 30.0]),
    temperature=st.sampled_from([0.5, 1.0, 3.0]),
    seed=st.integers(0, 1000),
)
def test_equals_the_naive_path_and_the_class_map(num_classes, size, scale, temperature, seed):
    logits = scale * torch.randn(1, num_classes, 6, 9, generator=torch.Generator().manual_seed(seed))
    ids = class_map(logits, size).ids[0]
    found = class_probabilities(logits[0], ids, temperature=temperature)
    naive = (interpolate(logits, size, mode="bilinear") / temperature).softmax(1)[0]
    assert found.dtype == torch.float16
    # Half precision, and one more step where it made a tie.
    torch.testing.assert_close(found.float(), naive, rtol=3e-3, atol=1e-6)
    assert torch.equal(found.argmax(0), ids.long())
    assert ((found == found.amax(0)).sum(0) == 1).all()


def test_many_bands_equal_one() -> None:
    logits = torch.randn(40, 8, 60, generator=torch.Generator().manual_seed(0))
    ids = class_map(logits[None], (90, 700)).ids[0]
    whole = class_probabilities(logits, ids)  # 37 rows in a band
    naive = interpolate(logits[None], (90, 700), mode="bilinear").softmax(1)[0]
    torch.testing.assert_close(whole.float(), naive, rtol=3e-3, atol=1e-6)


def test_a_region_of_the_logits() -> None:
    logits = torch.randn(3, 8, 8, generator=torch.Generator().manual_seed(0))
    ids = class_map(logits[None], (64, 64)).ids[0]
    part = class_probabilities(logits, ids[16:48, 8:40], region=(2.0, 1.0, 4.0, 4.0))
    assert torch.equal(part, class_probabilities(logits, ids)[:, 16:48, 8:40])


def test_rejected_pixels_keep_their_probabilities() -> None:
    logits = torch.zeros(2, 1, 2)
    found = class_probabilities(logits, torch.tensor([[255, 1]], dtype=torch.uint8))
    assert found[:, 0, 0].tolist() == [0.5, 0.5]
    assert found[1, 0, 1] > found[0, 0, 1]


def test_one_channel_gives_the_foreground() -> None:
    found = class_probabilities(torch.tensor([[[2.0]]]), torch.ones(2, 2, dtype=torch.uint8), temperature=2.0)
    assert found.shape == (1, 2, 2)
    assert found.flatten().tolist() == pytest.approx([0.7311] * 4, abs=5e-4)
