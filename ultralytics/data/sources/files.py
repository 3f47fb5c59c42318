"""Pictures in files: images, videos, folders, patterns, lists, and images behind web addresses.

What cannot be read is skipped and named; only when nothing at all can be read it is an error. A video ends where its
frames end, whatever its header says.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ultralytics.data.imread import ARRAY_FORMATS, IMG_FORMATS, VID_FORMATS, decode_picture, read_picture
from ultralytics.data.sources.frame import Frame, FrameSource
from ultralytics.data.sources.video import open_video
from ultralytics.data.sources.web import fetch, is_url, shown
from ultralytics.errors import DownloadError, ImageError, MissingFile, SourceError
from ultralytics.utils.files import is_special, read_regular
from ultralytics.utils.log import LOGGER
from ultralytics.utils.patterns import expand, is_pattern

LIST_FORMATS = frozenset({"txt", "csv"})
STILL_FORMATS = IMG_FORMATS | ARRAY_FORMATS
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How files are read.

    Attributes:
        channels: channels of an image, see `read_image`.
        vid_stride: every how manieth frame of a video is taken.
        timeout: seconds to wait for a server.
    """

    channels: int = 3
    vid_stride: int = 1
    timeout: float = 30.0


class Item(Protocol):
    """Something that frames can be read from."""

    @property
    def path(self) -> str:
        """What messages and results call it."""

    def frames(self) -> Iterator[Frame]:
        """Read it; `index` and `total` of the frames are filled in later."""


@dataclass(frozen=True, slots=True)
class ImageFile:
    """An image in a file."""

    path: str
    reading: ReadOptions

    def frames(self) -> Iterator[Frame]:
        """Read the image."""
        image, missing = read_picture(self.path, self.reading.channels)
        yield Frame(path=self.path, image=image, missing=missing)


@dataclass(frozen=True, slots=True)
class ImageAddress:
    """An image behind an http address; it is read into memory."""

    url: str
    reading: ReadOptions

    @property
    def path(self) -> str:
        """The address without a password."""
        return shown(self.url)

    def frames(self) -> Iterator[Frame]:
        """Fetch the image."""
        data = fetch(self.url, timeout=self.reading.timeout)
        image, missing = decode_picture(data, self.reading.channels, name=f"'{self.path}'")
        yield Frame(path=self.path, image=image, missing=missing)


@dataclass(frozen=True, slots=True)
class Video:
    """A video in a file, or behind an http address."""

    location: str
    reading: ReadOptions

    @property
    def path(self) -> str:
        """The file, or the address without a password."""
        return shown(self.location)

    def frames(self) -> Iterator[Frame]:
        """Read frames until there are no more, each upright."""
        number, broken, stride = 0, 0, self.reading.vid_stride
        with open_video(self.location, timeout=self.reading.timeout) as film:
            fps = film.fps(stride)
            for number, image in film.frames(stride=stride, channels=self.reading.channels):
                if image is None:
                    broken += 1
                else:
                    yield Frame(path=self.path, image=image, frame=number, fps=fps)
        if not number:
            raise ImageError(f"'{self.path}' holds no frame that can be decoded.")
        if broken:
            raise ImageError(f"Frames of '{self.path}' that cannot be decoded and are left out: {broken}.")


class ItemSource(FrameSource):
    """Files and arrays, one after the other."""

    def __init__(self, items: Sequence[Item], *, batch: int, ahead: bool = True) -> None:
        super().__init__(len(items), batch=batch, ahead=ahead)
        self.items = items
        self.files = [item.path for item in items]
        self.is_long = any(isinstance(item, Video) for item in items)
        self.count = None if self.is_long else len(items)

    def _frames(self) -> Generator[Frame, None, None]:
        count = 0
        self.skipped.clear()
        for index, item in enumerate(self.items):
            try:
                for frame in item.frames():
                    frame.index, frame.total = index, self.total
                    count += 1
                    yield frame
            except (ImageError, MissingFile, DownloadError) as error:
                self.skipped.append((item.path, str(error)))
                LOGGER.warning(f"Skipped: {error}")
        if not count:
            reasons = "".join(f"\n  {reason}" for _, reason in self.skipped[:_SHOWN])
            more = f"\n  and {len(self.skipped) - _SHOWN} more" if len(self.skipped) > _SHOWN else ""
            raise SourceError(f"Nothing could be read:{reasons}{more}")


