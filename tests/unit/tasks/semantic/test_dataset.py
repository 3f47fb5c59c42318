"""Semantic samples: the recorded loader's pixels, masks beside images, caches, classes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from ultralytics.data.augment import val_transforms
from ultralytics.data.build import build_dataloader
from ultralytics.data.convert.polygons import polygons_to_ids
from ultralytics.data.description.spec import DatasetSpec
from ultralytics.data.sample import SampleKey
from ultralytics.errors import ConfigError, DatasetError
from ultralytics.tasks.semantic.dataset import SemanticDataset
from ultralytics.tasks.semantic.doctor import diagnose


@pytest.fixture
def camvid(shared: Path, tmp_path: Path) -> DatasetSpec:
    """The four images of the recorded validation loader; of the first the original file is at hand."""
    recorded, source = shared / "interop" / "pre_post", shared / "datasets" / "camvid"
    for kind in ("images", "masks"):
        (tmp_path / "camvid" / kind / "val").mkdir(parents=True)
    shutil.copy(recorded / "camvid_0016E5_07959.png", tmp_path / "camvid/images/val/0016E5_07959.png")
    shutil.copy(recorded / "camvid_0016E5_07959_mask.png", tmp_path / "camvid/masks/val/0016E5_07959.png")
    for stem in ("0016E5_08009", "0016E5_08059", "0016E5_08109"):
        shutil.copy(source / "images" / "val" / f"{stem}.jpg", tmp_path / "camvid/images/val")
        shutil.copy(source / "masks" / "val" / f"{stem}.png", tmp_path / "camvid/masks/val")
    file = tmp_path / "camvid" / "data.yaml"
    file.write_text("val: images/val\nnc: 11\nlabel_mapping: {11: ignore_label}\n")
    return DatasetSpec.load(file)


@pytest.mark.parametrize("name", ["320_rect", "320_square", "480_rect", "640_rect"])
def test_validation_batches_equal_the_recorded_ones(shared, camvid, name):
    facts = json.loads((shared / "interop/pre_post/val_index.json").read_text())[name]
    dataset = SemanticDataset(camvid, "val", imgsz=int(name[:3]), train=False, rect="rect" in name, batch=4)
    dataset.transforms = val_transforms(dataset.shapes)
    (batch,) = build_dataloader(dataset, 4, workers=0, shuffle=False, seed=0)
    with np.load(shared / f"interop/pre_post/val_loader_{name}.npz") as recorded:
        np.testing.assert_array_equal(batch["img"][0].numpy(), recorded["img_u8"][0])
        np.testing.assert_array_equal(batch["semantic_mask"].numpy()[: len(recorded["mask"])], recorded["mask"])
    assert [Path(file).stem for file in batch["im_file"]] == [Path(file).stem for file in facts["files"]]
    assert [list(map(list, pad)) for pad in batch["ratio_pad"]] == facts["ratio_pad"]
    assert [list(shape) for shape in batch["ori_shape"]] == facts["ori_shape"]


def test_ids_stay_ids_and_lie_over_the_image(make_dataset, write_image):
    file = make_dataset(shapes=((40, 60), (61, 33)))
    for split, count in (("train", 4), ("val", 2)):
        for number in range(count):  # the image shows its mask
            mask = (file.parent / "masks" / split / f"{number}.png").read_bytes()
            (file.parent / "images" / split / f"{number}.png").write_bytes(mask)
    for train in (True, False):
        dataset = SemanticDataset(DatasetSpec.load(file), "train", imgsz=20, train=train)
        for index in range(4):
            sample = dataset[index]
            assert sample.targets["mask"].ids.shape == sample.shape == dataset.resized_shape(index)
            assert set(np.unique(sample.targets["mask"].ids)) <= {0, 1, 2}
            assert sample.original_shape == ((40, 60), (61, 33))[index % 2]
            assert sample.label_file.name == sample.image_file.name


def test_training_labels_are_not_shifted(make_dataset):
    """The centre of a disc stays the centre of the disc: OpenCV's other nearest neighbour moves it by half a pixel."""
    rows, columns = np.mgrid[:96, :96]
    disc = ((rows - 47.5) ** 2 + (columns - 47.5) ** 2 < 900).astype(np.uint8)
    file = make_dataset(shapes=((96, 96),), masks={f"train/{number}": disc for number in range(4)})
    ids = SemanticDataset(DatasetSpec.load(file), "train", imgsz=64, train=True)[0].targets["mask"].ids
    centre = [axis.mean() for axis in np.nonzero(ids)]
    assert centre == pytest.approx([31.5, 31.5], abs=0.05)


def test_a_chain_of_mappings_permutes_classes(make_dataset):
    file = make_dataset("names: [a, b, c]\nlabel_mapping: {0: 1, 1: 2, 2: 0}")
    plain = make_dataset(name="plain")
    mapped, original = (
        SemanticDataset(DatasetSpec.load(path), "train", imgsz=24, train=True) for path in (file, plain)
    )
    np.testing.assert_array_equal(mapped[1].targets["mask"].ids, np.array([1, 2, 0])[original[1].targets["mask"].ids])


