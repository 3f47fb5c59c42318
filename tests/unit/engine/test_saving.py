"""What predictions are written, under which names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from ultralytics.cfg import get_cfg
from ultralytics.data.sources import Frame
from ultralytics.engine.results import Results, SemanticMask
from ultralytics.engine.saving import ResultSaver

NAMES = {0: "road", 1: "car"}


def frame_of(path: str, index: int = 0, **facts: Any) -> Frame:
    return Frame(path=path, image=np.zeros((24, 32, 3), np.uint8), index=index, **facts)


def result_of(frame: Frame) -> Results:
    ids = torch.zeros(24, 32, dtype=torch.uint8)
    ids[:8] = 1
    return Results(frame.image, frame.path, NAMES, semantic_mask=SemanticMask(ids, (24, 32), names=NAMES))


def save(folder: Path | None, frames: list[Frame], **options: Any) -> None:
    with ResultSaver(get_cfg({"save": False, **options}, mode="predict"), folder) as saver:
        for frame in frames:
            saver.save(result_of(frame), frame)


def written(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


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
