"""Colour masks into class ids and back."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from ultralytics.data.convert.masks import colors_to_ids, ids_from_colors, ids_to_colors
from ultralytics.data.imread import read_ids
from ultralytics.errors import DatasetError, MissingFile

ROAD, TREE, VOID = (128, 64, 128), (107, 142, 35), (0, 0, 0)
YAML = "names: [road, tree]\ncolors: {road: [128, 64, 128], tree: [107, 142, 35], ignore: [0, 0, 0]}\n"


@pytest.fixture
def data(tmp_path):
    file = tmp_path / "data.yaml"
    file.write_text(YAML)
    return file


def _write_rgb(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.array(rows, np.uint8)).save(path)


def test_every_colour_becomes_its_class(tmp_path, data):
    _write_rgb(tmp_path / "rgb" / "city" / "a.png", [[ROAD, TREE], [VOID, ROAD]])
    line = colors_to_ids(source=tmp_path / "rgb", target=tmp_path / "ids", data=data)
    assert line == f"1 files converted, results in '{tmp_path / 'ids'}'"
    np.testing.assert_array_equal(read_ids(tmp_path / "ids" / "city" / "a.png"), [[0, 1], [255, 0]])


def test_unknown_colours_are_listed_with_their_pixels_and_the_other_files_are_written(tmp_path, data):
    _write_rgb(tmp_path / "rgb" / "bad.png", [[ROAD, (1, 2, 3)], [(1, 2, 3), (9, 9, 9)]])
    _write_rgb(tmp_path / "rgb" / "good.png", [[ROAD]])
    with pytest.raises(DatasetError) as caught:
        colors_to_ids(source=tmp_path / "rgb", target=tmp_path / "ids", data=data)
    assert "1 of 2 files" in str(caught.value)
    assert "[1, 2, 3] (2 pixels), [9, 9, 9] (1 pixels)" in str(caught.value)
    assert [path.name for path in (tmp_path / "ids").glob("*.png")] == ["good.png"]


def test_unknown_colours_can_be_ignored(tmp_path, data):
    _write_rgb(tmp_path / "rgb" / "a.png", [[TREE, (1, 2, 3)]])
    colors_to_ids(source=tmp_path / "rgb", target=tmp_path / "ids", data=data, ignore_unknown=True)
    np.testing.assert_array_equal(read_ids(tmp_path / "ids" / "a.png"), [[1, 255]])


def test_lossy_masks_are_refused(tmp_path, data):
    (tmp_path / "rgb").mkdir()
    Image.new("RGB", (8, 8), ROAD).save(tmp_path / "rgb" / "a.jpg")
    with pytest.raises(DatasetError, match="JPEG: lossy compression"):
        colors_to_ids(source=tmp_path / "rgb", target=tmp_path / "ids", data=data)


@pytest.mark.parametrize(
    ("yaml", "told"),
    [
        ("names: [road]\n", "has no 'colors'"),
        ("train: x\n", "no list of class names"),
        ("names: [a]\ncolors: 5\n", "colors"),
    ],
)
def test_a_description_without_colours_is_refused(tmp_path, yaml, told):
    (tmp_path / "data.yaml").write_text(yaml)
    with pytest.raises(DatasetError, match=told):
        colors_to_ids(source=tmp_path, target=tmp_path / "ids", data=tmp_path / "data.yaml")


def test_a_missing_or_empty_folder_is_named(tmp_path, data):
    with pytest.raises(MissingFile, match="nowhere"):
        colors_to_ids(source=tmp_path / "nowhere", target=tmp_path, data=data)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match=r"empty' holds no file that ends in .*\.png"):
        colors_to_ids(source=tmp_path / "empty", target=tmp_path, data=data)


def test_more_than_255_classes_need_16_bits():
    table = {(number >> 8, number & 255, 7): number for number in range(300)}
    image = np.array([list(table), [(9, 9, 9)] * 300], np.uint8)
    ids, unknown = ids_from_colors(image, table)
    assert ids.dtype == np.uint16
    np.testing.assert_array_equal(ids, [list(range(300)), [65535] * 300])
    assert unknown == {(9, 9, 9): 300}


@given(
    arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3)), elements=st.sampled_from([0, 1, 2]))
)
def test_every_pixel_is_looked_up_by_its_exact_colour(image):
    table = {(0, 0, 0): 4, (1, 0, 2): None, (2, 1, 0): 0}
    ids, unknown = ids_from_colors(image, table)
    for color, found in zip(map(tuple, image.reshape(-1, 3).tolist()), ids.ravel().tolist(), strict=True):
        assert found == (table[color] if table.get(color) is not None else 255)
        assert (color in unknown) == (color not in table)
    assert list(unknown.values()) == sorted(unknown.values(), reverse=True)


def test_ids_become_the_first_colour_of_their_class(tmp_path, write_image):
    file = tmp_path / "data.yaml"
    file.write_text(
        "names: [road, tree]\ncolors: {road: [[128, 64, 128], [1, 1, 1]], tree: '#6b8e23', ignore: [9, 8, 7]}\n"
    )
    write_image(tmp_path / "ids" / "a.png", np.array([[0, 1], [255, 1]], np.uint8))
    ids_to_colors(source=tmp_path / "ids", target=tmp_path / "rgb", data=file)
    pixels = np.asarray(Image.open(tmp_path / "rgb" / "a.png"))
    np.testing.assert_array_equal(pixels, [[(128, 64, 128), (107, 142, 35)], [(9, 8, 7), (107, 142, 35)]])


@pytest.mark.parametrize("name", ["potsdam", "loveda", "vaihingen", "ade150"])
def test_real_masks_survive_the_way_to_colours_and_back(shared, tmp_path, name):
    source = shared / "datasets" / "tiny-formats" / name / "masks"
    masks = sorted(source.rglob("*.png"))
    rng = np.random.default_rng(0)
    colors = np.unique(rng.integers(0, 256, (400, 3)), axis=0)[:152].tolist()
    (tmp_path / "data.yaml").write_text(f"names: {[f'class {i}' for i in range(152)]}\npalette: {colors}\n")
    ids_to_colors(source=source, target=tmp_path / "rgb", data=tmp_path / "data.yaml")
    colors_to_ids(source=tmp_path / "rgb", target=tmp_path / "ids", data=tmp_path / "data.yaml")
    assert cv2.imdecode(np.fromfile(next((tmp_path / "rgb").rglob("*.png")), np.uint8), -1).ndim == 3
    for mask in masks:
        np.testing.assert_array_equal(read_ids(tmp_path / "ids" / mask.relative_to(source)), read_ids(mask))
