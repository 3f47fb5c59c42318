"""What a dataset description means: classes, the table of ids, files, fingerprint."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ultralytics.data.description.spec import NO_POLYGON, DatasetSpec
from ultralytics.errors import DatasetError


def _spec(count: int = 3, **options: object) -> DatasetSpec:
    names = {number: f"name{number}" for number in range(count)}
    defaults = {"title": "t", "root": Path(), "names": names, "sources": {}, "masks_dir": "masks"}
    return DatasetSpec(**{**defaults, **options})


def test_ids_mean_themselves_unless_they_are_mapped():
    table = _spec(3, mapping={11: None, 7: 0}).label_table()
    assert table.dtype == np.uint8
    assert table[[0, 1, 2, 7, 11, 255]].tolist() == [0, 1, 2, 0, 255, 255]
    assert (table[12:] == 255).all()


def test_a_chain_of_mappings_is_one_look_up():
    assert _spec(3, mapping={0: 1, 1: 2, 2: 0}).label_table()[:3].tolist() == [1, 2, 0]


def test_more_than_255_classes_are_16_bits_wide():
    spec = _spec(300)
    assert (spec.ignore_index, spec.label_table().dtype) == (65535, np.uint16)
    assert spec.label_table()[[255, 299, 300, 65535]].tolist() == [255, 299, 65535, 65535]
    assert _spec(255).ignore_index == 255
    assert _spec(256).ignore_index == 65535


def test_one_class_has_two_ids_and_one_channel():
    spec = _spec(1)
    assert (spec.num_classes, spec.num_ids, spec.is_binary) == (1, 2, True)
    assert spec.label_table()[[0, 1, 2, 255]].tolist() == [0, 1, 255, 255]


def test_polygons_of_one_class_are_the_foreground():
    table = _spec(1, masks_dir=None, background=0).label_table()
    assert table[[0, NO_POLYGON]].tolist() == [1, 0]


def test_polygons_of_several_classes_get_a_background_that_labels_cannot_name():
    spec = _spec(3, masks_dir=None, background=2, background_added=True)
    assert spec.label_table()[[0, 1, NO_POLYGON]].tolist() == [0, 1, 2]
    assert np.flatnonzero(spec.known_ids()).tolist() == [0, 1, 255, NO_POLYGON, 65535]


def test_the_ignored_id_can_be_another_or_none():
    assert _spec(3, ignored=2).label_table()[:4].tolist() == [0, 1, 255, 255]
    assert not _spec(3, ignored=-1).known_ids()[255]
    assert _spec(3, mapping={255: 1}).label_table()[255] == 1


@given(st.dictionaries(st.integers(0, 254), st.one_of(st.none(), st.integers(0, 4)), max_size=8))
def test_source_ids_lead_back_to_the_same_classes(mapping):
    spec = _spec(5, mapping=mapping)
    table = spec.label_table()
    reachable = np.array(sorted(set(table[: 5 if not mapping else 255].tolist()) | {255}), table.dtype)
    reachable = reachable[[value == 255 or value in mapping.values() or value not in mapping for value in reachable]]
    np.testing.assert_array_equal(table[spec.to_source_ids(reachable)], reachable)


def test_source_ids_take_the_first_of_several():
    spec = _spec(2, mapping={7: 0, 8: 0, 300: 1})
    written = spec.to_source_ids(np.array([[0, 1, 255]], np.uint8))
    assert written.dtype == np.uint16
    assert written.tolist() == [[7, 300, 255]]


def test_a_mapping_to_nowhere_is_refused():
    with pytest.raises(DatasetError, match="sends 2 to 9, but class ids are 0 to 2"):
        _spec(3).with_mapping({2: 9})
    assert _spec(3).with_mapping({255: 1}).mapping == {255: 1}


def test_the_palette_comes_from_the_display_colours_or_from_the_masks():
    assert _spec(3).palette is None
    assert _spec(2, display=((1, 2, 3), (4, 5, 6))).palette.tolist() == [[1, 2, 3], [4, 5, 6]]
    colors = {(9, 9, 9): 1, (1, 2, 3): 0, (0, 0, 0): None, (3, 3, 3): 1}
    assert _spec(2, colors=colors).palette.tolist() == [[1, 2, 3], [9, 9, 9]]
    assert _spec(3, colors=colors).palette is None


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({}, "t: masks, nc=3, background=none, ignore=255"),
        ({"background": 1, "ignored": -1}, "t: masks, nc=3, background=1 (name1), ignore=none"),
        ({"count": 1, "masks_dir": None, "background": 0}, "t: polygons, nc=1, background=0 (the rest), ignore=255"),
    ],
)
def test_one_line_says_how_labels_are_read(options, text):
    assert _spec(**options).describe() == text


def test_images_of_a_split_come_once_and_in_order(make_dataset):
    spec = DatasetSpec.load(make_dataset())
    assert [image.name for image in spec.images("train")] == ["0.png", "1.png", "2.png", "3.png"]
    file = spec.root / "data.yaml"
    file.write_text("train: [images/train/2.png, images/train]\nnc: 3\n")
    assert [image.name for image in DatasetSpec.load(file).images("train")] == ["2.png", "0.png", "1.png", "3.png"]


def test_a_split_that_is_not_there_is_named(make_dataset):
    spec = DatasetSpec.load(make_dataset())
    with pytest.raises(DatasetError, match=r"names no 'test' images. Splits it has: train, val"):
        spec.images("test")
    for image in spec.images("val"):
        image.unlink()
    with pytest.raises(DatasetError, match=r"no val image in .*Formats known: avif, bmp"):
        spec.images("val")
    (spec.root / "images" / "val").rmdir()
    with pytest.raises(DatasetError, match=r"the val images '.*val' do not exist"):
        spec.images("val")


def test_a_fingerprint_is_that_of_the_content(make_dataset):
    file, copy = make_dataset(name="a"), make_dataset(name="b")
    prints = [DatasetSpec.load(path).fingerprint(contents=True) for path in (file, copy)]
    assert prints[0] == prints[1]
    mask = copy.parent / "masks" / "train" / "0.png"
    mask.write_bytes(mask.read_bytes()[:-1] + b"x")
    assert DatasetSpec.load(copy).fingerprint() == DatasetSpec.load(file).fingerprint()
    assert DatasetSpec.load(copy).fingerprint(contents=True) != prints[0]
    mask.rename(mask.with_name("9.png"))
    assert DatasetSpec.load(copy).fingerprint() != DatasetSpec.load(file).fingerprint()


def test_a_description_travels_to_other_processes(make_dataset):
    spec = DatasetSpec.load(make_dataset("names: [a, b, c]\nlabel_mapping: {9: ignore_label}\ncolors: {a: [1, 2, 3]}"))
    assert pickle.loads(pickle.dumps(spec)) == spec
