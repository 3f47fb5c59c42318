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
        stem = self._stem(frame)
        moving = frame.frame is not None
        name = f"{stem}_{frame.frame}" if moving else stem
        if self.args.save:
            if moving and not self.args.save_frames:
                self._write_frame(stem, result.plot(), frame.fps or 25.0)
            else:
                folder = self.folder / f"{stem}_frames" if moving else self.folder
                result.save(folder / f"{name}.jpg")
        if self.args.save_mask:
            result.save_mask(self.folder / "masks" / f"{name}.png")
        if self.args.save_txt:
            result.save_txt(self.folder / "labels" / f"{name}.txt")

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
