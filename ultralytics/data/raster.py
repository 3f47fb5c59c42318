"""Pictures too large to decode whole: reading any rectangle of a file.

TIFF is read window by window through rasterio where that is installed, otherwise straight from the mapped file if it
is not compressed; `.npy` is mapped. Every other file has to be decoded whole once. A file is mapped anew for each
window: pages that were touched would otherwise count as this process's memory for as long as the mapping lives.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from ultralytics.data import tiff
from ultralytics.data.georeference import GeoReference, has_mask, open_dataset, reference_of
from ultralytics.data.imread import read_picture, usual_depth, wrong_channels
from ultralytics.data.measured import PLAIN, Picture, as_levels, joined, level_type, span, unmeasured
from ultralytics.errors import ImageError
from ultralytics.utils.files import is_special
from ultralytics.utils.imports import available
from ultralytics.utils.ops.letterbox import Window

if TYPE_CHECKING:
    from typing_extensions import Self

RASTER_FORMATS = frozenset({"tif", "tiff", "npy"})
"""Suffixes of files that can be read in windows, lower case."""

_TIFF = frozenset({".tif", ".tiff"})
_STRIP_OFFSETS, _STRIP_BYTES = 273, 279
CACHE_MB = 64  # GDAL would keep decoded blocks in a twentieth of the machine's memory
_MOST_COLOURS = 4  # with transparency
_PREVIEW_ROWS = 64


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
        return self._part(window, step).image

    def preview(self, step: int) -> np.ndarray:
        """Read every `step`-th row and column of the picture, a few rows at a time."""
        height, width = self.shape
        if step == 1:
            return self.read((slice(0, height), slice(0, width)))
        tops = range(0, height, _PREVIEW_ROWS * step)
        bands = [(slice(top, min(top + tops.step, height)), slice(0, width)) for top in tops]
        return np.concatenate([self.read(band, step) for band in bands])

    def measured(self, window: Window) -> np.ndarray:
        """Read a rectangle with grey where nothing was measured, which is what a network sees."""
        return self._part(window, 1).filled

    def missing(self, window: Window) -> np.ndarray | None:
        """Mark the pixels of a rectangle that were not measured, (h, w) bool; None if all were. See `measured.py`."""
        return self._part(window, 1).missing

    def close(self) -> None:  # noqa: B027 - most rasters keep nothing open
        """Release the file."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    @abstractmethod
    def _part(self, window: Window, step: int) -> Picture:
        """Read a rectangle and what is missing of it."""


class ArrayRaster(Raster):
    """A picture that is in memory already.

    Args:
        image: (H, W, C), as `read_picture` returns it.
        missing: (H, W) bool, true where nothing was measured; None if everything was.
    """

    def __init__(self, image: np.ndarray, missing: np.ndarray | None = None) -> None:
        self.shape, self.channels = (image.shape[0], image.shape[1]), image.shape[2]
        self._image, self._missing = image, missing

    def _part(self, window: Window, step: int) -> Picture:
        missing = None if self._missing is None else self._missing[window][::step, ::step]
        return Picture(self._image[window][::step, ::step], joined(missing))


class _FileRaster(Raster):
    """Bands in a file, brought to the number of channels that is wanted.

    Args:
        path: the file.
        shape: (height, width, bands).
        dtype: type of the samples.
        channels: channels wanted.
        rgb: whether three bands are red, green, blue; else the other way round.
        alpha: whether the last band is the opacity.
        nodata: value of samples that were not measured.
    """

    def __init__(
        self,
        path: Path,
        shape: tuple[int, int, int],
        dtype: np.dtype,
        channels: int,
        *,
        rgb: bool,
        alpha: bool = False,
        nodata: float | None = None,
    ) -> None:
        bands = shape[2]
        self._alpha = alpha and bands != channels
        fits = bands == channels or bands - self._alpha == channels
        if not fits and (channels not in {1, 3} or bands > _MOST_COLOURS):
            kind = "TIFF" if path.suffix.lower() in _TIFF else "NPY"
            raise ImageError(f"'{path}' {wrong_channels(shape, channels, kind)}")
        self.path, self.shape, self.channels = path, shape[:2], channels
        self._rgb, self._nodata, self._is_fractional = rgb, nodata, dtype.kind == "f"
        self._depth = dtype.newbyteorder("=")
        if self._depth not in PLAIN:
            try:
                self._depth = self._find_depth(self._depth)
            except ImageError as error:
                raise ImageError(f"'{path}' {error}") from error

    _masked = False
    """Whether a mask of its own tells which pixels were measured."""

    @abstractmethod
    def _samples(self, window: Window, step: int) -> np.ndarray:
        """Read the bands of a rectangle in the file's order, (h, w, bands)."""

    def missing(self, window: Window) -> np.ndarray | None:
        """Mark the pixels of a rectangle that were not measured; nothing is read where the file cannot tell."""
        tells = self._alpha or self._masked or self._nodata is not None or self._is_fractional
        return super().missing(window) if tells else None

    def _left_out(self, window: Window, step: int) -> np.ndarray | None:
        """Mark the pixels that a mask leaves out."""
        return None

    def _bands(self, window: Window, step: int) -> tuple[np.ndarray, np.ndarray | None]:
        samples, transparent = self._samples(window, step), None
        if self._alpha:
            samples, transparent = samples[..., :-1], samples[..., -1] == 0
        return samples, joined(unmeasured(samples, self._nodata), transparent, self._left_out(window, step))

    def _find_depth(self, dtype: np.dtype) -> np.dtype:
        """Read all of a file whose type does not tell how far its levels reach, a few rows at a time."""
        height, width = self.shape
        spans = [
            span(*self._bands((slice(top, min(top + _PREVIEW_ROWS, height)), slice(0, width)), 1))
            for top in range(0, height, _PREVIEW_ROWS)
        ]
        lows, highs, whole = zip(*spans, strict=True)
        return level_type(dtype, min(lows), max(highs), self.channels, whole=all(whole))

    def _part(self, window: Window, step: int) -> Picture:
        samples, missing = self._bands(window, step)
        return Picture(self._picture(as_levels(samples, missing, self._depth)), missing)

    def _picture(self, samples: np.ndarray) -> np.ndarray:
        if self.channels not in {1, 3}:
            return np.ascontiguousarray(samples)
        samples = usual_depth(samples, self.channels)
        if samples.shape[2] in {2, 4}:  # the last one has no meaning
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
        self, path: Path, shape: tuple[int, int, int], dtype: np.dtype, channels: int, *, offset: int, **bands: Any
    ) -> None:
        self._size, self._dtype, self._offset = shape, dtype, offset
        super().__init__(path, shape, dtype, channels, **bands)

    def _samples(self, window: Window, step: int) -> np.ndarray:
        bands = np.memmap(self.path, self._dtype, mode="r", offset=self._offset, shape=self._size)
        return np.array(bands[window][::step, ::step], dtype=self._dtype.newbyteorder("="))


