"""Pictures too large to decode whole: reading any rectangle of a file, and where on Earth its pixels lie.

TIFF is read window by window through rasterio where that is installed, otherwise straight from the mapped file if it
is not compressed; `.npy` is mapped. Every other file has to be decoded whole once. A file is mapped anew for each
window: pages that were touched would otherwise count as this process's memory for as long as the mapping lives.
"""

from __future__ import annotations

import mmap
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from ultralytics.data import tiff
from ultralytics.data.imread import read_image, usual_depth, wrong_channels
from ultralytics.errors import ImageError
from ultralytics.utils.files import is_special
from ultralytics.utils.imports import available

if TYPE_CHECKING:
    from typing_extensions import Self

RASTER_FORMATS = frozenset({"tif", "tiff", "npy"})
"""Suffixes of files that can be read in windows, lower case."""

_TIFF = frozenset({".tif", ".tiff"})
_STRIP_OFFSETS, _STRIP_BYTES, _GEO_KEYS = 273, 279, 34735
CACHE_MB = 64  # GDAL would keep decoded blocks in a twentieth of the machine's memory
_IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
_MOST_COLOURS = 4  # with transparency
_PREVIEW_ROWS = 64

Window = tuple[slice, slice]


@dataclass(frozen=True, slots=True)
class GeoReference:
    """Where the pixels of a raster lie, and which of them are no pixels at all.

    Attributes:
        crs: coordinate system as WKT; None if the file has none.
        crs_name: its short name, such as "EPSG:32633", where it has one; else the WKT.
        transform: (a, b, c, d, e, f) of x = a·column + b·row + c and y = d·column + e·row + f.
        nodata: value of samples that were not measured; None if the file names none.
    """

    crs: str | None = None
    crs_name: str | None = None
    transform: tuple[float, ...] = _IDENTITY
    nodata: float | None = None

    def for_ids(self, num_ids: int) -> GeoReference:
        """Describe a map of ids 0 to `num_ids` - 1 of the same ground, where nodata must not be one of them.

        A value that is none of them and fits the map stays; another becomes 255, or 65535 where ids need 16 bits.
        """
        if self.nodata is None:
            return self
        largest = 255 if num_ids <= 255 else 65535
        fits = self.nodata == self.nodata // 1 and num_ids <= self.nodata <= largest
        return self if fits else replace(self, nodata=float(largest))

    def scaled(self, rows: float, columns: float) -> GeoReference:
        """Describe the same ground with pixels that are so many times as high and wide."""
        a, b, c, d, e, f = self.transform
        return replace(self, transform=(a * columns, b * rows, c, d * columns, e * rows, f))


class Raster(ABC):
    """A picture of which rectangles can be read; close it, or use it in a `with` block.

    Attributes:
        shape: (height, width).
        channels: channels of what `read` returns.
        geo: where it lies; None for an ordinary picture, or where rasterio, which knows, is not installed.
    """

    shape: tuple[int, int]
    channels: int
    geo: GeoReference | None = None

    def read(self, window: Window, step: int = 1) -> np.ndarray:
        """Read a rectangle.

        Args:
            window: rows and columns, within the picture.
            step: take every how manieth row and column.

        Returns:
            (h, w, C) uint8, BGR, for three channels; in any other number uint8, or uint16 for samples of 16 bits.
        """
        return self._picture(self._samples(window, step))

    def preview(self, step: int) -> np.ndarray:
        """Read every `step`-th row and column of the picture, a few rows at a time."""
        height, width = self.shape
        if step == 1:
            return self.read((slice(0, height), slice(0, width)))
        tops = range(0, height, _PREVIEW_ROWS * step)
        bands = [(slice(top, min(top + tops.step, height)), slice(0, width)) for top in tops]
        return np.concatenate([self.read(band, step) for band in bands])

    def missing(self, window: Window) -> np.ndarray | None:
        """Mark the pixels of a rectangle none of whose bands was measured, (h, w) bool; None if there can be none."""
        if self.geo is None or self.geo.nodata is None:
            return None
        marked: np.ndarray = (self._samples(window, 1) == self.geo.nodata).all(axis=2)
        return marked

    def close(self) -> None:  # noqa: B027 - most rasters keep nothing open
        """Release the file."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    @abstractmethod
    def _samples(self, window: Window, step: int) -> np.ndarray:
        """Read the bands of a rectangle in the file's order, (h, w, bands)."""

    def _picture(self, samples: np.ndarray) -> np.ndarray:
        return samples


