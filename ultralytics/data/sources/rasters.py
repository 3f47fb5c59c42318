"""Sources whose pictures need not fit into memory: files are opened to be read in windows instead of being decoded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ultralytics.data.raster import RASTER_FORMATS, ArrayRaster, Raster, open_raster
from ultralytics.data.sources.files import ImageFile, Item, ItemSource, suffix_of
from ultralytics.data.sources.frame import Frame, Source


@dataclass(slots=True, kw_only=True, eq=False)
class RasterFrame(Frame):
    """A picture that is read in windows; it can be read until the next one is asked for.

    Attributes:
        raster: what reads it; `image` stays empty.
    """

    raster: Raster

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width)."""
        return self.raster.shape


@dataclass(frozen=True, slots=True)
class RasterFile:
    """A file that is opened while its frame is in use."""

    path: str
    channels: int

    def frames(self) -> Iterator[Frame]:
        """Open the file."""
        with open_raster(self.path, self.channels) as raster:
            yield RasterFrame(path=self.path, raster=raster)


def windowed(source: Source) -> Source:
    """Let files that can be read in windows be so, one at a time; any other source is returned as it is."""
    if not isinstance(source, ItemSource):
        return source
    return ItemSource([_windowed(item) for item in source.items], batch=1, ahead=False)


def raster_of(frame: Frame) -> Raster:
    """Give the raster of a frame, whatever it comes from."""
    return frame.raster if isinstance(frame, RasterFrame) else ArrayRaster(frame.original(), frame.missing)


def _windowed(item: Item) -> Item:
    if isinstance(item, ImageFile) and suffix_of(item.path) in RASTER_FORMATS:
        return RasterFile(item.path, item.reading.channels)
    return item