class _GeoRaster(_FileRaster):
    """A TIFF file that rasterio reads."""

    def __init__(self, path: Path, channels: int) -> None:
        self._dataset = open_dataset(path)
        count, dtype = self._dataset.count, np.dtype(self._dataset.dtypes[0])
        self._masked = has_mask(self._dataset)
        self.shape = self._dataset.shape
        alpha = count > 1 and self._dataset.colorinterp[-1].name == "alpha"
        nodata = self._dataset.nodata
        try:
            super().__init__(path, (*self.shape, count), dtype, channels, rgb=True, alpha=alpha, nodata=nodata)
        except ImageError:
            self._dataset.close()
            raise
        self.geo = reference_of(self._dataset)

    def _samples(self, window: Window, step: int) -> np.ndarray:
        return self._read(self._dataset.read, window, step).transpose(1, 2, 0)

    def _left_out(self, window: Window, step: int) -> np.ndarray | None:
        return self._read(partial(self._dataset.read_masks, [1]), window, step)[0] == 0 if self._masked else None

    def _read(self, read: Callable[..., np.ndarray], window: Window, step: int) -> np.ndarray:
        import rasterio

        rows, columns = window
        size = [len(range(*part.indices(length))) for part, length in zip(window, self.shape, strict=True)]
        count = 1 if isinstance(read, partial) else self._dataset.count
        shape = (count, *(-(-length // step) for length in size))
        place = ((rows.start, rows.start + size[0]), (columns.start, columns.start + size[1]))
        try:
            with rasterio.Env(GDAL_CACHEMAX=CACHE_MB):
                return read(window=place, out_shape=shape)
        except rasterio.errors.RasterioError as error:
            raise ImageError(f"'{self.path}' cannot be read at row {rows.start}: {error}.") from error

    def close(self) -> None:
        self._dataset.close()


def open_raster(path: str | Path, channels: int = 3) -> Raster:
    """Open a picture to read rectangles of it.

    What is read equals what `read_picture` returns. Files other than uncompressed TIFF and `.npy` (and, where rasterio
    is installed, any TIFF) are decoded whole.

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
        return _open_array(path, channels) or ArrayRaster(*read_picture(path, channels))
    page = _windowable_page(path) if path.suffix.lower() in _TIFF else None
    if page is not None and available("rasterio"):
        return _GeoRaster(path, channels)
    offset = _mapped_offset(page) if page is not None and not tiff.mask_beside(path) else None
    if page is None or offset is None or any(page.is_mask for page in tiff.pages_of(path)):
        return ArrayRaster(*read_picture(path, channels))
    with path.open("rb") as file:
        order = {b"II": "<", b"MM": ">"}[file.read(2)]
    shape = (page.get(tiff.HEIGHT, 0), page.get(tiff.WIDTH, 0), page.get(tiff.SAMPLES, 1))
    dtype = np.dtype(f"{order}u{page.get(tiff.BITS, 8) // 8}")
    bands = {"rgb": True, "alpha": page.has_alpha, "nodata": page.nodata}
    return _MappedRaster(path, shape, dtype, channels, offset=offset, **bands)


def _open_array(path: Path, channels: int) -> Raster | None:
    """Map a `.npy` file; None if it is none or not laid out row by row, which `read_image` deals with."""
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError):
        return None
    if not isinstance(array, np.memmap) or array.ndim not in {2, 3} or not array.flags.c_contiguous:
        return None
    shape = (*array.shape, 1)[:3]
    alpha = channels in {1, 3} and shape[2] in {2, 4}  # as for arrays in memory
    return _MappedRaster(path, shape, array.dtype, channels, offset=array.offset, rgb=False, alpha=alpha)


def _windowable_page(path: Path) -> tiff.Directory | None:
    """Find the one page of a TIFF whose samples are the picture as it is: upright, no palette, black is 0."""
    pages = [page for page in tiff.pages_of(path) if not page.is_reduced]
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
