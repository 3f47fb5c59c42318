"""Results: what a user asks of one image's prediction."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from ultralytics.engine.results import Results, SemanticMask
from ultralytics.errors import ConfigError
from ultralytics.utils.plotting import colors

NAMES = {0: "road", 1: "car", 2: "sky"}
IDS = np.array([[0, 0, 1, 255], [0, 0, 1, 255]], np.uint8)


def result(ids: np.ndarray = IDS, names: object = NAMES, path: str = "street.jpg", **options: object) -> Results:
    image = np.full((*ids.shape, 3), 100, np.uint8)
    return Results(image, path, names, semantic_mask=ids, **options)  # type: ignore[arg-type]


def blended(class_id: int, alpha: float = 0.5) -> list[int]:
    return [round(100 * (1 - alpha) + value * alpha) for value in colors(class_id, bgr=True)]


def test_a_fresh_result() -> None:
    fresh = result()
    assert fresh.orig_shape == (2, 4)
    assert fresh.boxes is fresh.masks is fresh.probs is fresh.keypoints is fresh.obb is fresh.depth is None
    assert set(fresh.speed) == {"read", "preprocess", "inference", "postprocess", "write"}
    assert set(fresh.speed.values()) == {None}
    assert isinstance(fresh.semantic_mask, SemanticMask)
    assert fresh.semantic_mask.names == NAMES
    assert repr(fresh) == "Results('street.jpg', 2x4, semantic_mask: road 50.0%, car 25.0%)"


def test_an_image_where_nothing_was_looked_for() -> None:
    empty = Results(np.zeros((2, 2, 3), np.uint8), "a.jpg", NAMES)
    assert len(empty) == 0
    assert empty.verbose() == ""
    assert empty.summary() == []
    assert empty.to_json() == "[]"
    assert np.array_equal(empty.plot(), empty.orig_img)
    with pytest.raises(ConfigError, match="no class map"):
        empty.save_mask("a.png")


def test_summary_rounds_and_leaves_ignored_pixels_in_the_whole() -> None:
    third = result(np.array([[0, 0, 1]], np.uint8))
    assert third.summary(decimals=2) == [
        {"name": "road", "class": 0, "pixel_ratio": 0.67, "pixels": 2},
        {"name": "car", "class": 1, "pixel_ratio": 0.33, "pixels": 1},
    ]
    assert [row["pixel_ratio"] for row in result().summary()] == [0.5, 0.25]


def test_json_and_csv_are_the_summary() -> None:
    named = result(names=["Straße", "车", "sky"])
    assert json.loads(named.to_json()) == named.summary()
    assert "车" in named.to_json()
    assert named.to_csv() == "name,class,pixel_ratio,pixels\nStraße,0,0.5,4\n车,1,0.25,2\n"


def test_geojson_has_one_polygon_per_region() -> None:
    ids = np.array([[1, 0, 1], [0, 0, 0]], np.uint8)
    features = json.loads(result(ids).to_geojson())["features"]
    assert [feature["properties"] for feature in features] == [
        {"name": "road", "class": 0, "pixels": 4.0},
        {"name": "car", "class": 1, "pixels": 1.0},
        {"name": "car", "class": 1, "pixels": 1.0},
    ]
    assert json.loads(result(ids).to_geojson(min_area=2))["features"] == features[:1]


def test_plot_tints_classes_and_leaves_ignored_pixels() -> None:
    picture = result().plot(legend=False)
    assert picture.dtype == np.uint8
    assert picture.shape == (2, 4, 3)
    assert np.abs(picture[0, 0].astype(int) - blended(0)).max() <= 1
    assert np.abs(picture[0, 2].astype(int) - blended(1)).max() <= 1
    assert (picture[:, 3] == 100).all()


def test_plot_leaves_the_background_of_a_one_class_model() -> None:
    binary = result(np.array([[0, 1, 255]], np.uint8), names={0: "crack"})
    picture = binary.plot(legend=False)
    assert (picture[0, [0, 2]] == 100).all()
    assert np.abs(picture[0, 1].astype(int) - blended(0)).max() <= 1
    assert binary.summary()[0]["class"] == 0


def test_plot_options() -> None:
    shown = result()
    assert (shown.plot(alpha=0.0, legend=False) == 100).all()
    assert (shown.plot(masks=False) == 100).all()
    assert shown.plot(alpha=1.0, palette=[[10, 20, 30]])[0, 0].tolist() == [30, 20, 10]
    assert result(palette=[[10, 20, 30]]).plot(alpha=1.0)[0, 0].tolist() == [30, 20, 10]
    assert shown.plot(pil=True).size == (4, 2)
    background = np.zeros((4, 8, 3), np.uint8)
    assert shown.plot(img=background, alpha=1.0)[3, 5].tolist() == list(colors(1, bgr=True))
    assert (background == 0).all()
    assert np.array_equal(shown.plot(conf=True, labels=False, line_width=2, font_size=3), shown.plot())
    with pytest.raises(ConfigError, match="Did you mean 'alpha'"):
        shown.plot(alhpa=0.3)


def test_plot_writes_a_legend_into_pictures_with_room_for_it() -> None:
    large = result(np.kron(IDS, np.ones((80, 80), np.uint8)))
    changed = (large.plot() != large.plot(legend=False)).any(axis=2)
    assert changed[:100, :150].any()
    assert not changed[100:].any()


@pytest.mark.parametrize("shape", [(2, 4), (2, 4, 1), (2, 4, 4), (2, 4, 13)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_plot_shows_any_image(shape: tuple[int, ...], dtype: type) -> None:
    image = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    assert Results(image, "a.tif", NAMES, semantic_mask=IDS).plot().shape == (2, 4, 3)


def test_save_makes_folders_and_returns_the_name(tmp_path: Path) -> None:
    target = tmp_path / "näh" / "a.png"
    assert result().save(target, legend=False) == str(target)
    picture = cv2.imdecode(np.fromfile(target, np.uint8), cv2.IMREAD_COLOR)
    assert np.array_equal(picture, result().plot(legend=False))
    result().plot(save=True, filename=tmp_path / "b.png")
    assert (tmp_path / "b.png").is_file()
    with pytest.raises(ConfigError, match=r"one of .*\.jpg"):
        result().save(tmp_path / "a.xyz")


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("in/street.png", "results_street.png"),
        ("in/street.heic", "results_street.jpg"),
        ("https://host/street.jpg?size=1", "results_street.jpg"),
        ("rtsp://host:554", "results_host_554.jpg"),
        ("", "results_image.jpg"),
    ],
)
def test_save_names_the_file_after_the_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert result(path=path).save() == name
    assert (tmp_path / name).is_file()


def test_save_mask_and_save_txt_write_ids(tmp_path: Path) -> None:
    for file in (result().save_mask(tmp_path / "ids.png"), result().save_txt(tmp_path / "labels" / "street.txt")):
        assert np.array_equal(cv2.imdecode(np.fromfile(file, np.uint8), cv2.IMREAD_UNCHANGED), IDS)
    assert (tmp_path / "labels" / "street.png").is_file()
    binary = result(np.array([[0, 1]], np.uint8), names=["crack"])
    binary.save_mask(tmp_path / "palette.png", mode="palette")
    shown = cv2.imdecode(np.fromfile(tmp_path / "palette.png", np.uint8), cv2.IMREAD_COLOR)
    assert shown.tolist() == [[[0, 0, 0], list(colors(0, bgr=True))]]


def test_save_crop_says_that_there_are_no_boxes(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    with caplog.at_level(logging.WARNING, logger="ultralytics"):
        result().save_crop(tmp_path)
    assert "boxes" in caplog.text
    assert list(tmp_path.iterdir()) == []


def test_moving_and_indexing_make_new_results() -> None:
    first = result(speed={"inference": 2.0})
    first.save_dir = "runs"
    moved = first.to("cpu")
    assert isinstance(moved.semantic_mask.data, torch.Tensor)
    assert isinstance(first.semantic_mask.data, np.ndarray)
    assert moved.speed["inference"] == 2.0
    assert moved.save_dir == "runs"
    assert len(first) == len(first[0]) == len(list(first)) == 1
    assert len(first[[]]) == 0
    assert first[[]].summary() == []
    with pytest.raises(IndexError):
        first[1]


def test_new_and_update() -> None:
    fresh = result().new()
    assert fresh.semantic_mask is None
    fresh.update(semantic_mask=torch.ones(2, 4, dtype=torch.uint8))
    assert fresh.verbose() == "car 100.0%"
