"""The survey of a split: what is usable, what is not, and why."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from ultralytics.data.description.spec import DatasetSpec
from ultralytics.errors import DatasetError
from ultralytics.tasks.semantic.survey import count_classes, require_usable, survey


def _problems(file, split: str = "train") -> dict[str, list[str]]:
    found = survey(DatasetSpec.load(file), split)
    kinds: dict[str, list[str]] = {}
    for problem in found.problems:
        kinds.setdefault(problem.kind, []).append(problem.detail)
    return kinds


def test_a_good_split_has_no_problems(make_dataset):
    found = survey(DatasetSpec.load(make_dataset()), "train")
    assert (len(found.pairs), found.problems) == (4, [])
    assert found.facts[0].shape == (24, 36)
    assert sum(found.facts[0].counts.values()) == 24 * 36


def test_unknown_ids_are_named_with_value_count_and_place(make_dataset):
    mask = np.zeros((24, 36), np.uint8)
    mask[5, 7:9] = 204
    kinds = _problems(make_dataset(masks={"train/1": mask}))
    assert list(kinds) == ["ids out of range"]
    assert "masks/train/1.png" in kinds["ids out of range"][0].replace("\\", "/")
    assert "id 204 (2 pixels, first at row 5, column 7); class ids are 0 to 2" in kinds["ids out of range"][0]


def test_ids_above_255_do_not_wrap(make_dataset):
    kinds = _problems(make_dataset(masks={"train/0": np.full((24, 36), 300, np.uint16)}))
    assert "id 300 (864 pixels" in kinds["ids out of range"][0]


def test_300_classes_are_read_as_they_are(make_dataset):
    mask = np.arange(24 * 36, dtype=np.uint16).reshape(24, 36) % 300
    mask[0, 0] = 65535
    spec = DatasetSpec.load(make_dataset("nc: 300", masks={"train/0": mask}))
    found = survey(spec, "train")
    assert len(found.pairs) == 4
    pixels = count_classes(found.facts[:1], spec.label_table(), spec.num_ids)
    assert len(pixels) == 300
    assert pixels.sum() == 24 * 36 - 1


@pytest.mark.parametrize(
    ("mask", "kind", "text"),
    [
        (None, "missing mask", "has no mask: .*0.png' does not exist"),
        (np.zeros((24, 35), np.uint8), "mask of another size", "has 35 x 24 pixels, its image 36 x 24"),
        (np.zeros((24, 36, 3), np.uint8), "colour mask", "has 3 channels; a mask needs a single channel"),
    ],
)
def test_a_label_that_cannot_be_used_is_left_out(make_dataset, mask, kind, text):
    file = make_dataset(masks={"train/0": mask})
    kinds = _problems(file)
    assert list(kinds) == [kind]
    (detail,) = kinds[kind]
    assert re.search(text, detail)


def test_unknown_colours_are_listed_with_their_counts(make_dataset):
    mask = np.zeros((24, 36, 3), np.uint8)
    mask[:2] = [30, 20, 10]  # blue, green, red
    mask[3, :5] = [1, 1, 1]
    good = np.zeros((24, 36, 3), np.uint8)
    yaml = "names: [a, b]\ncolors: {a: [0, 0, 0], b: [255, 255, 255]}"
    masks = {f"train/{n}": good for n in range(4)} | {"val/0": good, "val/1": good}
    file = make_dataset(yaml, masks={**masks, "train/2": mask})
    (detail,) = _problems(file)["ids out of range"]
    assert "[10, 20, 30] (72 pixels), [1, 1, 1] (5 pixels)" in detail
    assert len(survey(DatasetSpec.load(file), "train").pairs) == 3


def test_bands_of_another_number_name_both(make_dataset):
    (details,) = _problems(make_dataset("names: [a, b, c]\nchannels: 5")).values()
    assert "has 3 channels, but 5 are needed" in details[0]


def test_a_split_without_a_usable_image_says_why(make_dataset):
    file = make_dataset(masks={f"train/{number}": np.zeros((2, 2), np.uint8) for number in range(4)})
    spec = DatasetSpec.load(file)
    found = survey(spec, "train")
    with pytest.raises(
        DatasetError, match=r"none of the 4 train images can be used\.\nleft out: 4 x mask of another size"
    ):
        require_usable(found, spec.title)


def test_a_folder_without_a_yaml_and_without_masks_says_where_they_may_be(make_dataset):
    root = make_dataset().parent
    (root / "data.yaml").unlink()
    (root / "masks").rename(root / "annotations")
    with pytest.raises(DatasetError, match=r"a dataset YAML into .*, with:\n +masks_dir: annotations"):
        survey(DatasetSpec.load(root), "train")


@pytest.mark.parametrize("name", ["annotations/instances_train.json", "images/train/0.json"])
def test_annotations_of_other_tools_are_pointed_out(make_dataset, name):
    file = make_dataset()
    (file.parent / "masks").rename(file.parent.parent / "masks")
    (file.parent / name).parent.mkdir(exist_ok=True)
    (file.parent / name).write_text("{}")
    with pytest.raises(DatasetError, match="yolo convert coco") as caught:
        survey(DatasetSpec.load(file), "train")
    assert Path(name).name in str(caught.value)


def test_a_part_without_labels_of_a_split_with_labels_is_no_absence(make_dataset):
    file = make_dataset("names: [a]\nmasks_dir: none")
    (file.parent / "labels" / "train").mkdir(parents=True)
    (file.parent / "labels" / "train" / "3.txt").write_text("")
    spec = DatasetSpec.load(file)
    assert len(survey(spec, "train", spec.images("train")[:2]).pairs) == 2


def test_editing_names_or_a_mask_changes_the_answer_at_once(make_dataset, write_image):
    file = make_dataset()
    assert _problems(file) == {}
    text = file.read_text()
    file.write_text(text.replace("[ground, disc, bar]", "[ground, disc]"))
    assert len(_problems(file)["ids out of range"]) == 4
    file.write_text(text)
    write_image(file.parent / "masks" / "train" / "0.png", np.full((24, 36), 9, np.uint8))
    assert len(_problems(file)["ids out of range"]) == 1


def test_nothing_is_written_into_the_dataset(make_dataset):
    file = make_dataset()
    before = sorted(file.parent.rglob("*"))
    survey(DatasetSpec.load(file), "train")
    assert sorted(file.parent.rglob("*")) == before
