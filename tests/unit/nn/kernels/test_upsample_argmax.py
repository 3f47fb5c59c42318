"""Class maps against upsampling everything and taking the arg-max."""

import math
import subprocess
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import interpolate

from ultralytics.errors import ModelError
from ultralytics.nn.kernels import class_map, upsample_argmax


def upsampled(logits: Tensor, size: tuple[int, int]) -> Tensor:
    return interpolate(logits.float(), size=size, mode="bilinear", align_corners=False)


def assert_same_map(ids: Tensor, z: Tensor) -> None:
    """Every id is that of the maximum of z (B, C, H, W), up to the rounding of one interpolation."""
    best = z.amax(1)
    chosen = z.gather(1, ids.long()[:, None])[:, 0]
    assert ((best - chosen) <= 2e-6 * z.abs().amax().clamp(min=1)).all()


def smooth(num_classes: int, height: int, width: int, grain: float, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    shape = 1, num_classes, max(2, int(height / grain)), max(2, int(width / grain))
    coarse = torch.randn(shape, generator=generator)
    return interpolate(coarse, size=(height, width), mode="bicubic") * 5


@pytest.fixture(params=[0.0, 0.35, 1.0], ids=["every-pixel", "mixed", "cells-only"])
def both_ways(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upsample_argmax, "MAX_BOUNDARY", request.param)


sizes = st.tuples(st.integers(1, 20), st.integers(1, 20))
map_sizes = st.tuples(st.integers(1, 90), st.integers(1, 90))


@given(
    source=sizes,
    size=map_sizes,
    num_classes=st.sampled_from([2, 3, 19, 40]),
    dtype=st.sampled_from([torch.float32, torch.float16, torch.bfloat16]),
    grain=st.sampled_from([1.0, 3.0]),
    buffer=st.sampled_from([1 << 9, 1 << 13, 1 << 20]),
    boundary=st.sampled_from([0.0, 0.35, 1.0]),
    seed=st.integers(0, 1000),
)
@settings(max_examples=80, deadline=None)
def test_same_as_upsampling_everything(source, size, num_classes, dtype, grain, buffer, boundary, seed) -> None:
    logits = smooth(num_classes, *source, grain, seed).to(dtype)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(upsample_argmax, "CPU_BUFFER", buffer)
        patch.setattr(upsample_argmax, "MAX_BOUNDARY", boundary)
        ids = class_map(logits, size).ids
    assert ids.shape == (1, *size)
    assert_same_map(ids, upsampled(logits, size))


@given(source=sizes, size=map_sizes, seed=st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_computed_pixels_do_not_depend_on_the_way(source: tuple[int, int], size: tuple[int, int], seed: int) -> None:
    logits = torch.randn(1, 5, *source, generator=torch.Generator().manual_seed(seed))
    maps = []
    for boundary, buffer in ((0.0, 1 << 9), (0.0, 1 << 20), (1.0, 1 << 9), (1.0, 1 << 20)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(upsample_argmax, "CPU_BUFFER", buffer)
            patch.setattr(upsample_argmax, "MAX_BOUNDARY", boundary)
            maps.append(class_map(logits, size).ids)
    assert all(torch.equal(maps[0], other) for other in maps[1:])


@given(source=sizes, ratio=st.sampled_from([1, 2, 4, 8]), seed=st.integers(0, 1000))
@settings(max_examples=60, deadline=None)
def test_planted_ties_go_to_the_first_class(source: tuple[int, int], ratio: int, seed: int) -> None:
    # Small integers times dyadic weights are exact in float32, so ties are exact on both sides.
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randint(-2, 3, (2, 6, *source), generator=generator).float()
    size = source[0] * ratio, source[1] * ratio
    expected = upsampled(logits, size).argmax(1)
    assert torch.equal(class_map(logits, size).ids.long(), expected)


@pytest.mark.usefixtures("both_ways")
def test_equal_channels_give_the_first() -> None:
    channel = torch.randn(1, 1, 9, 11)
    assert not class_map(channel.expand(1, 19, 9, 11), (70, 83)).ids.any()


@given(source=sizes, size=map_sizes, num_classes=st.sampled_from([1, 2, 5]), seed=st.integers(0, 1000))
@settings(max_examples=80, deadline=None)
def test_nan_counts_as_the_maximum(source, size, num_classes: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(1, num_classes, *source, generator=generator)
    logits[torch.rand(logits.shape, generator=generator) < 0.05] = math.nan
    z = upsampled(logits, size)
    ids = class_map(logits, size).ids
    if num_classes == 1:
        clear = z[:, 0].abs() > 1e-6
        assert torch.equal(ids[clear].bool(), z[:, 0][clear] > 0)
        assert not ids[z[:, 0].isnan()].any()
    else:
        spoilt = z.isnan().any(1)
        assert torch.equal(ids[spoilt].long(), z.argmax(1)[spoilt])


@given(source=sizes, size=map_sizes, threshold=st.sampled_from([0.0, -0.7, 0.4]), seed=st.integers(0, 1000))
@settings(max_examples=60, deadline=None)
def test_single_channel_is_compared_with_the_threshold(source, size, threshold: float, seed: int) -> None:
    logits = torch.randn(2, 1, *source, generator=torch.Generator().manual_seed(seed))
    z = upsampled(logits, size)[:, 0]
    ids = class_map(logits, size, threshold=threshold).ids
    clear = (z - threshold).abs() > 1e-6
    assert ids.dtype == torch.uint8
    assert torch.equal(ids[clear].bool(), z[clear] > threshold)


@pytest.mark.parametrize(
    ("num_classes", "dtype"), [(1, torch.uint8), (256, torch.uint8), (257, torch.int16), (32769, torch.int32)]
)
def test_ids_are_as_small_as_the_class_count_allows(num_classes: int, dtype: torch.dtype) -> None:
    logits = torch.zeros(1, num_classes, 2, 3)
    logits[0, -1, :, 2] = 1
    ids = class_map(logits, (4, 6)).ids
    assert ids.dtype == dtype
    assert ids[0, :, -1].tolist() == [max(num_classes - 1, 1)] * 4


@pytest.mark.usefixtures("both_ways")
def test_region_is_one_interpolation_of_the_plane() -> None:
    logits = smooth(7, 20, 30, 3)
    top, left, height, width = 1.5, 2.25, 16.3, 25.1
    y = ((torch.arange(97, dtype=torch.float64) + 0.5) * height / 97 + top - 0.5).clamp(0, 19)
    x = ((torch.arange(161, dtype=torch.float64) + 0.5) * width / 161 + left - 0.5).clamp(0, 29)
    grid = torch.stack(torch.meshgrid(y / 19 * 2 - 1, x / 29 * 2 - 1, indexing="ij"), -1).flip(-1)
    z = torch.nn.functional.grid_sample(logits.double(), grid[None], align_corners=True)
    ids = class_map(logits, (97, 161), region=(top, left, height, width)).ids
    top_two = z.topk(2, dim=1).values
    clear = top_two[:, 0] - top_two[:, 1] > 1e-3
    assert clear.float().mean() > 0.95
    assert torch.equal(ids.long()[clear], z.argmax(1)[clear])


def test_region_of_everything_is_no_region() -> None:
    logits = smooth(4, 12, 9, 2)
    assert torch.equal(class_map(logits, (50, 70), region=(0, 0, 12, 9)).ids, class_map(logits, (50, 70)).ids)


def test_region_beyond_the_plane_repeats_its_edge() -> None:
    logits = torch.zeros(1, 2, 4, 4)
    logits[0, 1, :, 2:] = 1
    ids = class_map(logits, (8, 80), region=(0, -36, 4, 80)).ids[0]
    assert (ids == torch.tensor([0] * 38 + [1] * 42)).float().mean() > 0.98
    assert not ids[:, :36].any()
    assert ids[:, 40:].all()


@pytest.mark.usefixtures("both_ways")
@pytest.mark.parametrize("num_classes", [1, 2, 11])
@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_confidence_and_entropy_are_those_of_the_softmax(num_classes: int, temperature: float) -> None:
    logits = smooth(num_classes, 12, 17, 2)
    result = class_map(logits, (75, 90), confidence=True, entropy=True, temperature=temperature)
    z = upsampled(logits, (75, 90)) / temperature
    z = torch.cat([torch.zeros_like(z), z], 1) if num_classes == 1 else z
    p = z.softmax(1)
    chosen = p.gather(1, result.ids.long()[:, None])[:, 0]
    entropy = -(p * p.clamp(min=1e-30).log()).sum(1) / math.log(p.shape[1])
    assert result.confidence.dtype == result.entropy.dtype == torch.float16
    torch.testing.assert_close(result.confidence.float(), chosen, atol=1e-3, rtol=0)
    torch.testing.assert_close(result.entropy.float(), entropy, atol=1e-3, rtol=0)
    plain = class_map(logits, (75, 90))
    assert torch.equal(plain.ids, result.ids)
    assert plain.confidence is None
    assert plain.entropy is None


def test_confidence_of_a_moved_threshold_is_that_of_the_chosen_side() -> None:
    result = class_map(torch.full((1, 1, 2, 2), 1.0), (2, 2), threshold=2.0, confidence=True)
    assert not result.ids.any()
    torch.testing.assert_close(result.confidence.float(), torch.full((1, 2, 2), 1 / (1 + math.e)), atol=1e-3, rtol=0)


@pytest.mark.parametrize("num_classes", [1, 7])
def test_bytes_are_rounded_shares_of_255(num_classes: int) -> None:
    logits = smooth(num_classes, 12, 17, 2)
    halves = class_map(logits, (75, 90), confidence=True, entropy=True)
    whole = class_map(logits, (75, 90), confidence=True, entropy=True, dtype=torch.uint8)
    for found, expected in ((whole.confidence, halves.confidence), (whole.entropy, halves.entropy)):
        assert found.dtype == torch.uint8
        assert (found.float() - 255 * expected.float()).abs().max() < 0.7


def test_probabilities_of_another_type_are_refused() -> None:
    with pytest.raises(ModelError, match="float16 or uint8"):
        class_map(torch.zeros(1, 2, 4, 4), (8, 8), confidence=True, dtype=torch.float64)


@pytest.mark.usefixtures("both_ways")
def test_infinite_logits_win_or_lose_where_they_are() -> None:
    logits = smooth(5, 9, 11, 2)
    expected = class_map(logits[:, [0, 1, 2, 4]], (70, 83)).ids
    logits[:, 3] = -math.inf
    ids = class_map(logits, (70, 83)).ids
    assert torch.equal(torch.where(ids == 4, 3, ids), expected)
    logits[:, 3] = math.inf
    assert (class_map(logits, (70, 83)).ids == 3).all()


@given(
    source=sizes,
    size=st.tuples(st.integers(100, 300), st.integers(100, 300)),
    num_classes=st.sampled_from([1, 2, 5, 30]),
    seed=st.integers(0, 1000),
)
@settings(max_examples=25, deadline=None)
def test_blocks_of_large_cells_are_the_pixels_one_by_one(source, size, num_classes: int, seed: int) -> None:
    logits = smooth(num_classes, *source, 2.0, seed).to(memory_format=torch.channels_last)
    maps = []
    for boundary in (0.0, 1.0):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(upsample_argmax, "MAX_BOUNDARY", boundary)
            maps.append(class_map(logits, size).ids)
    assert torch.equal(*maps)


def test_strided_logits_and_batches_are_taken_as_they_are() -> None:
    logits = torch.randn(3, 6, 10, 14)
    strided = logits.to(memory_format=torch.channels_last)
    expected = torch.cat([class_map(one[None], (33, 47)).ids for one in logits])
    assert torch.equal(class_map(strided, (33, 47)).ids, expected)


def test_no_images_give_no_maps() -> None:
    assert class_map(torch.zeros(0, 3, 4, 4), (8, 8)).ids.shape == (0, 8, 8)


@pytest.mark.parametrize(
    "arguments",
    [{"size": (0, 5)}, {"size": (5, 5), "region": (0, 0, 0, 3)}, {"size": (5, 5), "temperature": 0}],
)
def test_empty_geometry_is_refused(arguments: dict) -> None:
    with pytest.raises(ModelError, match="above 0"):
        class_map(torch.zeros(1, 2, 4, 4), **arguments)


def test_other_shapes_are_refused() -> None:
    with pytest.raises(ModelError, match=r"\(2, 4, 4\)"):
        class_map(torch.zeros(2, 4, 4), (8, 8))


MEASURE = """
import torch
from ultralytics.nn.kernels import class_map

def resident(field):
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(field)) / 1024

torch.set_num_threads(1)
logits = torch.nn.functional.interpolate(torch.randn(1, {classes}, {grid}), size=(250, 375), mode="bicubic")
class_map(logits[..., :16, :16], (64, 64))
open("/proc/self/clear_refs", "w").write("5")
before = resident("VmRSS")
ids = class_map(logits, (2000, 3000)).ids
print(resident("VmHWM") - before - ids.numel() / 2**20)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")
@pytest.mark.parametrize(("classes", "grid"), [(19, "8, 12"), (150, "50, 75")], ids=["large-regions", "small-regions"])
def test_peak_memory_is_bounded(classes: int, grid: str) -> None:
    code = MEASURE.format(classes=classes, grid=grid)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    # The upsampled logits would be 435 MiB for 19 classes and 3.4 GiB for 150.
    assert float(done.stdout) < 64
