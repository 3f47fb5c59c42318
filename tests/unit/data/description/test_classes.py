"""Classes are matched by name: the same labels in another order are the same dataset, and anything else is said."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path

import cv2
import numpy as np
import pytest

from ultralytics.data.description.classes import match_classes
from ultralytics.data.description.spec import DatasetSpec
from ultralytics.errors import ConfigError
from ultralytics.tasks.semantic.dataset import SemanticDataset
from ultralytics.utils.yamlio import YAML

MODEL = {0: "Road", 1: "Traffic Sign", 2: "Car"}
SHAPE = (8, 12)
ORDERS = {"same": (0, 1, 2), "reversed": (2, 1, 0), "turned": (1, 2, 0)}


def scene() -> np.ndarray:
    """Class ids of the model: stripes of each class."""
    return np.repeat(np.arange(3, dtype=np.uint8), SHAPE[1] // 3)[None].repeat(SHAPE[0], 0)


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., DatasetSpec]:
    """Write one image with its label, and the description of it."""

    def make(label: np.ndarray | str, names: list[str], **fields: object) -> DatasetSpec:
        image, folder = tmp_path / "images/val/a.png", "labels" if isinstance(label, str) else "masks"
        target = tmp_path / folder / "val" / ("a.txt" if isinstance(label, str) else "a.png")
        for file in (image, target):
            file.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(image), np.zeros((*SHAPE, 3), np.uint8))
        if isinstance(label, str):
            target.write_text(label)
        else:
            cv2.imwrite(str(target), label)
            fields = {"masks_dir": "masks", **fields}
        file = tmp_path / "data.yaml"
        YAML.save(file, {"train": "images/val", "val": "images/val", "names": names, **fields})
        return DatasetSpec.load(file)

    return make


def targets(spec: DatasetSpec) -> np.ndarray:
    return SemanticDataset(spec, "val", imgsz=12, train=False).source_ids(0)


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
@pytest.mark.parametrize("kind", ["masks", "mapped masks", "colour masks"])
def test_labels_in_any_order_become_the_class_ids_of_the_model(write, order: tuple[int, ...], kind: str) -> None:
    names = [MODEL[k].lower().replace(" ", "_") for k in order]
    place = np.argsort(order)  # the dataset's id of each class of the model
    label, fields = place[scene()].astype(np.uint8), {}
    if kind == "mapped masks":
        label, fields = label + 40, {"label_mapping": {40: 0, 41: 1, 42: 2}}
    if kind == "colour masks":
        colors = np.array([[10, 0, 0], [0, 20, 0], [0, 0, 30]], np.uint8)
        fields = {"colors": {name: colors[k].tolist() for k, name in enumerate(names)}}
        label = colors[label][..., ::-1]
    spec = match_classes(write(label, names, **fields), MODEL)
    assert spec.names == MODEL
    assert np.array_equal(targets(spec), scene())
    if kind != "colour masks":
        assert np.array_equal(spec.to_source_ids(scene()), label), "and back into the ids of the files"


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
def test_polygons_and_the_background_they_gain_are_matched(write, order: tuple[int, ...]) -> None:
    model = {0: "background", 1: "car", 2: "tree"}
    names = [name for name in (model[k] for k in order) if name != "background"]
    spec = write(f"{names.index('car')} 0 0 0.5 0 0.5 1 0 1\n", names)
    found = targets(match_classes(spec, model))
    assert (found[:, :5] == 1).all()
    assert (found[:, 7:] == 0).all()


def test_the_ignored_id_stays_ignored(write) -> None:
    label = scene()
    label[0] = 255
    spec = match_classes(write(label, ["car", "traffic sign", "road"]), MODEL)
    found = targets(spec)
    assert (found[0] == 255).all()
    assert (found[1:, 0] == 2).all()


def test_an_id_that_the_files_must_not_hold_stays_unknown_under_a_larger_model(write) -> None:
    spec = write(scene(), ["road", "traffic sign", "car"])
    larger = {**MODEL, 3: "sky", 4: "tree"}
    matched = match_classes(spec, larger, classes=[0, 1, 2])
    assert not matched.known_ids()[3]


@pytest.mark.parametrize(
    ("names", "only_dataset", "only_model"),
    [(["road", "car"], "", "Traffic Sign"), (["road", "car", "tram"], "tram", "Traffic Sign")],
    ids=["fewer", "other"],
)
def test_other_classes_are_an_error_that_lists_both_sides(write, names, only_dataset: str, only_model: str) -> None:
    spec = write(np.zeros(SHAPE, np.uint8), names)
    with pytest.raises(ConfigError) as error:
        match_classes(spec, MODEL)
    text = str(error.value)
    assert only_dataset in text
    assert f"Only in the model: {only_model}" in text
    assert "cls_remap" in text


def test_a_mapping_says_which_classes_are_the_same_and_which_do_not_count(write) -> None:
    spec = write(np.array([[0, 1, 2, 3]], np.uint8).repeat(3, 1).repeat(8, 0), ["tram", "street", "sign", "sky"])
    remap = {"tram": "Car", "street": "road", "sign": "traffic sign", "sky": None}
    found = targets(match_classes(spec, MODEL, remap=remap))
    assert found[0].tolist() == [2] * 3 + [0] * 3 + [1] * 3 + [255] * 3


@pytest.mark.parametrize(
    ("remap", "unknown"),
    [({"trm": "Car"}, "'trm'"), ({"road": "Lorry"}, "'Lorry'")],
    ids=["of the dataset", "of the model"],
)
def test_a_mapping_of_an_unknown_name_is_refused(write, remap: Mapping[str, str], unknown: str) -> None:
    spec = write(scene(), ["road", "traffic sign", "car"])
    with pytest.raises(ConfigError, match=unknown):
        match_classes(spec, MODEL, remap=remap)


def test_classes_that_do_not_count_may_be_missing_on_either_side(write) -> None:
    spec = write(np.array([[0, 1]], np.uint8).repeat(6, 1).repeat(8, 0), ["tram", "road"])
    found = targets(match_classes(spec, MODEL, classes=[0]))
    assert (found[:, :6] == 255).all()
    assert (found[:, 6:] == 0).all()


def test_names_that_only_number_the_classes_are_matched_by_position_with_a_warning(write, caplog) -> None:
    spec = write(scene(), ["class_0", "class_1", "class_2"])
    with caplog.at_level(logging.WARNING):
        assert np.array_equal(targets(match_classes(spec, MODEL)), scene())
    assert "Traffic Sign" in caplog.text
    with pytest.raises(ConfigError, match="Model \\(2\\)"):
        match_classes(spec, {0: "a", 1: "b"})


def test_a_short_form_is_matched_with_a_warning_that_names_both(write, caplog) -> None:
    spec = write(scene(), ["road", "sign", "car"])
    with caplog.at_level(logging.WARNING):
        assert np.array_equal(targets(match_classes(spec, MODEL)), scene())
    assert "'sign'" in caplog.text
    assert "'Traffic Sign'" in caplog.text


def test_a_short_form_of_two_classes_is_not_guessed(write) -> None:
    spec = write(scene() % 2, ["sign", "road"])
    with pytest.raises(ConfigError, match="Only in the dataset: sign"):
        match_classes(spec, {0: "stop sign", 1: "speed sign", 2: "road"})


def test_names_that_fold_to_one_cannot_be_matched(write) -> None:
    spec = write(scene(), ["car", "Car", "road"])
    with pytest.raises(ConfigError, match="0: car, 1: Car"):
        match_classes(spec, MODEL)


def test_by_position_on_request(write) -> None:
    spec = write(scene(), ["car", "road", "traffic sign"])
    assert np.array_equal(targets(match_classes(spec, MODEL, remap=False)), scene())


def test_a_binary_model_does_not_take_two_classes(write) -> None:
    spec = write(scene() % 2, ["crack", "wall"])
    with pytest.raises(ConfigError, match="wall"):
        match_classes(spec, {0: "crack"})