@pytest.mark.parametrize("train", [True, False])
def test_caches_change_nothing(make_dataset, tmp_path, train):
    file = make_dataset(shapes=((40, 60), (61, 33)))
    spec = DatasetSpec.load(file)
    datasets = [
        SemanticDataset(spec, "train", imgsz=32, train=train, cache=cache) for cache in (False, "ram", "disk", "disk")
    ]
    for index in range(4):
        samples = [dataset.read(index) for dataset in datasets]
        for sample in samples[1:]:
            np.testing.assert_array_equal(sample.image, samples[0].image)
            np.testing.assert_array_equal(sample.targets["mask"].ids, samples[0].targets["mask"].ids)
        samples[1].image[:] = 0
        samples[1].targets["mask"].ids[:] = 0
        np.testing.assert_array_equal(datasets[1].read(index).image, samples[0].image)


def test_a_cache_on_disk_is_never_out_of_date(make_dataset, write_image):
    file = make_dataset()
    first = SemanticDataset(DatasetSpec.load(file), "train", imgsz=24, train=True, cache="disk")[0]
    write_image(file.parent / "masks" / "train" / "0.png", np.full((24, 36), 2, np.uint8))
    second = SemanticDataset(DatasetSpec.load(file), "train", imgsz=24, train=True, cache="disk")[0]
    assert (first.targets["mask"].ids != 2).any()
    assert (second.targets["mask"].ids == 2).all()
    file.write_text(file.read_text() + "label_mapping: {2: 0}\n")
    third = SemanticDataset(DatasetSpec.load(file), "train", imgsz=24, train=True, cache="disk")[0]
    assert (third.targets["mask"].ids == 0).all()


def test_other_classes_are_ignored(make_dataset):
    spec = DatasetSpec.load(make_dataset())
    whole, part = (SemanticDataset(spec, "train", imgsz=24, train=True, classes=kept) for kept in (None, [1]))
    np.testing.assert_array_equal(part[0].targets["mask"].ids, np.where(whole[0].targets["mask"].ids == 1, 1, 255))
    assert part.class_pixels().tolist() == [0, whole.class_pixels()[1], 0]
    with pytest.raises(ConfigError, match=r"there is no class 7\. Allowed: 0 to 2"):
        SemanticDataset(spec, "train", imgsz=24, train=True, classes=[7])


def test_pixels_are_counted_over_all_labels(make_dataset):
    masks = {f"train/{number}": np.full((24, 36), number, np.uint8) for number in range(3)}
    masks["train/3"] = np.full((24, 36), 255, np.uint8)
    dataset = SemanticDataset(DatasetSpec.load(make_dataset(masks=masks)), "train", imgsz=24, train=True)
    assert dataset.class_pixels().tolist() == [864, 864, 864]


def test_one_class_against_the_rest(make_dataset):
    dataset = SemanticDataset(
        DatasetSpec.load(make_dataset("names: [crack]", ids=(0, 1))), "val", imgsz=24, train=False
    )
    assert set(np.unique(dataset[0].targets["mask"].ids)) == {0, 1}
    assert len(dataset.class_pixels()) == 2


def test_300_classes_are_16_bits_wide(make_dataset):
    mask = np.arange(32 * 64, dtype=np.uint16).reshape(32, 64) % 300
    mask[0, 0] = 65535
    file = make_dataset("nc: 300", masks={"val/0": mask}, shapes=((32, 64),))
    dataset = SemanticDataset(DatasetSpec.load(file), "val", imgsz=64, train=False)
    sample = dataset[0]
    assert sample.targets["mask"].ids.dtype == np.uint16
    assert sample.targets["mask"].ignore_index == 65535
    np.testing.assert_array_equal(sample.targets["mask"].ids, mask)
    np.testing.assert_array_equal(dataset.spec.to_source_ids(dataset.source_ids(0)), mask)


def test_bands_of_16_bits_stay_16_bits(tmp_path, write_image):
    bands = np.random.default_rng(0).integers(0, 65536, (16, 16, 7), dtype=np.uint16)
    (tmp_path / "images" / "train").mkdir(parents=True)
    np.save(tmp_path / "images" / "train" / "a.npy", bands)
    write_image(tmp_path / "masks" / "train" / "a.png", np.zeros((16, 16), np.uint8))
    (tmp_path / "data.yaml").write_text("train: images/train\nnc: 2\nchannels: 7\n")
    for cache in (False, "ram"):
        dataset = SemanticDataset(DatasetSpec.load(tmp_path), "train", imgsz=16, train=True, cache=cache)
        np.testing.assert_array_equal(dataset[0].image, bands)


