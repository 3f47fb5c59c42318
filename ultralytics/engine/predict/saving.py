"""Writing predictions to the run folder: overlays, class-id maps, videos, tables, polygons. Names never collide."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
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
from ultralytics.utils.output_names import Manifest, OutputNames, wanted_names
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
        files: paths of the sources, where they are known: those of equal stems are told apart by their folders.
    """

    def __init__(self, config: Config, folder: Path | None, *, live: bool = False, files: Sequence[str] = ()) -> None:
        self.args = config
        self.folder = folder
        self._names = OutputNames(("_cam",) if config.visualize else ())
        self._wanted = wanted_names(files)
        self._manifest = Manifest(folder) if folder is not None else None
        self._live = live
        self._videos: dict[str, VideoFile] = {}
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
        """Write one result, and note its files."""
        if self.folder is not None:
            self._note(frame, self._write(result, frame, self.folder))

    def _write(self, result: Results, frame: Frame, folder: Path) -> Iterator[Path]:
        """Write what is asked for, and yield each file."""
        name = self._name(frame)
        if self.args.save:
            yield self._save_overlay(result, frame)
        if self.args.save_mask and result.mask_file is None:
            self._save_mask(result, folder / "masks" / name)
        if result.mask_file is not None:
            yield Path(result.mask_file)
        if self.args.save_txt and _is_whole(result):
            yield Path(result.save_txt(folder / "labels" / f"{name}.txt"))
        for wanted, kind, text in (
            (self.args.save_json, "json/{}.json", result.to_json),
            (self.args.save_geojson, "geojson/{}.geojson", self._regions(result)),
            (self.args.save_rle, "rle/{}.json", result.to_rle),
        ):
            if wanted:
                file = folder / kind.format(name)
                write_atomic(file, text().encode())
                yield file
        if self.args.save_csv:
            self._table = self._table or Table(folder / "predictions.csv")
            place = {"image": frame.path, "frame": "" if frame.frame is None else frame.frame}
            self._table.add({**place, **row} for row in result.summary())
        if self.args.save_conf and result.semantic_mask is not None:
            for kind in ("confidence", "entropy"):
                if (values := getattr(result.semantic_mask, kind)) is not None:
                    file = folder / kind / f"{name}.png"
                    write_image(file, grey_levels(as_numpy(values)))
                    yield file

    def _regions(self, result: Results) -> Callable[[], str]:
        return partial(result.to_geojson, self.args.polygon_simplify, self.args.polygon_min_area)

    def save_picture(self, frame: Frame, ending: str, picture: np.ndarray) -> None:
        """Write another (H, W, 3) uint8 BGR picture of a frame, told apart by the ending of its name."""
        if self.folder is not None:
            file = self.folder / f"{self._name(frame)}{ending}.jpg"
            write_image(file, picture)
            self._note(frame, [file])

    def save_vector(self, frame: Frame, vector: np.ndarray) -> None:
        """Write the vector of a frame as `.npy`, if pictures are written."""
        if self.folder is not None and self.args.save:
            buffer = io.BytesIO()
            np.save(buffer, vector)
            file = self.folder / "vectors" / f"{self._name(frame)}.npy"
            write_atomic(file, buffer.getvalue())
            self._note(frame, [file])

    def _note(self, frame: Frame, files: Iterable[Path]) -> None:
        """Write which files were made of a frame; those of a video's frames are noted with their number."""
        facts = {} if frame.frame is None else {"frame": frame.frame}
        if self._manifest is not None:
            self._manifest.add(frame.path, files, **facts)

    def map_file(self, frame: Frame) -> Path | None:
        """Name the file of a class map that is written while it is made.

        None if none is wanted, or if something else is that takes the whole map.
        """
        options = self.args
        whole = options.save_json or options.save_csv or options.save_geojson or options.save_rle or options.save_conf
        if self.folder is None or not options.save_mask or options.save_mask == "palette" or whole:
            return None
        return self.folder / "masks" / f"{self._name(frame)}.tif"

    def _save_overlay(self, result: Results, frame: Frame) -> Path:
        """Write the picture with what was found in it, or the next frame of a video."""
        stem, folder, options = self._stem(frame), self.folder or Path(), drawing(self.args)
        if frame.frame is None:
            return Path(result.save(folder / f"{self._name(frame)}.jpg", **options))
        if self.args.save_frames:
            return Path(result.save(folder / f"{stem}_frames" / f"{self._name(frame)}.jpg", **options))
        return self._write_frame(stem, result.plot(**options), frame.fps or 25.0)

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
        """Name of a source's files; no other source has it."""
        known = frame.index < len(self._wanted)
        wanted = self._wanted[frame.index] if known else wanted_names([frame.path])[0]
        give = self._names.name if frame.frame is None else self._names.series
        return give(f"{frame.path}#{frame.index}", wanted)

    def _write_frame(self, stem: str, image: np.ndarray, fps: float) -> Path:
        target = (self.folder or Path()) / f"{stem}.avi"
        if stem not in self._videos:
            if not self._live:
                self._close_videos()
            self._videos[stem] = VideoFile(target, fps, (image.shape[1], image.shape[0]))
        self._videos[stem].write(image)
        return target

    def _close_videos(self) -> None:
        while self._videos:
            self._videos.popitem()[1].close()


class VideoFile:
    """A video that grows frame by frame; whatever its name holds is a name, and no pattern of numbered images.

    Args:
        path: file to write.
        fps: frames per second.
        size: (width, height).

    Raises:
        OSError: the file cannot be written.
    """

    def __init__(self, path: Path, fps: float, size: tuple[int, int]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"MJPG"), fps, size)
        if not self._writer.isOpened():
            raise OSError(f"Cannot write the video '{path}'. Is the folder writable, is there space?")

    def write(self, image: np.ndarray) -> None:
        """Append a frame, (H, W, 3) uint8 BGR."""
        self._writer.write(image)

    def close(self) -> None:
        """Finish the file."""
        self._writer.release()


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
