"""The raw Cityscapes download into our layout."""

from __future__ import annotations

import numpy as np
import pytest

from ultralytics.data.convert.cityscapes import cityscapes
from ultralytics.data.imread import read_ids
from ultralytics.errors import DatasetError, MissingFile


@pytest.fixture
def raw(tmp_path, write_image):
    """Two cities of train, one of val, as they are unpacked."""
    for split, scene in (
        ("train", "aachen_000000_000019"),
        ("train", "bochum_000000_000313"),
        ("val", "munster_000000_000019"),
    ):
        city = scene.split("_")[0]
        image = np.full((4, 8, 3), len(scene), np.uint8)
        write_image(tmp_path / "raw" / "leftImg8bit" / split / city / f"{scene}_leftImg8bit.png", image)
        for kind in ("labelIds", "instanceIds", "color"):
            write_image(tmp_path / "raw" / "gtFine" / split / city / f"{scene}_gtFine_{kind}.png", image[..., 0])
    return tmp_path / "raw"


def _files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.png"))


def test_images_and_masks_get_the_same_names(tmp_path, raw):
    line = cityscapes(source=raw, target=tmp_path / "out")
    assert line.endswith("train 2, val 1; not in the download: test")
    scenes = ["train/aachen_000000_000019", "train/bochum_000000_000313", "val/munster_000000_000019"]
    assert _files(tmp_path / "out") == [f"{kind}/{scene}.png" for kind in ("images", "masks") for scene in scenes]
    assert (read_ids(tmp_path / "out" / "masks" / f"{scenes[0]}.png") == len("aachen_000000_000019")).all()


def test_it_can_be_repeated_and_repairs_half_a_file(tmp_path, raw):
    cityscapes(source=raw, target=tmp_path / "out")
    before = _files(raw)
    half = tmp_path / "out" / "masks" / "val" / "munster_000000_000019.png"
    whole = half.read_bytes()
    half.unlink()
    half.write_bytes(whole[:20])
    cityscapes(source=raw, target=tmp_path / "out")
    assert half.read_bytes() == whole
    assert _files(raw) == before
    assert len(_files(tmp_path / "out")) == 6


def test_images_without_masks_are_named_and_the_others_arranged(tmp_path, raw):
    (raw / "gtFine" / "train" / "bochum" / "bochum_000000_000313_gtFine_labelIds.png").unlink()
    with pytest.raises(DatasetError, match=r"1 of 3 files.*\n.*bochum_000000_000313_leftImg8bit\.png' has no mask"):
        cityscapes(source=raw, target=tmp_path / "out")
    assert len(_files(tmp_path / "out")) == 4


def test_missing_parts_of_the_download_are_named(tmp_path, raw):
    with pytest.raises(MissingFile, match=r"leftImg8bit' does not exist.*leftImg8bit_trainvaltest\.zip"):
        cityscapes(source=tmp_path, target=tmp_path / "out")
    (raw / "gtFine").rename(raw / "gtCoarse")
    with pytest.raises(MissingFile, match=r"gtFine' does not exist.*gtFine_trainvaltest\.zip"):
        cityscapes(source=raw, target=tmp_path / "out")


def test_empty_folders_are_named(tmp_path):
    for folder in ("leftImg8bit", "gtFine"):
        (tmp_path / folder).mkdir()
    with pytest.raises(MissingFile, match="holds no image named"):
        cityscapes(source=tmp_path, target=tmp_path / "out")