class ArrayRaster(Raster):
    """A picture that is in memory already.

    Args:
        image: (H, W, C), as `read_image` returns it.
    """

    def __init__(self, image: np.ndarray) -> None:
        self.shape, self.channels = (image.shape[0], image.shape[1]), image.shape[2]
        self._image = image

    def _samples(self, window: Window, step: int) -> np.ndarray:
        return self._image[window][::step, ::step]


class _FileRaster(Raster):
    """Bands in a file, brought to the number of channels that is wanted."""

    def __init__(self, path: Path, shape: tuple[int, int, int], dtype: np.dtype, channels: int, *, rgb: bool) -> None:
        bands = shape[2]
        if dtype not in (np.uint8, np.uint16):
            raise ImageError(
                f"'{path}' holds {dtype} numbers, whose range is unknown. Save it as 8 or 16-bit unsigned integers."
            )
        if bands != channels and (channels not in {1, 3} or bands > _MOST_COLOURS):
            kind = "TIFF" if path.suffix.lower() in _TIFF else "NPY"
            raise ImageError(f"'{path}' {wrong_channels(shape, channels, kind)}")
        self.path, self.shape, self.channels = path, shape[:2], channels
        self._rgb = rgb

    def _picture(self, samples: np.ndarray) -> np.ndarray:
        if self.channels not in {1, 3}:
            return np.ascontiguousarray(samples)
        samples = usual_depth(samples, self.channels)
        if samples.shape[2] in {2, 4}:  # the last one is transparency
            samples = samples[..., :-1]
        if samples.shape[2] == 3 and self._rgb:
            samples = samples[..., ::-1]
        samples = np.ascontiguousarray(samples)
        if samples.shape[2] == self.channels:
            return samples
        code = cv2.COLOR_GRAY2BGR if self.channels == 3 else cv2.COLOR_BGR2GRAY
        return cv2.cvtColor(samples, code).reshape(*samples.shape[:2], self.channels)


class _MappedRaster(_FileRaster):
    """Samples that lie in a file one after the other."""

    def __init__(
        self, path: Path, shape: tuple[int, int, int], dtype: np.dtype, channels: int, *, offset: int, rgb: bool
    ) -> None:
        super().__init__(path, shape, dtype, channels, rgb=rgb)
        self._size, self._dtype, self._offset = shape, dtype, offset

    def _samples(self, window: Window, step: int) -> np.ndarray:
        bands = np.memmap(self.path, self._dtype, mode="r", offset=self._offset, shape=self._size)
        return np.array(bands[window][::step, ::step], dtype=self._dtype.newbyteorder("="))