@pytest.mark.parametrize("cache", [False, "ram", "disk"])
def test_the_low_byte_of_grey_reaches_the_batch(make_dataset, write_image, cache):
    file = make_dataset("nc: 3\nchannels: 1", shapes=((32, 64),))
    deep = np.random.default_rng(0).integers(0, 256, (32, 64, 1), dtype=np.uint16) + 40_192  # 157 · 256
    write_image(file.parent / "images" / "val" / "0.png", deep)
    dataset = SemanticDataset(DatasetSpec.load(file), "val", imgsz=64, train=False, cache=cache)
    dataset.transforms = val_transforms(dataset.shapes)
    (batch,) = build_dataloader(dataset, 2, workers=0, shuffle=False, seed=0)  # the other image has bytes
    top, left = batch["ratio_pad"][0][1][::-1]
    image = batch["img"][0, :, int(top) : int(top) + 32, int(left) : int(left) + 64].numpy().transpose(1, 2, 0)
    np.testing.assert_allclose(image / 255, deep / 65535, rtol=1e-5)
    assert dataset.source_image(0).dtype == np.uint16


def test_a_fraction_is_a_part_that_the_seed_draws(make_dataset):
    spec = DatasetSpec.load(make_dataset(counts=(20, 2)))
    files = [
        [
            pair.image.stem
            for pair in SemanticDataset(spec, "train", imgsz=24, train=True, fraction=0.3, seed=seed).pairs
        ]
        for seed in (0, 0, 1)
    ]
    assert files[0] == files[1] != files[2]
    assert len(files[0]) == 6
    assert len(SemanticDataset(spec, "train", imgsz=24, train=True, fraction=0.001)) == 1


def test_what_is_left_out_is_named(make_dataset, caplog):
    file = make_dataset(masks={"train/1": None})
    dataset = SemanticDataset(DatasetSpec.load(file), "train", imgsz=24, train=True)
    assert [pair.image.stem for pair in dataset.pairs] == ["0", "2", "3"]
    assert "3 of 4 train images are used" in caplog.text
    assert "1.png' has no mask" in caplog.text
    empty = {f"train/{number}": np.zeros((2, 2), np.uint8) for number in range(4)}
    broken = DatasetSpec.load(make_dataset(masks=empty, name="broken"))
    with pytest.raises(DatasetError, match="none of the 4 train images"):
        SemanticDataset(broken, "train", imgsz=24, train=True)


def test_labels_at_the_size_of_the_file_and_where_results_belong(make_dataset):
    file = make_dataset(shapes=((40, 60), (61, 33)))
    dataset = SemanticDataset(DatasetSpec.load(file), "val", imgsz=32, train=False)
    assert [dataset.source_ids(index).shape for index in range(2)] == [(40, 60), (61, 33)]
    assert dataset.result_names[1] == "val/1"


def test_samples_depend_on_the_key_alone(make_dataset):
    dataset = SemanticDataset(DatasetSpec.load(make_dataset()), "train", imgsz=24, train=True, seed=4)
    dataset.transforms = lambda sample, context: (sample.index, float(context.rng.random()))
    assert dataset[SampleKey(1, 2)] == dataset[SampleKey(1, 2)] != dataset[SampleKey(2, 2)]


@pytest.mark.parametrize(
    "yaml", ["names: [disc]", "names: [ground, disc]", "names: [ground, disc]\nbackground: ignore"]
)
def test_polygons_and_the_masks_made_of_them_are_the_same_targets(tmp_path, make_dataset, yaml):
    file = make_dataset(yaml, name="polygons")
    root = file.parent
    shutil.rmtree(root / "masks")
    rng = np.random.default_rng(0)
    classes = 1 + yaml.count(",")
    for image in (root / "images").rglob("*.png"):
        label = root / "labels" / image.relative_to(root / "images").with_suffix(".txt")
        label.parent.mkdir(parents=True, exist_ok=True)
        rows = [[rng.integers(classes), *rng.random(8).round(3)] for _ in range(3)]
        label.write_text("\n".join(" ".join(map(str, row)) for row in rows))
    made = tmp_path / "masks-of-them"
    polygons_to_ids(images=root / "images", labels=root / "labels", target=made / "masks", data=file)
    shutil.copytree(root / "images", made / "images")
    names = (made / "masks" / "names.yaml").read_text()
    (made / "data.yaml").write_text(f"train: images/train\nval: images/val\n{names}")
    one, two = (
        SemanticDataset(DatasetSpec.load(data), "train", imgsz=24, train=True) for data in (file, made / "data.yaml")
    )
    assert one.spec.names == two.spec.names
    assert len(np.unique(one[0].targets["mask"].ids)) > 1
    for index in range(len(one)):
        np.testing.assert_array_equal(one.source_ids(index), two.source_ids(index))
        np.testing.assert_array_equal(one[index].targets["mask"].ids, two[index].targets["mask"].ids)
    assert diagnose(made).ok
