"""What predictions are written, under which names."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from ultralytics.cfg import OPTIONS, get_cfg
from ultralytics.data.sources import Frame
from ultralytics.engine.predict.saving import ResultSaver, writes_files
from ultralytics.engine.results import Results, SemanticMask
from ultralytics.errors import ConfigError
from ultralytics.utils.ops.masks import rle_decode
from ultralytics.utils.output_names import MANIFEST, read_manifest
from ultralytics.utils.plotting.colors import CITYSCAPES, resolve_palette

NAMES = {0: "road", 1: "car"}


def frame_of(path: str, index: int = 0, **facts: Any) -> Frame:
    return Frame(path=path, image=np.zeros((24, 32, 3), np.uint8), index=index, **facts)


def result_of(frame: Frame) -> Results:
    ids = torch.zeros(24, 32, dtype=torch.uint8)
    ids[:8] = 1
    sure = torch.full((24, 32), 0.75, dtype=torch.float16)
    mask = SemanticMask(ids, (24, 32), names=NAMES, confidence=sure, entropy=sure / 3)
    return Results(frame.image, frame.path, NAMES, semantic_mask=mask)


def save(folder: Path | None, frames: list[Frame], **options: Any) -> None:
    with ResultSaver(get_cfg({"save": False, **options}, mode="predict"), folder) as saver:
        for frame in frames:
            saver.save(result_of(frame), frame)


def written(folder: Path) -> list[str]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != MANIFEST)
    return sorted(path.relative_to(folder).as_posix() for path in files)


def test_nothing_is_written_unasked(tmp_path: Path) -> None:
    save(tmp_path / "run", [frame_of("a.png")])
    save(None, [frame_of("a.png")], save=True)
    assert list(tmp_path.iterdir()) == []


def test_pictures_of_one_name_do_not_overwrite_each_other(tmp_path: Path) -> None:
    frames = [frame_of("x/a.png", 0), frame_of("y/a.jpg", 1), frame_of("x/a.png", 2)]
    save(tmp_path, frames, save=True, save_mask=True)
    assert written(tmp_path) == ["a-2.jpg", "a-3.jpg", "a.jpg", "masks/a-2.png", "masks/a-3.png", "masks/a.png"]
    ids = cv2.imread(str(tmp_path / "masks" / "a.png"), cv2.IMREAD_UNCHANGED)
    assert np.bincount(ids.ravel()).tolist() == [16 * 32, 8 * 32]


def test_the_manifest_tells_which_file_is_of_which_source(tmp_path: Path) -> None:
    frames = [frame_of("x/a.png", 0), frame_of("y/a.jpg", 1), frame_of("c.mp4", 2, frame=1, fps=10.0)]
    save(tmp_path, frames, save=True, save_mask=True)
    assert read_manifest(tmp_path) == [
        {"source": "x/a.png", "files": ["a.jpg", "masks/a.png"]},
        {"source": "y/a.jpg", "files": ["a-2.jpg", "masks/a-2.png"]},
        {"source": "c.mp4", "frame": 1, "files": ["c.avi", "masks/c_1.png"]},
    ]


@pytest.mark.parametrize("name", ["50 %d [x]#ä", "plain"])
def test_a_video_is_written_under_any_name(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    save(folder, [frame_of(f"{name}/{name}.mp4", frame=i, fps=10.0) for i in range(3)], save=True)
    assert written(folder) == [f"{name}.avi"]
    assert (folder / f"{name}.avi").stat().st_size > 1000


def test_frames_of_a_video_become_a_video(tmp_path: Path) -> None:
    save(tmp_path, [frame_of("clip.mp4", frame=i, fps=10.0) for i in range(5)], save=True)
    assert written(tmp_path) == ["clip.avi"]
    capture = cv2.VideoCapture(str(tmp_path / "clip.avi"))
    assert (capture.get(cv2.CAP_PROP_FRAME_COUNT), capture.get(cv2.CAP_PROP_FPS)) == (5, 10)
    capture.release()


def test_frames_one_by_one_and_videos_in_turn(tmp_path: Path) -> None:
    frames = [frame_of(name, index, frame=i) for index, name in enumerate(("a/v.mp4", "b/v.mp4")) for i in range(2)]
    save(tmp_path, frames, save=True, save_frames=True)
    assert written(tmp_path) == [
        "v-2_frames/v-2_0.jpg", "v-2_frames/v-2_1.jpg", "v_frames/v_0.jpg", "v_frames/v_1.jpg"
    ]  # fmt: skip


def test_streams_that_take_turns_become_a_video_each(tmp_path: Path) -> None:
    with ResultSaver(get_cfg({"save": True}, mode="predict"), tmp_path, live=True) as saver:
        for number in range(4):
            for index in range(2):
                frame = frame_of(f"rtsp://host{index}/live", index, frame=number, fps=5.0)
                saver.save(result_of(frame), frame)
    assert written(tmp_path) == ["live-2.avi", "live.avi"]
    for name in written(tmp_path):
        capture = cv2.VideoCapture(str(tmp_path / name))
        assert capture.get(cv2.CAP_PROP_FRAME_COUNT) == 4
        capture.release()


def test_a_video_is_whole_also_after_an_error(tmp_path: Path) -> None:
    def fail() -> None:
        with ResultSaver(get_cfg({"save": True}, mode="predict"), tmp_path) as saver:
            for i in range(3):
                frame = frame_of("clip.mp4", frame=i, fps=5.0)
                saver.save(result_of(frame), frame)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    capture = cv2.VideoCapture(str(tmp_path / "clip.avi"))
    assert capture.get(cv2.CAP_PROP_FRAME_COUNT) == 3
    capture.release()


def test_each_output_has_its_option(tmp_path: Path) -> None:
    expected = {
        "save_mask": "masks/a.png", "save_txt": "labels/a.png", "save_json": "json/a.json",
        "save_geojson": "geojson/a.geojson", "save_csv": "predictions.csv", "save_rle": "rle/a.json",
    }  # fmt: skip
    for option, file in expected.items():
        assert writes_files(get_cfg({option: True, "save": False}, mode="predict"))
        save(tmp_path / option, [frame_of("a.png")], **{option: True})
        assert written(tmp_path / option) == [file]
    assert not writes_files(get_cfg(mode="predict"))
    rows = json.loads((tmp_path / "save_json" / "json" / "a.json").read_text(encoding="utf-8"))
    assert [(row["name"], row["pixels"], row["confidence"]) for row in rows] == [
        ("road", 512, 0.75),
        ("car", 256, 0.75),
    ]
    regions = json.loads((tmp_path / "save_geojson" / "geojson" / "a.geojson").read_text(encoding="utf-8"))
    assert [one["properties"]["name"] for one in regions["features"]] == ["road", "car"]
    areas = json.loads((tmp_path / "save_rle" / "rle" / "a.json").read_text(encoding="utf-8"))
    assert [(one["category"], one["area"], one["segmentation"]["size"]) for one in areas] == [
        ("road", 512, [24, 32]),
        ("car", 256, [24, 32]),
    ]
    car = areas[1]["segmentation"]
    assert rle_decode(car).sum() == 256
    assert rle_decode(car)[:8].all()


def test_a_map_with_a_palette_shows_its_colours_and_keeps_its_ids(tmp_path: Path) -> None:
    save(tmp_path, [frame_of("a.tif")], save_mask="palette", palette="cityscapes")
    with Image.open(tmp_path / "masks" / "a.png") as image:
        assert np.unique(np.asarray(image)).tolist() == [0, 1]
        assert image.convert("RGB").getpixel((0, 20)) == tuple(CITYSCAPES[0])
    saver = ResultSaver(get_cfg({"save_mask": "palette"}, mode="predict"), tmp_path)
    assert saver.map_file(frame_of("a.tif")) is None  # in parts a map is written as ids


def test_polygons_can_be_coarse_and_without_specks(tmp_path: Path) -> None:
    frame = frame_of("a.png")
    ids = torch.zeros(24, 32, dtype=torch.uint8)
    ids[4:14, 4:14] = 1
    ids[13, 13] = 0  # a notch
    ids[20, 20] = 1  # a speck
    result = Results(frame.image, frame.path, NAMES, semantic_mask=SemanticMask(ids, (24, 32), names=NAMES))

    def cars(**options: Any) -> list[int]:
        with ResultSaver(get_cfg({"save_geojson": True, **options}, mode="predict"), tmp_path) as saver:
            saver.save(result, frame)
        regions = json.loads(max(tmp_path.rglob("*.geojson")).read_text(encoding="utf-8"))["features"]
        return [len(one["geometry"]["coordinates"][0]) for one in regions if one["properties"]["name"] == "car"]

    assert sorted(cars()) == [5, 7]
    assert cars(polygon_simplify=2.0, polygon_min_area=2.0) == [5]


def test_the_picture_is_drawn_as_the_options_say(tmp_path: Path) -> None:
    pictures = []
    for number, options in enumerate(({}, {"alpha": 1.0}, {"contours": True}, {"palette": "cityscapes"})):
        save(tmp_path / str(number), [frame_of("a.png")], save=True, show_labels=False, **options)
        pictures.append(cv2.imread(str(tmp_path / str(number) / "a.jpg")).astype(int))
    plain, strong, lined, other = pictures
    assert strong.sum() > 1.5 * plain.sum()
    assert abs(lined - plain)[6:10].max() > 30
    assert abs(lined - plain)[16:].max() < 30
    assert abs(other - plain).max() > 30


def test_a_table_has_a_row_for_each_class_of_each_picture(tmp_path: Path) -> None:
    save(tmp_path, [frame_of("ä,b.png", 0), frame_of("clip.mp4", 1, frame=7)], save_csv=True)
    with (tmp_path / "predictions.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["image"], row["frame"], row["name"], row["pixels"]) for row in rows] == [
        ("ä,b.png", "", "road", "512"), ("ä,b.png", "", "car", "256"),
        ("clip.mp4", "7", "road", "512"), ("clip.mp4", "7", "car", "256"),
    ]  # fmt: skip


def test_confidence_and_entropy_become_grey_levels(tmp_path: Path) -> None:
    save(tmp_path, [frame_of("a.png")], save_conf=True)
    assert written(tmp_path) == ["confidence/a.png", "entropy/a.png"]
    levels = [cv2.imread(str(tmp_path / kind / "a.png"), cv2.IMREAD_UNCHANGED) for kind in ("confidence", "entropy")]
    assert [np.unique(level).tolist() for level in levels] == [[191], [64]]


def test_what_takes_the_whole_map_keeps_it_from_being_written_in_parts(tmp_path: Path) -> None:
    for option, expected in ((None, "masks/field.tif"), ("save_geojson", None), ("save_csv", None)):
        options = {"save_mask": True, **({option: True} if option else {})}
        saver = ResultSaver(get_cfg(options, mode="predict"), tmp_path)
        file = saver.map_file(frame_of("field.tif"))
        assert file == (tmp_path / expected if expected else None)


def test_the_legend_can_be_left_out(tmp_path: Path) -> None:
    big = Frame(path="a.png", image=np.zeros((200, 300, 3), np.uint8))
    result = Results(big.image, big.path, NAMES, semantic_mask=np.zeros((200, 300), np.uint8))
    for labels in (True, False):
        with ResultSaver(
            get_cfg({"save": True, "show_labels": labels}, mode="predict"), tmp_path / str(labels)
        ) as saver:
            saver.save(result, big)
    shown, hidden = (cv2.imread(str(tmp_path / name / "a.jpg")) for name in ("True", "False"))
    assert hidden.std(axis=(0, 1)).max() == 0
    assert shown.std(axis=(0, 1)).max() > 0


def test_the_palettes_that_are_offered_are_those_that_are_known() -> None:
    for name in OPTIONS["palette"].choices:
        assert resolve_palette(name, 3).shape == (3, 3)
    with pytest.raises(ConfigError, match=f"Known: {', '.join(sorted(OPTIONS['palette'].choices))}"):
        resolve_palette("no such palette", 3)