class _GeoRaster(_FileRaster):
    """A TIFF file that rasterio reads."""

    def __init__(self, path: Path, channels: int) -> None:
        self._dataset = _open_dataset(path)
        count, dtype = self._dataset.count, np.dtype(self._dataset.dtypes[0])
        try:
            super().__init__(path, (*self._dataset.shape, count), dtype, channels, rgb=True)
        except ImageError:
            self._dataset.close()
            raise
        self.geo = _reference_of(self._dataset)

    def _samples(self, window: Window, step: int) -> np.ndarray:
        import rasterio

        rows, columns = window
        size = [len(range(*part.indices(length))) for part, length in zip(window, self.shape, strict=True)]
        shape = (self._dataset.count, *(-(-length // step) for length in size))
        place = ((rows.start, rows.start + size[0]), (columns.start, columns.start + size[1]))
        try:
            with rasterio.Env(GDAL_CACHEMAX=CACHE_MB):
                samples: np.ndarray = self._dataset.read(window=place, out_shape=shape)
        except rasterio.errors.RasterioError as error:
            raise ImageError(f"'{self.path}' cannot be read at row {rows.start}: {error}.") from error
        return samples.transpose(1, 2, 0)

    def close(self) -> None:
        self._dataset.close()


def open_raster(path: str | Path, channels: int = 3) -> Raster:
    """Open a picture to read rectangles of it.

    What is read equals what `read_image` returns, but that transparency does not darken colours. Files other than
    uncompressed TIFF and `.npy` (and, where rasterio is installed, any TIFF) are decoded whole.

    Args:
        path: image file.
        channels: 1, 3, or the number of bands of the file.

    Raises:
        MissingFile: there is no such file.
        ImageError: it is no image, of a type without a defined range, or has other channels.

    Example:
        >>> with open_raster("field.tif") as raster:  # doctest: +SKIP
        ...     corner = raster.read((slice(0, 512), slice(0, 512)))
    """
    path = Path(path)
    if is_special(path):
        raise ImageError(f"'{path}' is a pipe, socket or device, not a file.")
    if path.suffix.lower() == ".npy" and path.is_file():
        return _open_array(path, channels) or ArrayRaster(read_image(path, channels))
    page = _windowable_page(path) if path.suffix.lower() in _TIFF else None
    if page is not None and available("rasterio"):
        return _GeoRaster(path, channels)
    offset = _mapped_offset(page) if page is not None else None
    if page is None or offset is None:
        return ArrayRaster(read_image(path, channels))
    with path.open("rb") as file:
        order = {b"II": "<", b"MM": ">"}[file.read(2)]
    shape = (page.get(tiff.HEIGHT, 0), page.get(tiff.WIDTH, 0), page.get(tiff.SAMPLES, 1))
    dtype = np.dtype(f"{order}u{page.get(tiff.BITS, 8) // 8}")
    return _MappedRaster(path, shape, dtype, channels, offset=offset, rgb=True)


def georeference(path: str | Path, shape: tuple[int, int]) -> GeoReference | None:
    """Read where a picture of (height, width) lies.

    None if its path is no such file, the file does not say, or rasterio is not installed.
    """
    path = Path(path)
    if path.suffix.lower() not in _TIFF or not path.is_file() or not available("rasterio"):
        return None
    try:
        with _open_dataset(path) as dataset:
            return _reference_of(dataset) if dataset.shape == shape else None
    except ImageError:
        return None


def is_georeferenced(path: str | Path) -> bool:
    """Tell whether a file is a GeoTIFF; rasterio is not needed to know."""
    path = Path(path)
    if path.suffix.lower() not in _TIFF or not path.is_file():
        return False
    return any(_GEO_KEYS in page.tags for page in _pages(path))


@contextmanager
def quiet_rasterio() -> Iterator[Any]:
    """Give rasterio, which warns of every picture that has no coordinates; that is no news here."""
    import rasterio

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        yield rasterio


def _open_dataset(path: Path) -> Any:
    with quiet_rasterio() as rasterio:
        try:
            return rasterio.open(path)
        except rasterio.errors.RasterioIOError as error:
            raise ImageError(f"'{path}' cannot be opened: {error}.") from error


def _reference_of(dataset: Any) -> GeoReference | None:
    with quiet_rasterio():
        crs, transform = dataset.crs, tuple(float(value) for value in dataset.transform)[:6]
    if not crs and transform == _IDENTITY and dataset.nodata is None:
        return None
    wkt, name = (crs.to_wkt(), crs.to_string()) if crs else (None, None)
    return GeoReference(wkt, name, transform, dataset.nodata)


def _open_array(path: Path, channels: int) -> Raster | None:
    """Map a `.npy` file; None if it is none or not laid out row by row, which `read_image` deals with."""
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError):
        return None
    if not isinstance(array, np.memmap) or array.ndim not in {2, 3} or not array.flags.c_contiguous:
        return None
    shape = (*array.shape, 1)[:3]
    return _MappedRaster(path, shape, array.dtype, channels, offset=array.offset, rgb=False)


def _pages(path: Path) -> list[tiff.Directory]:
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return tiff.read_directories(data)  # type: ignore[arg-type]
    except (OSError, ValueError):
        return []


def _windowable_page(path: Path) -> tiff.Directory | None:
    """Find the one page of a TIFF whose samples are the picture as it is: upright, no palette, black is 0."""
    pages = [page for page in _pages(path) if not page.is_reduced]
    if len(pages) != 1:
        return None
    page = pages[0]
    plain = page.get(tiff.ORIENTATION, 1) == 1 and page.get(tiff.PHOTOMETRIC, 1) in {1, 2, 6}
    return page if plain and page.get(tiff.BITS, 1) in {8, 16, 32, 64} else None


def _mapped_offset(page: tiff.Directory) -> int | None:
    """Give the position of the first sample if all follow each other, uncompressed and interleaved."""
    offsets, counts = page.tags.get(_STRIP_OFFSETS, ()), page.tags.get(_STRIP_BYTES, ())
    bits, samples = page.get(tiff.BITS, 1), page.get(tiff.SAMPLES, 1)
    plain = page.get(tiff.COMPRESSION, 1) == 1 and page.get(tiff.FORMAT, 1) == 1 and bits in {8, 16}
    interleaved = samples == 1 or page.get(tiff.PLANAR, 1) == 1
    if not offsets or not plain or not interleaved or page.get(tiff.PHOTOMETRIC, 1) == 6:
        return None
    whole = sum(counts) == page.get(tiff.HEIGHT, 0) * page.get(tiff.WIDTH, 0) * samples * bits // 8
    joined = all(begin + count == after for begin, count, after in zip(offsets, counts, offsets[1:], strict=False))
    return offsets[0] if whole and joined else None
