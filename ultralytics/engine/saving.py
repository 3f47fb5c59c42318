"""Writing predictions to the run folder: overlays, class-id maps, videos. Names never collide."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np

from ultralytics.cfg import Config
from ultralytics.data.sources import Frame
from ultralytics.engine.results import Results
from ultralytics.utils import LOGGER


class ResultSaver:
    """Write what the options ask for; videos are closed when the block ends, however it ends.

    Args:
        config: the options of the call (save, save_mask, save_txt, save_frames …).
        folder: where to write; None writes nothing.
    """

    def __init__(self, config: Config, folder: Path | None) -> None:
        self.args = config
        self.folder = folder
        self._taken: Counter[str] = Counter()
        self._stems: dict[str, str] = {}
        self._video: tuple[str, cv2.VideoWriter] | None = None

    def __enter__(self) -> ResultSaver:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._close_video()

    def save(self, result: Results, frame: Frame) -> None:
        """Write one result."""
        if self.folder is None:
            return
        stem, name = self._stem(frame), self._name(frame)
        moving = frame.frame is not None
        if self.args.save:
            if moving and not self.args.save_frames:
                self._write_frame(stem, result.plot(), frame.fps or 25.0)
            else:
                folder = self.folder / f"{stem}_frames" if moving else self.folder
                result.save(folder / f"{name}.jpg")
        if self.args.save_mask and result.mask_file is None:
            suffix = ".png" if result.geo is None else ".tif"
            result.mask_file = result.save_mask(self.folder / "masks" / f"{name}{suffix}")
        if self.args.save_txt and _is_whole(result):
            result.save_txt(self.folder / "labels" / f"{name}.txt")

    def map_file(self, frame: Frame) -> Path | None:
        """Name the file of a class map that is written while it is made; None if none is wanted."""
        if self.folder is None or not self.args.save_mask:
            return None
        return self.folder / "masks" / f"{self._name(frame)}.tif"

    def _name(self, frame: Frame) -> str:
        """Name of one picture's files; the frames of a video are numbered."""
        stem = self._stem(frame)
        return stem if frame.frame is None else f"{stem}_{frame.frame}"

    def _stem(self, frame: Frame) -> str:
        """Name of a source's files: its stem, numbered when another source has the same."""
        source = str(frame.path) if frame.frame is not None else f"{frame.path}#{frame.index}"
        if source not in self._stems:
            stem = Path(frame.path).stem or "image"
            self._taken[stem] += 1
            self._stems[source] = stem if self._taken[stem] == 1 else f"{stem}-{self._taken[stem]}"
        return self._stems[source]

    def _write_frame(self, stem: str, image: np.ndarray, fps: float) -> None:
        if self._video is None or self._video[0] != stem:
            self._close_video()
            target = self.folder / f"{stem}.avi"  # type: ignore[operator]
            target.parent.mkdir(parents=True, exist_ok=True)
            height, width = image.shape[:2]
            writer = cv2.VideoWriter(str(target), cv2.VideoWriter.fourcc(*"MJPG"), fps, (width, height))
            if not writer.isOpened():
                raise OSError(f"Cannot write the video '{target}'. Is the folder writable, is there space?")
            self._video = (stem, writer)
        self._video[1].write(image)

    def _close_video(self) -> None:
        if self._video is not None:
            self._video[1].release()
            self._video = None


def _is_whole(result: Results) -> bool:
    """Tell whether labels can be made of a result: a map that was written while it was made left only a preview."""
    whole = result.semantic_mask is None or result.semantic_mask.shape == result.orig_shape
    if not whole:
        LOGGER.warning(f"The labels of '{result.path}' are not written again: '{result.mask_file}' holds them.")
    return whole
