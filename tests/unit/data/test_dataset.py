"""The task-free part of a dataset: sizes, batches' shapes, keys, errors."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ultralytics.data.cache import Arrays, ArraySpec
from ultralytics.data.dataset import BaseDataset, scaled_shape
from ultralytics.data.description.spec import DatasetSpec
from ultralytics.data.sample import Context, Sample, SampleKey
from ultralytics.data.scan import SampleFacts, SamplePaths
from ultralytics.errors import ConfigError, DatasetError, ImageError
from ultralytics.utils.checks import check_imgsz
from ultralytics.utils.ops.letterbox import LetterboxGeometry

SIDES = st.integers(1, 3000)


class Blank(BaseDataset):
    """Images filled with their index, without files."""

    def decode(self, index: int) -> Arrays:
        """Make the image."""
        return (np.full((*self.resized_shape(index), 3), index, np.uint8),)

    def array_specs(self, index: int) -> list[ArraySpec]:
        """Tell its shape."""
        return [ArraySpec((*self.resized_shape(index), 3), np.dtype(np.uint8))]

    def make_sample(self, index: int, arrays: Arrays) -> Sample:
        """Make the sample."""
        return Sample(arrays[0], image_file=self.pairs[index].image, index=index)


def _blank(shapes: list[tuple[int, int]], **options: object) -> Blank:
    spec = DatasetSpec(title="t", root=Path(), names={0: "a", 1: "b"}, sources={})
    pairs = [SamplePaths(Path(f"{number}.png"), Path()) for number in range(len(shapes))]
    return Blank(spec, pairs, [SampleFacts(*shape) for shape in shapes], **{"imgsz": 64, "train": False, **options})


@given(SIDES, SIDES, st.integers(32, 2048))
def test_training_gives_the_short_side_and_validation_the_long_one(height, width, imgsz):
    short = scaled_shape((height, width), imgsz, short_side=True)
    long = scaled_shape((height, width), imgsz, short_side=False)
    assert min(short) == max(long) == imgsz
    for scaled in (short, long):
        ratio = imgsz / (min if scaled is short else max)(height, width)
        for side, original in zip(scaled, (height, width), strict=True):
            assert abs(side - max(original * ratio, 1)) <= 0.5 + 1e-6


@pytest.mark.parametrize(
    ("shape", "imgsz", "expected"),
    [
        ((360, 480), 320, (240, 320)),
        ((360, 480), 640, (480, 640)),
        ((333, 517), 640, (412, 640)),  # 412.2 rows; the public distribution's loader rounds up, its predictor does not
        ((10, 1000), 32, (1, 32)),
        ((360, 480), [128, 96], (72, 96)),
        ((50, 100), 100, (64, 128)),
    ],
)
@pytest.mark.parametrize("rect", [0, 4])
def test_validation_fits_an_image_as_prediction_does(shape, imgsz, expected, rect):
    dataset = _blank([shape], imgsz=imgsz, rect=rect)
    geometry = LetterboxGeometry.fit(shape, check_imgsz(imgsz), minimal=bool(rect))
    assert dataset.resized_shape(0) == geometry.new_size == expected
    assert tuple(dataset.shapes[0]) == geometry.shape


def test_squares_are_rounded_up_to_the_stride():
    assert _blank([(10, 20)], imgsz=100).shapes.tolist() == [[128, 128]]


@pytest.mark.parametrize("train", [True, False])
def test_batches_are_rounded_up_to_the_stride_of_the_network(train):
    dataset = _blank([(30, 60)], imgsz=96, rect=1, train=train)
    assert dataset.shapes.tolist() == [[64, 96]]
    dataset.regroup(1, stride=16)
    assert dataset.shapes.tolist() == [[48, 96]]
    dataset.regroup(1)
    assert dataset.shapes.tolist() == [[48, 96]]


def test_rectangular_batches_hold_images_of_similar_shape():
    shapes = [(360, 480), (480, 360), (100, 400), (300, 300), (120, 400)]
    dataset = _blank(shapes, imgsz=320, rect=2, train=True)
    assert [fact.shape for fact in dataset.facts] == [(100, 400), (120, 400), (360, 480), (300, 300), (480, 360)]
    assert dataset.shapes.tolist() == [[96, 320], [96, 320], [320, 320], [320, 320], [320, 256]]
    dataset = _blank([*shapes, (180, 240)], imgsz=320, rect=2)
    assert [fact.shape for fact in dataset.facts] == [
        (100, 400),
        (120, 400),
        (360, 480),
        (180, 240),
        (480, 360),
        (300, 300),
    ]
    assert dataset.shapes.tolist() == [[96, 320], [96, 320], [256, 320], [256, 320], [320, 256], [320, 320]]
    for index in range(5):
        assert (np.array(dataset.read(index).shape) <= dataset.shapes[index]).all()


@given(st.lists(st.tuples(SIDES, SIDES), min_size=1, max_size=12), st.integers(1, 5), st.integers(1, 30), st.booleans())
def test_a_rectangular_batch_holds_all_its_images(shapes, rect, strides, train):
    imgsz = 32 * strides
    dataset = _blank(shapes, imgsz=imgsz, rect=rect, train=train)
    for index in range(len(shapes)):
        assert all(side % 32 == 0 and 0 < side <= imgsz for side in dataset.shapes[index])
        for side, room in zip(dataset.resized_shape(index), dataset.shapes[index], strict=True):
            assert side <= room


def test_rectangular_training_shows_whole_images():
    assert _blank([(30, 60)], train=True).resized_shape(0) == (64, 128)
    assert _blank([(30, 60)], train=True, rect=2).resized_shape(0) == (32, 64)


def test_a_key_decides_everything_random():
    dataset = _blank([(64, 64)] * 3, seed=7)
    dataset.transforms = lambda sample, context: (sample.index, context.mix, context.rng.random())
    item = dataset[SampleKey(2, 1, False)]
    assert item == dataset[SampleKey(2, 1, False)]
    assert item[:2] == (1, False)
    others = [dataset[SampleKey(3, 1)], dataset[SampleKey(2, 2)], dataset[1], _blank_with_seed(8)[SampleKey(2, 1)]]
    assert len({item[2], *(other[2] for other in others)}) == 5
    assert dataset[1] == dataset[SampleKey(0, 1, True)]


def _blank_with_seed(seed: int) -> Blank:
    dataset = _blank([(64, 64)] * 3, seed=seed)
    dataset.transforms = lambda sample, context: (sample.index, context.mix, context.rng.random())
    return dataset


@pytest.mark.parametrize("index", [0, 2, 4])
def test_other_samples_come_from_the_dataset_and_are_never_the_sample_itself(index):
    dataset = _blank([(64, 64)] * 5)
    dataset.transforms = lambda sample, context: [other.index for other in context.others(200, sample.index)]
    assert set(dataset[index]) == set(range(5)) - {index}


def test_the_only_sample_of_a_dataset_is_joined_with_itself():
    dataset = _blank([(64, 64)])
    dataset.transforms = lambda sample, context: [other.index for other in context.others(3, sample.index)]
    assert dataset[0] == [0, 0, 0]


def test_without_transforms_the_sample_itself_comes():
    assert (_blank([(64, 64)] * 2)[1].image == 1).all()


def test_an_index_out_of_range_ends_a_loop():
    assert len(list(_blank([(8, 8)] * 3))) == 3


def _fail(sample: Sample, context: Context) -> None:
    raise ZeroDivisionError("division by zero")


def test_a_failure_names_the_image():
    dataset = _blank([(8, 8)] * 3)
    dataset.transforms = _fail
    with pytest.raises(DatasetError, match=r"'2\.png': ZeroDivisionError: division by zero"):
        dataset[2]


def test_our_own_errors_stay_what_they_are(monkeypatch):
    def damaged(self: Blank, index: int) -> Arrays:
        raise ImageError("'x.png' is cut off.")

    monkeypatch.setattr(Blank, "decode", damaged)
    with pytest.raises(ImageError, match=r"^'x\.png' is cut off\.$"):
        _blank([(8, 8)])[0]


def test_a_cache_place_must_exist():
    with pytest.raises(ConfigError, match=r"cache='tape' is given\. Allowed: ram, disk"):
        _blank([(8, 8)]).cache("tape")


def test_long_thin_images_have_at_least_a_pixel():
    assert math.prod(_blank([(1, 5000)]).resized_shape(0)) == 64
