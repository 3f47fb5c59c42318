"""Joining samples: the mosaic equals one drawn on a canvas; parts come from where they should."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from ultralytics.data.augment import CopyPaste, CutMix, MixUp, Mosaic, RandomPerspective
from ultralytics.data.sample import Context, Sample
from ultralytics.errors import ConfigError
from ultralytics.tasks.semantic.target import ClassMapTarget


class Pool:
    def __init__(self, samples: list[Sample]) -> None:
        self.samples = samples

    def __len__(self) -> int:
        return len(self.samples)

    def read(self, index: int) -> Sample:
        return self.samples[index]


def plain(value: int, shape: tuple[int, int] = (40, 40)) -> Sample:
    return Sample(
        np.full((*shape, 3), value, np.uint8), {"mask": ClassMapTarget(np.full(shape, value, np.uint8))}, index=value
    )


def scene(seed: int) -> Sample:
    rng = np.random.default_rng(seed)
    shape = (64, 64 + 8 * seed)
    image = cv2.GaussianBlur(rng.integers(0, 256, (*shape, 3), np.uint8), (0, 0), 2)
    ids = cv2.resize(rng.integers(0, 20, (6, 8), np.uint8), shape[::-1], interpolation=cv2.INTER_NEAREST)
    return Sample(image, {"mask": ClassMapTarget(ids)}, original_shape=shape, index=seed)


def context(samples: list[Sample], seed: int = 0, mix: bool = True) -> Context:
    return Context(np.random.default_rng(seed), Pool(samples), mix)


@pytest.mark.parametrize(
    "options",
    [
        {"translate": 0.1, "scale": 0.5},
        {"translate": 0.1, "scale": 0.5, "degrees": 45, "shear": 10},
        {"scale": 0.3, "degrees": 10, "perspective": 0.001},
    ],
    ids=["upright", "rotated", "perspective"],
)
def test_mosaic_equals_one_drawn_on_a_canvas(options):
    transform = Mosaic((64, 80), RandomPerspective(**options))
    scenes = [scene(seed) for seed in range(6)]
    for seed in range(12):
        tiles, (matrix, shape) = transform.draw(scenes[0], context(scenes, seed))
        assert len(tiles) == 4
        image, ids = np.full((128, 160, 3), 114, np.uint8), np.full((128, 160), 255, np.uint8)
        for tile in tiles:
            (x, y), part = tile.origin, tile.sample.image[tile.crop]
            image[y : y + part.shape[0], x : x + part.shape[1]] = part
            ids[y : y + part.shape[0], x : x + part.shape[1]] = tile.sample.targets["mask"].ids[tile.crop]
        half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
        matrix, size = np.linalg.inv(half) @ matrix @ half, shape[::-1]
        image = cv2.warpPerspective(image, matrix, size, flags=cv2.INTER_LINEAR, borderValue=(114, 114, 114))
        ids = cv2.warpPerspective(ids, matrix, size, flags=cv2.INTER_NEAREST, borderValue=255)
        out = transform.apply(scenes[0], transform.draw(scenes[0], context(scenes, seed)))
        assert out.shape == shape
        assert (out.targets["mask"].ids == ids).mean() > 0.995
        near = np.abs(out.image.astype(int) - image).max(axis=2) <= 2
        assert near.mean() > 0.9  # all but the seams, where the canvas blends neighbours


@pytest.mark.parametrize(
    "transform",
    [
        Mosaic((64, 64), RandomPerspective()),
        MixUp(),
        CutMix(),
        CopyPaste(mode="mixup", area=(0.0, 1.0)),
    ],
    ids=["mosaic", "mixup", "cutmix", "copy-paste"],
)
def test_images_of_8_and_16_bits_are_joined_on_one_scale(transform):
    rng = np.random.default_rng(0)
    samples = [
        Sample(
            rng.integers(0, 256, (64, 64, 3), np.uint8),
            {"mask": ClassMapTarget(rng.integers(0, 3, (64, 64), np.uint8))},
            index=k,
        )
        for k in range(4)
    ]
    deep = [member.replace(image=member.image.astype(np.uint16) * 257) for member in samples]
    for seed in range(6):
        expected = transform(samples[0], context(samples, seed)).image
        narrow = transform(samples[0], context([samples[0], *deep[1:]], seed)).image
        wide = transform(deep[0], context([deep[0], *samples[1:]], seed)).image
        np.testing.assert_array_equal(narrow, expected)
        assert wide.dtype == np.uint16
        assert np.abs(wide / 257 - expected).max() <= 0.51  # bytes are rounded


def test_mosaic_shows_four_samples_around_a_point_in_the_middle():
    transform = Mosaic(40, RandomPerspective())
    for seed in range(30):
        out = transform(plain(1, (80, 80)), context([plain(2, (80, 80))], seed))
        ids = out.targets["mask"].ids
        height, width = (ids == 1).any(axis=1).sum(), (ids == 1).any(axis=0).sum()
        expected = np.full((40, 40), 2)
        expected[:height, :width] = 1  # the sample itself lies at the upper left of the point
        np.testing.assert_array_equal(ids, expected)


def test_mosaic_centres_fill_their_range():
    transform = Mosaic((40, 60), RandomPerspective())
    centers = []
    for seed in range(400):
        tiles, _ = transform.draw(plain(1), context([plain(2)], seed))
        centers.append(tiles[3].origin)
    centers = np.array(centers)
    assert centers.min(0).tolist() == [30, 20]
    assert centers.max(0).tolist() == [89, 59]


def test_mosaic_comes_as_often_as_asked_and_rests_when_told():
    transform = Mosaic(40, RandomPerspective(), 0.3)
    counts = [len(transform.draw(plain(1), context([plain(2)], seed))[0]) for seed in range(500)]
    assert set(counts) == {1, 4}
    assert 0.2 < np.mean(np.equal(counts, 4)) < 0.4
    assert len(Mosaic(40, RandomPerspective()).draw(plain(1), context([plain(2)], mix=False))[0]) == 1


def test_a_single_image_at_scale_one_shows_its_middle():
    ids = np.broadcast_to(np.arange(64, dtype=np.uint8), (48, 64)).copy()
    sample = Sample(np.repeat(ids[..., None], 3, axis=2), {"mask": ClassMapTarget(ids)})
    out = Mosaic(48, RandomPerspective())(sample, context([sample], mix=False))
    np.testing.assert_array_equal(out.targets["mask"].ids, ids[:, 8:56])
    np.testing.assert_array_equal(out.image[..., 0], ids[:, 8:56])


def test_mixup_blends_images_and_keeps_the_stronger_labels():
    seen = set()
    for seed in range(60):
        out = MixUp()(plain(0), context([plain(200)], seed))
        weight = out.image[0, 0, 0] / 200
        assert 0.2 < weight < 0.8  # beta(32, 32) is narrow
        assert np.ptp(out.image) == 0
        label = out.targets["mask"].ids[0, 0]
        assert label == (200 if weight > 0.5 else 0) or abs(weight - 0.5) < 0.01
        seen.add(int(label))
    assert seen == {0, 200}


def test_cutmix_pastes_one_rectangle():
    shares = []
    for seed in range(200):
        out = CutMix()(plain(1), context([plain(2)], seed))
        pasted = out.targets["mask"].ids == 2
        np.testing.assert_array_equal(out.image[..., 0] == 2, pasted)
        shares.append(pasted.mean())
        if pasted.any():
            rows, columns = np.nonzero(pasted)
            assert pasted[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1].all()
    assert min(shares) < 0.05
    assert max(shares) > 0.6


def test_partners_are_transformed_first():
    out = CutMix(RandomPerspective((40, 40)))(plain(1), context([plain(2, (50, 90))], 3))
    assert set(np.unique(out.targets["mask"].ids)) <= {1, 2}


def test_partners_of_another_size_are_refused():
    with pytest.raises(ConfigError, match=r"\(40, 40, 3\) and \(50, 90, 3\)"):
        MixUp()(plain(1), context([plain(2, (50, 90))]))


def blobs(shift: int = 0) -> Sample:
    """Background 0, a large block of class 1, two small blocks of class 2, ignored pixels in a corner."""
    ids = np.zeros((60, 90), np.uint8)
    ids[5:55, 2 + shift : 40 + shift] = 1
    ids[10:16, 50 + shift : 56 + shift] = ids[30:38, 60 + shift : 66 + shift] = 2
    ids[50:, 80:] = 255
    image = np.repeat(ids[..., None], 3, axis=2)
    return Sample(image, {"mask": ClassMapTarget(ids)})


def test_copy_paste_takes_whole_regions_of_the_mirrored_sample():
    sample, mirrored = blobs(), blobs().targets["mask"].ids[:, ::-1]
    seen = set()
    for seed in range(20):
        out = CopyPaste(area=(0.0005, 0.03))(sample, context([sample], seed))
        ids = out.targets["mask"].ids
        changed = ids != sample.targets["mask"].ids
        np.testing.assert_array_equal(out.image[..., 0], ids)
        assert (ids[changed] == 2).all()  # class 1 and the background are too large, 255 is no class
        assert (mirrored[changed] == 2).all()
        seen.add(int(changed.sum()))
    assert seen <= {36, 48}
    assert len(seen) == 2


def test_copy_paste_takes_regions_of_another_sample():
    out = CopyPaste(mode="mixup", area=(0.0, 1.0), regions=9)(plain(1), context([plain(2)]))
    assert (out.targets["mask"].ids == 2).all()
    assert (out.image == 2).all()


def test_copy_paste_leaves_samples_alone_where_nothing_suits():
    sample = plain(3)
    assert CopyPaste()(sample, context([sample])) is sample
    ignored = plain(255)
    assert CopyPaste()(ignored, context([ignored])) is ignored


def test_copy_paste_knows_its_modes():
    with pytest.raises(ConfigError, match="Did you mean 'mixup'"):
        CopyPaste(mode="mixap")
