"""From samples to batches."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from ultralytics.data.augment import Compose, Pipeline, RandomFlip, collate, to_item
from ultralytics.data.sample import Context, Sample
from ultralytics.tasks.semantic.target import ClassMapTarget


def sample(channels: int = 3, dtype: Any = np.uint8, ids: Any = np.uint8) -> Sample:
    image = np.arange(2 * 4 * channels).reshape(2, 4, channels).astype(dtype)
    class_map = ClassMapTarget(np.arange(8).reshape(2, 4).astype(ids), int(np.iinfo(ids).max))
    files = {"image_file": Path("a/b.png"), "label_file": Path("c/b.png")}
    return Sample(image, {"mask": class_map}, **files, original_shape=(20, 40), ratio_pad=((0.1, 0.1), (0, 0)), index=5)


def test_an_item_carries_the_sample():
    item = to_item(sample())
    assert {key: item[key] for key in ("ori_shape", "ratio_pad", "index")} == {
        "ori_shape": (20, 40),
        "ratio_pad": ((0.1, 0.1), (0, 0)),
        "index": 5,
    }
    assert item["im_file"] == str(Path("a/b.png"))
    assert item["mask_file"] == str(Path("c/b.png"))
    assert item["semantic_mask"].tolist() == [[0, 1, 2, 3], [4, 5, 6, 7]]


def test_colours_become_rgb_planes():
    image = to_item(sample())["img"]
    assert (image.dtype, image.shape, image.is_contiguous()) == (torch.uint8, (3, 2, 4), True)
    assert image[:, 0, 0].tolist() == [2, 1, 0]
    assert image[0].tolist() == [[2, 5, 8, 11], [14, 17, 20, 23]]


@pytest.mark.parametrize("channels", [1, 2, 4, 5, 13])
def test_other_channels_keep_their_order(channels):
    image = to_item(sample(channels))["img"]
    assert image.shape == (channels, 2, 4)
    assert image[:, 0, 0].tolist() == list(range(channels))


def test_sixteen_bits_become_floats_on_the_same_scale():
    wide = sample().replace(image=np.array([[[0, 65535, 257]]], np.uint16))
    image = to_item(wide)["img"]
    assert image.dtype == torch.float32
    torch.testing.assert_close(image[:, 0, 0], torch.tensor([1.0, 255.0, 0.0]))


def test_many_classes_become_int32():
    ids = to_item(sample(ids=np.uint16))["semantic_mask"]
    assert ids.dtype == torch.int32
    assert to_item(sample())["semantic_mask"].dtype == torch.uint8


def test_tensors_share_no_memory_with_the_sample():
    given = sample()
    item = to_item(given)
    item["img"].zero_()
    item["semantic_mask"].zero_()
    assert given.image.any()
    assert given.targets["mask"].ids.any()


def test_read_only_and_mirrored_arrays_are_fine():
    given = sample()
    given.image, ids = given.image[:, ::-1], given.targets["mask"].ids[::-1]
    given.image.flags.writeable = ids.flags.writeable = False
    given.targets["mask"] = ClassMapTarget(ids)
    item = to_item(given)
    assert item["img"][2, 0].tolist() == [9, 6, 3, 0]
    assert item["semantic_mask"].tolist() == [[4, 5, 6, 7], [0, 1, 2, 3]]


def test_items_without_labels_have_no_mask():
    bare = to_item(Sample(np.zeros((2, 2, 3), np.uint8)))
    assert "semantic_mask" not in bare
    assert bare["im_file"] == bare["mask_file"] == ""
    assert "semantic_mask" not in collate([bare, bare])


def test_a_batch_stacks_tensors_and_lists_the_rest():
    batch = collate([to_item(sample()), to_item(sample().replace(index=6, ratio_pad=None))])
    assert batch["img"].shape == (2, 3, 2, 4)
    assert batch["semantic_mask"].shape == (2, 2, 4)
    assert batch["index"] == [5, 6]
    assert batch["ratio_pad"] == [((0.1, 0.1), (0, 0)), None]
    assert batch["ori_shape"] == [(20, 40), (20, 40)]


@pytest.mark.parametrize("workers", [0, 1])
def test_a_batch_may_hold_images_of_8_and_16_bits(workers):
    bytes_ = sample()
    items = [to_item(bytes_), to_item(bytes_.replace(image=bytes_.image.astype(np.uint16) * 257))]
    for pair in (items, items[::-1]):
        (batch,) = DataLoader(pair, batch_size=2, collate_fn=collate, num_workers=workers)
        assert batch["img"].dtype == torch.float32
        torch.testing.assert_close(batch["img"][0], batch["img"][1])


def test_batches_are_the_same_from_worker_processes():
    items = [to_item(sample().replace(index=index)) for index in range(4)]
    here = list(DataLoader(items, batch_size=2, collate_fn=collate))
    there = list(DataLoader(items, batch_size=2, collate_fn=collate, num_workers=1))
    for one, other in zip(here, there, strict=True):
        torch.testing.assert_close(one["img"], other["img"], rtol=0, atol=0)
        assert one["index"] == other["index"]


def test_pipeline_augments_then_makes_tensors():
    pipeline = Pipeline(Compose([RandomFlip(horizontal=1.0)]))
    item = pipeline(sample(), Context(np.random.default_rng(0)))
    assert item["semantic_mask"].tolist() == [[3, 2, 1, 0], [7, 6, 5, 4]]
