"""What every augmentation promises: image and targets stay together, ids stay ids, inputs stay as they were.

They hold for a kind of target that the package does not know, too: the set of boxes beside this file.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from tests.contracts.box_set import BoxSet, bounds_of
from ultralytics.data.augment import (
    Compose,
    CopyPaste,
    CutMix,
    LetterBox,
    MixUp,
    Mosaic,
    RandomFlip,
    RandomHSV,
    RandomPerspective,
    SwapChannels,
    Transform,
    UserTransform,
    collate,
    to_item,
)
from ultralytics.data.augment.geometry import blank, flip, paint, translation
from ultralytics.data.sample import Context, Sample
from ultralytics.errors import ConfigError
from ultralytics.tasks.semantic.target import ClassMapTarget
from ultralytics.utils.ops.letterbox import PAD_VALUE

SHAPE = (72, 97)
STRONG = {"degrees": 30.0, "translate": 0.1, "scale": 0.4, "shear": 10.0}


class Cut(Transform):
    """Cut out a random part of the size that samples are joined at; no pixel is interpolated."""

    def draw(self, sample: Sample, context: Context) -> tuple[int, int]:
        """Draw the upper left corner."""
        row, column = (
            int(context.rng.integers(side - want + 1)) for side, want in zip(sample.shape, SHAPE, strict=True)
        )
        return row, column

    def apply(self, sample: Sample, parameters: tuple[int, int]) -> Sample:
        """Draw the sample beside the canvas, so that the part lies on it."""
        canvas = blank(sample, SHAPE)
        paint(canvas, sample, translation(-parameters[1], -parameters[0]))
        return canvas


def upside_down(image: np.ndarray, **targets: np.ndarray) -> dict[str, np.ndarray]:
    turned = {"image": image[::-1]}
    if "mask" in targets:
        turned["mask"] = targets["mask"][::-1]
    if "boxes" in targets:
        left, top, right, bottom = targets["boxes"].T
        turned["boxes"] = np.stack([left, len(image) - bottom, right, len(image) - top], axis=1)
    return turned


# Every transform that moves labels. Those that join samples get partners of their size.
GEOMETRIC: dict[str, Callable[[], Transform]] = {
    "letterbox": lambda: LetterBox((96, 64)),
    "letterbox-smaller": lambda: LetterBox((50, 40)),
    "letterbox-pad-only": lambda: LetterBox((160, 160), scaleup=False),
    "scale": lambda: RandomPerspective(translate=0.2, scale=0.5),
    "scale-to-shape": lambda: RandomPerspective((60, 81), translate=0.2, scale=(0.5, 2.0)),
    "affine": lambda: RandomPerspective(**STRONG),
    "perspective": lambda: RandomPerspective(**STRONG, perspective=0.002),
    "perspective-extreme": lambda: RandomPerspective(perspective=0.04),
    "flip": lambda: RandomFlip(0.5, 0.5),
    "mosaic": lambda: Mosaic(80, RandomPerspective(translate=0.1, scale=0.5)),
    "mosaic-affine": lambda: Mosaic((64, 80), RandomPerspective(**STRONG)),
    "mosaic-perspective": lambda: Mosaic(80, RandomPerspective(**STRONG, perspective=0.001)),
    "mosaic-resting": lambda: Mosaic(80, RandomPerspective(translate=0.1, scale=0.5), 0.0),
    "cutmix": lambda: Compose([Cut(), CutMix(Cut())]),
    "copy-paste": lambda: CopyPaste(),
    "copy-paste-other": lambda: Compose([Cut(), CopyPaste(Cut(), mode="mixup")]),
    "user": lambda: UserTransform(upside_down),
}
OTHERS: dict[str, Callable[[], Transform]] = {
    "mixup": lambda: Compose([Cut(), MixUp(Cut())]),
    "hsv": lambda: RandomHSV(0.5, 0.9, 0.9),
    "swap": lambda: SwapChannels(0.5),
}
ZERO: dict[str, Callable[[], Transform]] = {
    "letterbox": lambda: LetterBox(SHAPE),
    "perspective": lambda: RandomPerspective(),
    "mosaic": lambda: Mosaic(SHAPE, RandomPerspective(SHAPE), 0.0),
    "flip": lambda: RandomFlip(0.0, 0.0),
    "mixup": lambda: MixUp(probability=0.0),
    "cutmix": lambda: CutMix(probability=0.0),
    "copy-paste": lambda: CopyPaste(probability=0.0),
    "hsv": lambda: RandomHSV(0.0, 0.0, 0.0),
    "swap": lambda: SwapChannels(0.0),
}
KINDS = [(3, np.uint8), (1, np.uint8), (5, np.uint8), (3, np.uint16)]


def drawing(seed: int, channels: int = 3, dtype: Any = np.uint8) -> Sample:
    """Make a scene of ellipses whose image shows nothing but the label: grey level 10 * id, in every channel."""
    rng = np.random.default_rng(seed)
    shape = SHAPE if seed == 0 else tuple(int(side) for side in np.add(SHAPE, rng.integers(0, 40, 2)))
    ids = np.zeros(shape, np.uint8)
    for _ in range(8):
        center, axes = rng.integers(0, 100, 2).tolist(), rng.integers(8, 30, 2).tolist()
        cv2.ellipse(ids, center, axes, float(rng.integers(180)), 0, 360, int(rng.integers(1, 9)), -1)
    image = np.repeat(ids[..., None] * 10, channels, axis=2)
    image.flags.writeable = False
    wide = dtype == np.uint16
    ids = ids.astype(dtype) * (100 if wide else 1)
    ids.flags.writeable = False
    return Sample(image, {"mask": ClassMapTarget(ids, 65535 if wide else 255)}, original_shape=shape, index=seed)


class Drawings:
    """A pool of scenes whose arrays cannot be written."""

    def __init__(self, channels: int = 3, dtype: Any = np.uint8, draw: Callable[..., Sample] = drawing) -> None:
        self.samples = [draw(seed, channels, dtype) for seed in range(6)]

    def __len__(self) -> int:
        return len(self.samples)

    def read(self, index: int) -> Sample:
        return self.samples[index]


def run(transform: Transform, seed: int, channels: int = 3, dtype: Any = np.uint8, *, mix: bool = True) -> Sample:
    pool = Drawings(channels, dtype)
    return transform(pool.samples[0], Context(np.random.default_rng(seed), pool, mix))


def same(one: Sample, other: Sample) -> bool:
    items = [to_item(sample) for sample in (one, other)]
    return items[0].keys() == items[1].keys() and all(
        torch.equal(value, items[1][key]) for key, value in items[0].items() if isinstance(value, torch.Tensor)
    )


@pytest.mark.parametrize("name", GEOMETRIC)
@pytest.mark.parametrize(("channels", "dtype"), KINDS)
class TestGeometric:
    def test_image_that_is_its_own_label_stays_so(self, name, channels, dtype):
        equal = total = 0
        for seed in range(8):
            out = run(GEOMETRIC[name](), seed, channels, dtype)
            ids, ignore = out.targets["mask"].ids, out.targets["mask"].ignore_index
            grey = np.where(ids == ignore, PAD_VALUE, ids // (100 if dtype == np.uint16 else 1) * 10)
            interior = cv2.erode(ids, np.ones((5, 5))) == cv2.dilate(ids, np.ones((5, 5)))
            assert interior.mean() > 0.1
            equal += (out.image == grey[..., None])[interior].all(axis=1).sum()
            total += interior.sum()
        assert equal >= 0.999 * total

    def test_ids_are_never_made_up_and_padding_is_ignored(self, name, channels, dtype):
        known = {int(i) for sample in Drawings(channels, dtype).samples for i in np.unique(sample.targets["mask"].ids)}
        for seed in range(8):
            out = run(GEOMETRIC[name](), seed, channels, dtype)
            ids, ignore = out.targets["mask"].ids, out.targets["mask"].ignore_index
            assert set(np.unique(ids).tolist()) <= known | {ignore}
            assert ids.dtype == dtype
            assert out.image.dtype == np.uint8
            assert out.image.shape == (*ids.shape, channels)
            # No scene shows the grey of the padding, so this is the whole of it.
            assert (out.image[ids == ignore] == PAD_VALUE).all()


@pytest.mark.parametrize("name", [*GEOMETRIC, *OTHERS])
@pytest.mark.parametrize(("channels", "dtype"), KINDS)
def test_same_seed_same_result_and_inputs_stay(name, channels, dtype):
    transform = {**GEOMETRIC, **OTHERS}[name]()
    before = Drawings(channels, dtype)
    results = [run(transform, seed, channels, dtype) for seed in (3, 3)]  # read-only arrays: writing would raise
    assert same(*results)
    assert same(before.samples[0], drawing(0, channels, dtype))


@pytest.mark.parametrize("join", [MixUp(), CutMix(), CopyPaste(), CopyPaste(mode="mixup")])
def test_joined_samples_stay_as_they_were(join):
    """Nothing copies them beforehand: both have the size that is joined, and their arrays cannot be written."""
    sample, pool = drawing(0), Drawings()
    pool.samples = [flip(drawing(0), 0)]
    for array in (pool.samples[0].image, pool.samples[0].targets["mask"].ids):
        array.flags.writeable = False
    results = [join(sample, Context(np.random.default_rng(seed), pool)) for seed in range(4)]
    assert not any(same(result, sample) for result in results)
    assert same(sample, drawing(0))


@pytest.mark.parametrize("name", [name for name in [*GEOMETRIC, *OTHERS] if "letterbox" not in name and name != "user"])
def test_other_seeds_give_other_results(name):
    pool = Drawings()
    pool.samples = [sample.replace(image=sample.image * np.array([1, 2, 3], np.uint8)) for sample in pool.samples]
    transform = {**GEOMETRIC, **OTHERS}[name]()
    first, *others = (transform(pool.samples[0], Context(np.random.default_rng(seed), pool)) for seed in range(8))
    assert any(not same(first, other) for other in others)


@pytest.mark.parametrize("name", ZERO)
@pytest.mark.parametrize(("channels", "dtype"), KINDS)
def test_zero_strength_changes_nothing(name, channels, dtype):
    for seed in range(3):
        assert same(run(ZERO[name](), seed, channels, dtype), drawing(0, channels, dtype))


@pytest.mark.parametrize("name", [*GEOMETRIC, *OTHERS])
def test_images_without_labels_pass(name):
    pool = Drawings()
    pool.samples = [sample.replace(targets={}) for sample in pool.samples]
    out = {**GEOMETRIC, **OTHERS}[name]()(pool.samples[0], Context(np.random.default_rng(1), pool))
    assert out.targets == {}


@pytest.mark.parametrize("name", [*GEOMETRIC, *OTHERS])
def test_samples_are_joined_only_where_it_is_allowed(name):
    """Without joining, and without a pool, the result depends on the sample alone."""
    transform = {**GEOMETRIC, **OTHERS}[name]()
    alone = transform(drawing(0), Context(np.random.default_rng(5)))
    assert same(alone, run(transform, 5, mix=False))


def test_every_transform_keeps_these_promises():
    made = [make() for make in {**GEOMETRIC, **OTHERS}.values()]
    tested = {type(step) for transform in made for step in getattr(transform, "transforms", [transform])}

    def leaves(kind: type) -> set[type]:
        return set().union(*map(leaves, kind.__subclasses__())) if kind.__subclasses__() else {kind}

    ours = {kind for kind in leaves(Transform) if kind.__module__.startswith("ultralytics.data.augment")}
    assert ours - tested == {Compose}


def boxes_drawing(seed: int, channels: int = 3, dtype: Any = np.uint8) -> Sample:
    """Make a scene of eight rectangles apart from each other, as boxes and as a map of their labels."""
    scene = drawing(seed, channels)
    rng, (height, width) = np.random.default_rng(seed), scene.shape
    ids, boxes = np.zeros((height, width), np.uint8), []
    for number in range(8):
        left, top = number % 4 * (width // 4), number // 4 * (height // 2)
        x, y = left + int(rng.integers(1, 6)), top + int(rng.integers(1, 10))
        right, bottom = x + int(rng.integers(6, 16)), y + int(rng.integers(6, 22))
        boxes.append((x, y, right, bottom))
        ids[y:bottom, x:right] = number + 1
    image, xyxy, labels = np.repeat(ids[..., None] * 10, channels, axis=2), np.array(boxes, float), np.arange(1, 9)
    for array in (image, ids, xyxy, labels):
        array.flags.writeable = False
    targets = {"boxes": BoxSet(xyxy, labels, (height, width)), "mask": ClassMapTarget(ids)}
    return scene.replace(image=image, targets=targets)


def run_boxes(transform: Transform, seed: int, *, mix: bool = True) -> Sample:
    pool = Drawings(draw=boxes_drawing)
    return transform(pool.samples[0], Context(np.random.default_rng(seed), pool, mix))


UPRIGHT_ALONE = [
    *(
        "letterbox",
        "letterbox-smaller",
        "letterbox-pad-only",
        "scale",
        "scale-to-shape",
        "flip",
        "mosaic-resting",
        "user",
    )
]


class TestATargetOfAnotherKind:
    @pytest.mark.parametrize("name", GEOMETRIC)
    def test_boxes_hold_what_the_image_shows(self, name):
        seen = 0
        for seed in range(8):
            out = run_boxes(GEOMETRIC[name](), seed)
            boxes, ids = out.targets["boxes"], out.targets["mask"].ids
            assert boxes.size == out.shape == ids.shape
            for label in range(1, 9):
                rows, columns = np.nonzero(ids == label)
                seen += len(rows)
                x, y = columns[:, None] + 0.5, rows[:, None] + 0.5
                left, top, right, bottom = boxes.xyxy[boxes.labels == label].T
                assert (
                    ((left - 0.1 <= x) & (x <= right + 0.1) & (top - 0.1 <= y) & (y <= bottom + 0.1)).any(axis=1).all()
                )
        assert seen > 1000

    @pytest.mark.parametrize("name", UPRIGHT_ALONE)
    def test_boxes_of_upright_images_are_tight(self, name):
        checked = 0
        for seed in range(8):
            out = run_boxes(GEOMETRIC[name](), seed)
            boxes, ids = out.targets["boxes"], out.targets["mask"].ids
            for label, box in zip(boxes.labels, boxes.xyxy, strict=True):
                if (box[2:] - box[:2]).min() >= 2:
                    whole = np.array([0, 0, *ids.shape[::-1]])
                    assert np.abs(np.array(bounds_of(ids == label, whole)) - box).max() <= 0.6
                    checked += 1
        assert checked > 20

    @pytest.mark.parametrize("name", [*GEOMETRIC, *OTHERS])
    def test_same_seed_same_result_and_inputs_stay(self, name):
        transform = {**GEOMETRIC, **OTHERS}[name]()
        one, other = (run_boxes(transform, 3) for _ in range(2))  # read-only arrays: writing would raise
        assert same(one, other)
        assert same(transform(boxes_drawing(0), Context(np.random.default_rng(5))), run_boxes(transform, 5, mix=False))

    @pytest.mark.parametrize("name", ZERO)
    def test_zero_strength_changes_nothing(self, name):
        assert same(run_boxes(ZERO[name](), 1), boxes_drawing(0))

    def test_blended_images_show_the_boxes_of_both(self):
        out = run_boxes(OTHERS["mixup"](), 0)
        assert (np.unique(out.targets["boxes"].labels, return_counts=True)[1] == 2).any()

    def test_each_kind_joins_its_own_values(self):
        first, second = boxes_drawing(0), boxes_drawing(0)
        second.targets["boxes"] = second.targets["boxes"].crop(np.s_[0:36, 0:97])
        batch = collate([to_item(first), to_item(second)])
        assert batch["semantic_mask"].shape == (2, *SHAPE)
        assert batch["boxes"].shape == (len(batch["box_image"]), 5)
        assert batch["box_image"].bincount().tolist() == [8, len(second.targets["boxes"].labels)]
        assert batch["box_image"].bincount()[1] < 8

    def test_a_value_of_a_user_that_does_not_fit_is_refused_in_the_words_of_the_target(self):
        with pytest.raises(ConfigError, match="8 boxes"):
            run_boxes(UserTransform(lambda image, mask, boxes: {"image": image, "mask": mask, "boxes": boxes[1:]}), 0)

    def test_two_targets_do_not_share_a_key_of_the_batch(self):
        sample = boxes_drawing(0)
        sample.targets["more"] = sample.targets["boxes"]
        with pytest.raises(ConfigError, match="'more' writes 'boxes'"):
            to_item(sample)
