"""What every augmentation promises: image and labels stay together, ids stay ids, inputs stay as they were."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest

from ultralytics.data.augment import (
    Compose,
    CopyPaste,
    CutMix,
    LetterBox,
    MixUp,
    Mosaic,
    RandomCrop,
    RandomFlip,
    RandomHSV,
    RandomPerspective,
    SwapChannels,
    Transform,
    UserTransform,
)
from ultralytics.data.sample import ClassMap, Context, Sample
from ultralytics.utils.ops.letterbox import PAD_VALUE

SHAPE = (72, 97)
STRONG = {"degrees": 30.0, "translate": 0.1, "scale": 0.4, "shear": 10.0}


def crop() -> Transform:
    return RandomCrop(SHAPE)


def upside_down(**arrays: np.ndarray) -> dict[str, np.ndarray]:
    return {name: array[::-1] for name, array in arrays.items()}


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
    "crop": lambda: RandomCrop((50, 120)),
    "crop-focus": lambda: RandomCrop((30, 31), focus=1.0),
    "mosaic": lambda: Mosaic(80, RandomPerspective(translate=0.1, scale=0.5)),
    "mosaic-affine": lambda: Mosaic((64, 80), RandomPerspective(**STRONG)),
    "mosaic-perspective": lambda: Mosaic(80, RandomPerspective(**STRONG, perspective=0.001)),
    "mosaic-resting": lambda: Mosaic(80, RandomPerspective(translate=0.1, scale=0.5), 0.0),
    "cutmix": lambda: Compose([crop(), CutMix(crop())]),
    "copy-paste": lambda: CopyPaste(),
    "copy-paste-other": lambda: Compose([crop(), CopyPaste(crop(), mode="mixup")]),
    "user": lambda: UserTransform(upside_down),
}
OTHERS: dict[str, Callable[[], Transform]] = {
    "mixup": lambda: Compose([crop(), MixUp(crop())]),
    "hsv": lambda: RandomHSV(0.5, 0.9, 0.9),
    "swap": lambda: SwapChannels(0.5),
}
ZERO: dict[str, Callable[[], Transform]] = {
    "letterbox": lambda: LetterBox(SHAPE),
    "perspective": lambda: RandomPerspective(),
    "mosaic": lambda: Mosaic(SHAPE, RandomPerspective(SHAPE), 0.0),
    "flip": lambda: RandomFlip(0.0, 0.0),
    "crop": lambda: RandomCrop(SHAPE),
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
    return Sample(image, ClassMap(ids, 65535 if wide else 255), original_shape=shape, index=seed)


class Drawings:
    """A pool of scenes whose arrays cannot be written."""

    def __init__(self, channels: int = 3, dtype: Any = np.uint8) -> None:
        self.samples = [drawing(seed, channels, dtype) for seed in range(6)]

    def __len__(self) -> int:
        return len(self.samples)

    def read(self, index: int) -> Sample:
        return self.samples[index]


def run(transform: Transform, seed: int, channels: int = 3, dtype: Any = np.uint8, *, mix: bool = True) -> Sample:
    pool = Drawings(channels, dtype)
    return transform(pool.samples[0], Context(np.random.default_rng(seed), pool, mix))


def same(one: Sample, other: Sample) -> bool:
    return np.array_equal(one.image, other.image) and np.array_equal(one.class_map.ids, other.class_map.ids)


@pytest.mark.parametrize("name", GEOMETRIC)
@pytest.mark.parametrize(("channels", "dtype"), KINDS)
class TestGeometric:
    def test_image_that_is_its_own_label_stays_so(self, name, channels, dtype):
        equal = total = 0
        for seed in range(8):
            out = run(GEOMETRIC[name](), seed, channels, dtype)
            ids, ignore = out.class_map.ids, out.class_map.ignore_index
            grey = np.where(ids == ignore, PAD_VALUE, ids // (100 if dtype == np.uint16 else 1) * 10)
            interior = cv2.erode(ids, np.ones((5, 5))) == cv2.dilate(ids, np.ones((5, 5)))
            assert interior.mean() > 0.1
            equal += (out.image == grey[..., None])[interior].all(axis=1).sum()
            total += interior.sum()
        assert equal >= 0.999 * total

    def test_ids_are_never_made_up_and_padding_is_ignored(self, name, channels, dtype):
        known = {int(i) for sample in Drawings(channels, dtype).samples for i in np.unique(sample.class_map.ids)}
        for seed in range(8):
            out = run(GEOMETRIC[name](), seed, channels, dtype)
            ids, ignore = out.class_map.ids, out.class_map.ignore_index
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
    pool.samples = [sample.replace(class_map=None) for sample in pool.samples]
    out = {**GEOMETRIC, **OTHERS}[name]()(pool.samples[0], Context(np.random.default_rng(1), pool))
    assert out.class_map is None


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
