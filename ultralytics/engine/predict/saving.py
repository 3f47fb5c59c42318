"""Writing predictions to the run folder: overlays, class-id maps, videos, tables, polygons. Names never collide."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

import cv2
import numpy as np

from ultralytics.cfg import Config
from ultralytics.data.sources import Frame
from ultralytics.engine.results import Results
from ultralytics.engine.results.base import as_numpy
from ultralytics.utils import LOGGER
from ultralytics.utils.files import write_atomic
from ultralytics.utils.plotting.grids import write_image

_WRITING = frozenset(
    {"save", "visualize", "save_mask", "save_txt", "save_json", "save_csv", "save_geojson", "save_rle", "save_conf"}
)
"""Options that are written for."""


def writes_files(options: Config) -> bool:
    """Tell whether a prediction with these options needs a folder."""
    return any(getattr(options, name) for name in _WRITING)


def drawing(options: Config) -> dict[str, Any]:
    """Return how pictures are drawn, as `Results.plot` takes it."""
    return {
        "alpha": options.alpha,
        "legend": options.show_labels,
        "contours": options.contours,
        "palette": options.palette,
    }


class ResultSaver:
    """Write what the options ask for; videos and tables are closed when the block ends, however it ends.

    Args:
        config: the options of the call (save, save_mask, save_csv …).
        folder: where to write; None writes nothing.
        live: frames of several streams take turns; else a video is whole before the next one begins.
    """

    def __init__(self, config: Config, folder: Path | None, *, live: bool = False) -> None:
        self.args = config
        self.folder = folder
        self._taken: Counter[str] = Counter()
        self._stems: dict[str, str] = {}
        self._live = live
        self._videos: dict[str, cv2.VideoWriter] = {}
        self._table: Table | None = None
        if config.save_crop:
            LOGGER.warning("save_crop cuts out boxes and this model makes none: nothing is written for it.")

    def __enter__(self) -> ResultSaver:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._close_videos()
        if self._table is not None:
            self._table.close()

    def save(self, result: Results, frame: Frame) -> None:
        """Write one result."""
        if self.folder is None:
            return
        name = self._name(frame)
        if self.args.save:
            self._save_overlay(result, frame)
        if self.args.save_mask and result.mask_file is None:
            self._save_mask(result, self.folder / "masks" / name)
        if self.args.save_txt and _is_whole(result):
            result.save_txt(self.folder / "labels" / f"{name}.txt")
        if self.args.save_json:
            write_atomic(self.folder / "json" / f"{name}.json", result.to_json().encode())
        if self.args.save_geojson:
            regions = result.to_geojson(self.args.polygon_simplify, self.args.polygon_min_area)
            write_atomic(self.folder / "geojson" / f"{name}.geojson", regions.encode())
        if self.args.save_rle:
            write_atomic(self.folder / "rle" / f"{name}.json", result.to_rle().encode())
        if self.args.save_csv:
            self._table = self._table or Table(self.folder / "predictions.csv")
            place = {"image": frame.path, "frame": "" if frame.frame is None else frame.frame}
            self._table.add({**place, **row} for row in result.summary())
        if self.args.save_conf and result.semantic_mask is not None:
            for kind in ("confidence", "entropy"):
                if (values := getattr(result.semantic_mask, kind)) is not None:
                    write_image(self.folder / kind / f"{name}.png", grey_levels(as_numpy(values)))

    def save_picture(self, frame: Frame, ending: str, picture: np.ndarray) -> None:
        """Write another (H, W, 3) uint8 BGR picture of a frame, told apart by the ending of its name."""
        if self.folder is not None:
            write_image(self.folder / f"{self._name(frame)}{ending}.jpg", picture)

    def save_vector(self, frame: Frame, vector: np.ndarray) -> None:
        """Write the vector of a frame as `.npy`, if pictures are written."""
        if self.folder is not None and self.args.save:
            buffer = io.BytesIO()
            np.save(buffer, vector)
            write_atomic(self.folder / "vectors" / f"{self._name(frame)}.npy", buffer.getvalue())

    def map_file(self, frame: Frame) -> Path | None:
        """Name the file of a class map that is written while it is made.

        None if none is wanted, or if something else is that takes the whole map.
        """
        options = self.args
        whole = options.save_json or options.save_csv or options.save_geojson or options.save_rle or options.save_conf
        if self.folder is None or not options.save_mask or options.save_mask == "palette" or whole:
            return None
        return self.folder / "masks" / f"{self._name(frame)}.tif"

    def _save_overlay(self, result: Results, frame: Frame) -> None:
        """Write the picture with what was found in it, or the next frame of a video."""
        stem, folder, options = self._stem(frame), self.folder or Path(), drawing(self.args)
        if frame.frame is None:
            result.save(folder / f"{self._name(frame)}.jpg", **options)
        elif self.args.save_frames:
            result.save(folder / f"{stem}_frames" / f"{self._name(frame)}.jpg", **options)
        else:
            self._write_frame(stem, result.plot(**options), frame.fps or 25.0)

    def _save_mask(self, result: Results, path: Path) -> None:
        """Write the class map: with a palette as PNG, else of a GeoTIFF as GeoTIFF."""
        if self.args.save_mask == "palette":
            result.mask_file = result.save_mask(path.with_name(f"{path.name}.png"), "palette", self.args.palette)
        else:
            suffix = ".png" if result.geo is None else ".tif"
            result.mask_file = result.save_mask(path.with_name(f"{path.name}{suffix}"))

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
        if stem not in self._videos:
            if not self._live:
                self._close_videos()
            target = self.folder / f"{stem}.avi"  # type: ignore[operator]
            target.parent.mkdir(parents=True, exist_ok=True)
            height, width = image.shape[:2]
            writer = cv2.VideoWriter(str(target), cv2.VideoWriter.fourcc(*"MJPG"), fps, (width, height))
            if not writer.isOpened():
                raise OSError(f"Cannot write the video '{target}'. Is the folder writable, is there space?")
            self._videos[stem] = writer
        self._videos[stem].write(image)

    def _close_videos(self) -> None:
        while self._videos:
            self._videos.popitem()[1].release()


class Table:
    """A CSV file that grows row by row; its columns are those of the first row, and without rows there is no file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stack = ExitStack()
        self._writer: csv.DictWriter[str] | None = None

    def add(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Write rows."""
        for row in rows:
            if self._writer is None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                file = self._stack.enter_context(self._path.open("w", encoding="utf-8", newline=""))
                self._writer = csv.DictWriter(file, list(row), lineterminator="\n")
                self._writer.writeheader()
            self._writer.writerow(row)

    def close(self) -> None:
        """Close the file."""
        self._stack.close()


def grey_levels(values: np.ndarray) -> np.ndarray:
    """Turn fractions into grey levels 0 to 255; levels stay as they are."""
    return (
        values if values.dtype == np.uint8 else (values.astype(np.float32) * 255).round().clip(0, 255).astype(np.uint8)
    )


def _is_whole(result: Results) -> bool:
    """Tell whether labels can be made of a result: a map that was written while it was made left only a preview."""
    whole = result.semantic_mask is None or result.semantic_mask.shape == result.orig_shape
    if not whole:
        LOGGER.warning(f"The labels of '{result.path}' are not written again: '{result.mask_file}' holds them.")
    return whole