def item_of(location: str, reading: ReadOptions) -> Item:
    """Choose how a file or address is read by its suffix.

    Raises:
        SourceError: the suffix is that of no image or video.
    """
    suffix = suffix_of(location)
    if suffix in VID_FORMATS:
        return Video(location, reading)
    if is_url(location):
        return ImageAddress(location, reading)
    if suffix in STILL_FORMATS:
        return ImageFile(location, reading)
    raise SourceError(f"'{location}' is neither an image nor a video by its suffix. {_accepted()}")


def suffix_of(location: str) -> str:
    """Suffix of a path or address in lower case, without the dot and without a query."""
    if is_url(location):
        location = re.split(r"[?#]", location, maxsplit=1)[0]
    return Path(location).suffix[1:].lower()


def files_of(path: Path, reading: ReadOptions) -> list[Item]:
    """List what a file, a folder (not its subfolders), a list file or a pattern stands for.

    Raises:
        MissingFile: there is no such thing.
        SourceError: it holds no image and no video, or is no file.
    """
    if path.is_dir():
        inside = [file for file in path.iterdir() if not file.name.startswith(".")]
        hint = f" Its subfolders are searched by '{path / '**'}'." if any(file.is_dir() for file in inside) else ""
        return _media((str(file) for file in inside if file.is_file()), f"The folder '{path}'", reading, hint)
    if path.is_file():
        if path.suffix[1:].lower() in LIST_FORMATS:
            return _listed(path, reading)
        return [item_of(str(path), reading)]
    if is_special(path):
        raise SourceError(f"'{path}' is a pipe, socket or device. Give a file, a folder or an address.")
    if is_pattern(path):
        found = [str(file) for file in expand(path) if file.is_file()]
        if not found:
            raise MissingFile(f"No file matches the pattern '{path}' (in '{Path.cwd()}').")
        return _media(found, f"What matches '{path}'", reading)
    raise MissingFile(f"'{path}' does not exist (in '{Path.cwd()}'). Give an image, a video, a folder or a pattern.")


def _media(files: Iterable[str], what: str, reading: ReadOptions, hint: str = "") -> list[Item]:
    media = sorted((file for file in files if suffix_of(file) in STILL_FORMATS | VID_FORMATS), key=natural)
    if not media:
        raise SourceError(f"{what} holds no image and no video.{hint} {_accepted()}")
    return [item_of(file, reading) for file in media]


def _listed(path: Path, reading: ReadOptions) -> list[Item]:
    """Read a list: a path or address in each row, or in the first column of a CSV file."""
    rows = read_lines(path)
    if path.suffix.lower() == ".csv":
        rows = [row[0].strip() for row in csv.reader(rows) if row and row[0].strip()]
    if not rows:
        raise SourceError(f"The list '{path}' is empty. Write the path or address of an image or video in each row.")
    located = (row if is_url(row) else _beside(path, row) for row in rows)
    return [item_of(location, reading) for location in located]


def read_lines(path: Path) -> list[str]:
    """Read the rows of a list file, without blank ones and those that begin with `#`.

    Raises:
        SourceError: it is not a text file.
    """
    try:
        text = read_regular(path).decode("utf-8-sig")
    except (UnicodeDecodeError, OSError) as error:
        raise SourceError(f"The list '{path}' cannot be read as text: {error}.") from error
    return [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]


def _beside(path: Path, row: str) -> str:
    """Place a list's entry: beside the list, or else in the working folder; separators may be those of Windows."""
    entry = Path(row).expanduser()
    if "\\" in row and not (entry.exists() or (path.parent / entry).exists()):
        entry = Path(row.replace("\\", "/")).expanduser()
    beside = path.parent / entry
    return str(entry if entry.exists() and not beside.exists() else beside)


def natural(name: str) -> list[tuple[int, str]]:
    """Sort key by which `2.jpg` comes before `10.jpg`."""
    parts = re.split(r"([0-9]+)", name.casefold())
    return [(int(part), "") if place % 2 else (-1, part) for place, part in enumerate(parts)]


def _accepted() -> str:
    stills, videos = (", ".join(sorted(formats)) for formats in (STILL_FORMATS, VID_FORMATS))
    return f"Images end in {stills}; videos in {videos}; lists in txt, csv, streams."
