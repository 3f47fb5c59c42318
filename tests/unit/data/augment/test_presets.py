"""The options decide what happens; users' transforms are checked."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from ultralytics.cfg import get_cfg
from ultralytics.data.augment import (
    CopyPaste,
    CutMix,
    LetterBox,
    MixUp,
    Mosaic,
    RandomFlip,
    RandomHSV,
    SwapChannels,
    UserTransform,
    train_transforms,
    val_transforms,
)
from ultralytics.data.sample import Context, Sample
from ultralytics.errors import ConfigError
from ultralytics.tasks.semantic.target import ClassMapTarget

NONE = {
    "mosaic": 0.0, "translate": 0.0, "scale": 0.0, "hsv_h": 0.0, "hsv_s": 0.0, "hsv_v": 0.0, "fliplr": 0.0,
}  # fmt: skip


def scene(seed: int = 0, shape: tuple[int, int] = (48, 64), channels: int = 3) -> Sample:
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (*shape, channels), np.uint8)
    return Sample(
        image, {"mask": ClassMapTarget(rng.integers(0, 19, shape, np.uint8))}, original_shape=shape, index=seed
    )


class Pool:
    def __len__(self) -> int:
        return 5

    def read(self, index: int) -> Sample:
        return scene(index)


def context(seed: int = 0, mix: bool = True) -> Context:
    return Context(np.random.default_rng(seed), Pool(), mix)


def kinds(pipeline) -> list[type]:
    return [type(step) for step in pipeline.augment.transforms]


def test_default_steps():
    assert kinds(train_transforms(get_cfg(), 48)) == [Mosaic, RandomHSV, RandomFlip]


def test_every_option_brings_its_step():
    options = {"copy_paste": 0.1, "mixup": 0.2, "cutmix": 0.3, "bgr": 0.4}
    pipeline = train_transforms(get_cfg(overrides=options), 48)
    assert kinds(pipeline) == [Mosaic, CopyPaste, MixUp, CutMix, RandomHSV, RandomFlip, SwapChannels]
    chances = {type(step): step.probability for step in pipeline.augment.transforms}
    assert [chances[kind] for kind in (CopyPaste, MixUp, CutMix, SwapChannels)] == [0.1, 0.2, 0.3, 0.4]


def test_the_warp_takes_its_options():
    options = {"degrees": 5.0, "translate": 0.2, "scale": [0.5, 2.0], "shear": 3.0, "perspective": 0.001}
    mosaic = train_transforms(get_cfg(overrides=options), 48).augment.transforms[0]
    warp = mosaic.warp
    assert (warp.degrees, warp.translate, warp.shear, warp.perspective) == (5.0, 0.2, 3.0, 0.001)
    assert warp.scale.tolist() == [0.5, 2.0]


@pytest.mark.parametrize("mix", [True, False])
def test_training_items_have_the_size_asked_for(mix):
    options = {"copy_paste": 1.0, "mixup": 0.5, "cutmix": 0.5, "degrees": 10.0, "bgr": 0.5}
    pipeline = train_transforms(get_cfg(overrides=options), 48)
    for seed in range(5):
        item = pipeline(scene(seed), context(seed, mix))
        assert item["img"].shape == (3, 48, 48)
        assert item["semantic_mask"].shape == (48, 48)
        assert item["ratio_pad"] is None


def test_no_augmentation_is_none():
    item = train_transforms(get_cfg(overrides=NONE), 48)(scene(), context())
    np.testing.assert_array_equal(item["img"].numpy(), scene().image[:, 8:56, ::-1].transpose(2, 0, 1))
    np.testing.assert_array_equal(item["semantic_mask"].numpy(), scene().targets["mask"].ids[:, 8:56])


def test_rect_shows_the_whole_image_in_the_shape_of_its_batch():
    pipeline = train_transforms(get_cfg(overrides={**NONE, "rect": True}), np.array([[64, 64], [64, 96]]))
    for index, width in ((0, 64), (1, 96)):
        item = pipeline(scene().replace(index=index), context())
        assert item["img"].shape == (3, 64, width)
        left = (width - 64) // 2
        np.testing.assert_array_equal(item["semantic_mask"][8:56, left : left + 64], scene().targets["mask"].ids)
    mixing = get_cfg(overrides={"rect": True, "mixup": 1.0})
    assert not {Mosaic, MixUp} & set(kinds(train_transforms(mixing, 64)))


@pytest.mark.parametrize("channels", [1, 5])
def test_other_channels_get_no_colour_steps(channels):
    pipeline = train_transforms(get_cfg(overrides={"bgr": 0.0}), 48, channels=channels)
    assert kinds(pipeline) == [Mosaic, RandomFlip]
    assert pipeline(scene(channels=channels), context(mix=False))["img"].shape == (channels, 48, 48)


def test_pipelines_reach_worker_processes():
    pipeline = train_transforms(get_cfg(overrides={"mixup": 0.5}), 48)
    copy = pickle.loads(pickle.dumps(pipeline))
    np.testing.assert_array_equal(pipeline(scene(), context(1))["img"], copy(scene(), context(1))["img"])


def test_validation_fits_the_image_in_and_never_enlarges_it():
    pipeline = val_transforms(np.array([[64, 96]]))
    item = pipeline(scene(), context())
    assert item["img"].shape == (3, 64, 96)
    assert item["ratio_pad"] == ((1.0, 1.0), (16, 8))
    np.testing.assert_array_equal(item["semantic_mask"][8:56, 16:80], scene().targets["mask"].ids)
    assert (item["semantic_mask"][:8] == 255).all()
    assert (item["img"][:, :8] == 114).all()
    assert isinstance(pipeline.augment, LetterBox)


def test_users_transforms_come_last_and_see_rgb():
    seen = {}

    def brighten(image, mask):
        seen.update(image=image.copy(), mask=mask.copy())
        return {"image": image // 2, "mask": mask}

    item = train_transforms(get_cfg(overrides=NONE), 48, augmentations=[brighten])(scene(), context())
    np.testing.assert_array_equal(seen["image"], scene().image[:, 8:56, ::-1])
    np.testing.assert_array_equal(seen["mask"], scene().targets["mask"].ids[:, 8:56])
    np.testing.assert_array_equal(item["img"].numpy().transpose(1, 2, 0), seen["image"] // 2)


def test_our_own_transforms_are_taken_as_they_are():
    crop = RandomFlip(horizontal=1.0)
    assert train_transforms(get_cfg(), 48, augmentations=[crop]).augment.transforms[-1] is crop


def test_users_transforms_that_write_leave_the_sample_alone():
    def erase(image, mask):
        image[:] = 0
        mask[:] = 255
        return {"image": image, "mask": mask}

    given = scene()
    out = UserTransform(erase)(given, context())
    assert (out.targets["mask"].ids == 255).all()
    assert given.targets["mask"].ids.max() < 19
    assert given.image.any()


def test_users_transforms_are_seeded_where_they_can_be():
    class Noise:
        def set_random_seed(self, seed):
            self.rng = np.random.default_rng(seed)

        def __call__(self, image, mask):
            return {"image": self.rng.integers(0, 256, image.shape, np.uint8), "mask": mask}

    transform = UserTransform(Noise())
    one, two, other = (transform(scene(), context(seed)).image for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, two)
    assert (one != other).any()


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda image, mask: image, "returned no array as 'image'"),
        (lambda image, mask: {"image": image}, "returned no array as 'mask'"),
        (lambda image, mask: {"image": image[::2], "mask": mask}, r"\(24, 64, 3\) as 'image'"),
        (lambda image, mask: {"image": image, "mask": mask.astype(float)}, r"float64 \(48, 64\) as 'mask'"),
    ],
)
def test_users_transforms_that_do_not_fit_are_refused(function, message):
    with pytest.raises(ConfigError, match=message):
        UserTransform(function)(scene(), context())
