"""Which files make a split."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ultralytics.data.description.listing import LabelFinder, exists, hashed_split, list_images, read_list
from ultralytics.errors import DatasetError


def _touch(root: Path, *names: str) -> list[Path]:
    paths = [root / name for name in names]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return paths


def _names(images: list[Path], root: Path) -> list[str]:
    return [image.relative_to(root).as_posix() for image in images]


def test_a_folder_gives_its_images_in_order_whatever_the_case_of_the_suffix(tmp_path):
    _touch(tmp_path, "b.PNG", "a.jpg", "sub/c.Tif", "notes.txt", ".hidden.png", "._a.jpg", ".cache/d.png", "e.gif")
    assert _names(list_images(tmp_path, tmp_path), tmp_path) == ["a.jpg", "b.PNG", "e.gif", "sub/c.Tif"]


def test_an_array_beside_an_image_is_not_another_image(tmp_path):
    _touch(tmp_path, "a.png", "a.npy", "b.npy")
    assert _names(list_images(tmp_path, tmp_path), tmp_path) == ["a.png", "b.npy"]


@pytest.mark.skipif(os.name == "nt", reason="making links needs a privilege on Windows")
def test_links_to_folders_are_followed_once(tmp_path):
    _touch(tmp_path, "real/a.png", "images/b.png")
    (tmp_path / "images" / "link").symlink_to(tmp_path / "real", target_is_directory=True)
    (tmp_path / "images" / "circle").symlink_to(tmp_path / "images", target_is_directory=True)
    assert _names(list_images(tmp_path / "images", tmp_path), tmp_path) == ["images/b.png", "images/link/a.png"]


def test_a_pattern_gives_what_it_matches(tmp_path):
    _touch(tmp_path, "images/day/a.png", "images/day/b.png", "images/night/a.png", "images/day/a.txt")
    found = list_images(tmp_path / "images" / "*" / "a.*", tmp_path)
    assert _names(found, tmp_path) == ["images/day/a.png", "images/night/a.png"]
    assert _names(list_images(tmp_path / "im*" / "night", tmp_path), tmp_path) == ["images/night/a.png"]
    assert exists(tmp_path / "images" / "*")
    assert not exists(tmp_path / "pictures" / "*")


def test_brackets_in_a_name_that_exists_are_no_pattern(tmp_path):
    _touch(tmp_path, "set [1]/a.png")
    assert len(list_images(tmp_path / "set [1]", tmp_path)) == 1


def test_a_list_names_files_from_its_own_folder_or_the_dataset(tmp_path):
    first, second, third = _touch(tmp_path, "lists/x/a.png", "images/b.png", "elsewhere/c.png")
    (tmp_path / "lists" / "train.txt").write_text(f"./x/a.png\n\nimages/b.png\n{third}\n", encoding="utf-8-sig")
    found = list_images(tmp_path / "lists" / "train.txt", tmp_path)
    assert [path.resolve() for path in found] == [first, second, third]


def test_a_list_with_a_missing_file_gives_the_others_and_names_its_line(tmp_path):
    (image,) = _touch(tmp_path, "a.png")
    (tmp_path / "train.txt").write_text("a.png\ngone.png\n")
    images, missing = read_list(tmp_path / "train.txt", tmp_path)
    assert images == list_images(tmp_path / "train.txt", tmp_path) == [image]
    (text,) = missing
    assert "train.txt', line 2: 'gone.png'" in text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_list_may_come_from_any_editor(tmp_path, encoding):
    first, second, odd = _touch(tmp_path, "images/a.png", "images/b ü.png", "#1.png")
    rows = ["# a comment", "images/a.png", "", "  images\\b ü.png  ", "./images/a.png", str(first), "#1.png"]
    (tmp_path / "train.txt").write_bytes("\r\n".join(rows).encode(encoding))
    assert read_list(tmp_path / "train.txt", tmp_path) == ([first, second, odd], [])


def test_a_list_of_stems_is_that_of_a_voc_dataset(tmp_path):
    images = _touch(tmp_path, "JPEGImages/2007_000032.jpg", "JPEGImages/2007_000039.png")
    (other,) = _touch(tmp_path, "photos/2008.1.jpg")
    (file,) = _touch(tmp_path, "ImageSets/Segmentation/train.txt")
    file.write_text("2007_000032\n2007_000039\n2008.1\n2009\n")
    found, missing = read_list(file, tmp_path, "photos")
    assert found == [*images, other]
    assert len(missing) == 1


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_pipes_are_no_images(tmp_path):
    (image,) = _touch(tmp_path, "a.png")
    os.mkfifo(tmp_path / "b.png")
    assert list_images(tmp_path, tmp_path) == [image]
    assert list_images(tmp_path / "*.png", tmp_path) == [image]
    os.mkfifo(tmp_path / "list.txt")
    with pytest.raises(DatasetError, match="a pipe, socket or device"):
        list_images(tmp_path / "list.txt", tmp_path)


def _finder(root: Path, **options: str) -> LabelFinder:
    return LabelFinder(root, images_dir="images", labels_dir="masks", suffixes=["png", "tif"], **options)


def test_the_last_images_folder_is_mirrored(tmp_path):
    root = tmp_path / "images" / "set"
    image, mask = _touch(root, "images/train/city/a.jpg", "masks/train/city/a.png")
    assert _finder(root)(image) == mask


def test_png_is_preferred_and_suffixes_have_any_case(tmp_path):
    image, png, _ = _touch(tmp_path, "images/a.jpg", "masks/a.PNG", "masks/a.tif")
    assert _finder(tmp_path)(image) == png
    other, tif = _touch(tmp_path, "images/b.jpg", "masks/b.tif")
    assert _finder(tmp_path)(other) == tif


def test_stems_that_differ_in_case_are_different_files(tmp_path):
    lower, upper, mask = _touch(tmp_path, "images/a.jpg", "images/A.jpg", "masks/A.png")
    if not (tmp_path / "images" / "a.JPG").exists():  # a file system that tells them apart
        assert _finder(tmp_path)(upper) == mask
        assert _finder(tmp_path)(lower) is None


def test_ends_of_names_are_exchanged(tmp_path):
    image, mask = _touch(tmp_path, "images/x/1_leftImg8bit.png", "masks/x/1_gtFine_labelIds.png")
    find = _finder(tmp_path, image_end="_leftImg8bit.png", label_end="_gtFine_labelIds.png")
    assert find(image) == mask
    assert find.expected(image.with_name("2_leftImg8bit.png")).name == "2_gtFine_labelIds.png"


def test_without_an_images_folder_the_place_below_the_root_is_repeated(tmp_path):
    image, mask = _touch(tmp_path, "photos/day/a.jpg", "masks/photos/day/a.png")
    assert _finder(tmp_path)(image) == mask


def test_a_missing_label_is_none_and_its_place_is_known(tmp_path):
    (image,) = _touch(tmp_path, "images/train/a.jpg")
    assert _finder(tmp_path)(image) is None
    assert _finder(tmp_path).expected(image) == tmp_path / "masks" / "train" / "a.png"


@given(st.sets(st.text("abcdef0123", min_size=1, max_size=6), min_size=2, max_size=60))
def test_a_hashed_split_divides_everything_and_is_stable(stems):
    root = Path("/data")
    images = sorted(root / f"{stem}.png" for stem in stems)
    train, val = hashed_split(images, root)
    assert sorted(train + val) == images
    assert train
    assert val
    more = sorted([*images, root / "zz.png"])
    if len(val) > 1:
        assert set(val) <= set(hashed_split(more, root)[1])


def test_a_single_image_cannot_be_split():
    with pytest.raises(DatasetError, match="holds 1 images"):
        hashed_split([Path("/data/a.png")], Path("/data"))
