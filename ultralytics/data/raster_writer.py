"""Writing a class map of any size from top to bottom, a few rows in memory at a time.

A map with a place on Earth becomes a tiled GeoTIFF, which needs rasterio. Any other becomes a plain TIFF of deflated
strips, written here: a header, the strips as they come, and at the end the directory that says where they are. A map
that may exceed 4 GiB becomes a BigTIFF.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ultralytics.data import tiff
from ultralytics.data.georeference import GeoReference, quiet_rasterio
from ultralytics.data.raster import CACHE_MB
from ultralytics.errors import ImageError
from ultralytics.utils.files import replacing
from ultralytics.utils.imports import require

_BLOCK = 256  # rows of a strip, rows and columns of a tile
_CLASSIC_LIMIT = 1 << 32
_STRIP_OFFSETS, _ROWS_PER_STRIP, _STRIP_BYTES = 273, 278, 279
_DEFLATE, _BLACK_IS_ZERO, _UNSIGNED = 8, 1, 1
_LONG, _LONG8 = (4, "I"), (16, "Q")


@contextmanager
def writing_raster(
    path: str | Path, shape: tuple[int, int], dtype: Any = np.uint8, *, geo: GeoReference | None = None
) -> Iterator[RasterWriter]:
    """Open a TIFF file to be written row by row; it takes its name when the block ends, or vanishes with an error.

    Args:
        path: file to write, ending in .tif or .tiff.
        shape: (height, width) of the map.
        dtype: uint8 or uint16.
        geo: where the map lies; None for a plain TIFF.

    Raises:
        ImageError: ending or type is another one, or more or fewer rows were written than the map has.
        MissingDependency: there is a place to record and rasterio is not installed.

    Example:
        >>> with writing_raster("map.tif", (512, 600)) as writer:  # doctest: +SKIP
        ...     writer.write(np.zeros((512, 600), np.uint8))
    """
    path, dtype = Path(path), np.dtype(dtype)
    if path.suffix.lower() not in {".tif", ".tiff"}:
        raise ImageError(f"'{path}' would not be a TIFF file. Use a file name that ends in .tif.")
    if dtype not in (np.uint8, np.uint16):
        raise ImageError(f"A map of {dtype} is given; uint8 or uint16 is written.")
    with replacing(path) as file:
        blocks: _Blocks = _PlainTiff(file, shape, dtype) if geo is None else _GeoTiff(file, shape, dtype, geo)
        with closing(blocks):
            writer = RasterWriter(blocks, shape, dtype, name=str(path))
            yield writer
            writer.finish()


class RasterWriter:
    """Gathers rows to whole blocks; made by `writing_raster`."""

    def __init__(self, blocks: _Blocks, shape: tuple[int, int], dtype: np.dtype, *, name: str) -> None:
        self.shape, self.dtype, self.name = shape, dtype, name
        self._blocks = blocks
        self._waiting = np.empty((0, shape[1]), dtype)
        self._written = 0

    def write(self, rows: np.ndarray) -> None:
        """Write the next (n, W) rows."""
        self._waiting = np.concatenate([self._waiting, rows.astype(self.dtype)])
        self._write(len(self._waiting) - len(self._waiting) % _BLOCK)

    def finish(self) -> None:
        """Write what is left.

        Raises:
            ImageError: rows are missing, or there were too many.
        """
        self._write(len(self._waiting))
        if self._written != self.shape[0]:
            raise ImageError(f"{self._written} rows were written to '{self.name}', which has {self.shape[0]}.")

    def _write(self, count: int) -> None:
        for top in range(0, count, _BLOCK):
            block = self._waiting[top : min(top + _BLOCK, count)]
            self._blocks.write(self._written, block)
            self._written += len(block)
        self._waiting = self._waiting[count:].copy()


class _Blocks(Protocol):
    """A file that takes blocks of rows in order."""

    def write(self, top: int, rows: np.ndarray) -> None:
        """Write the rows from `top` on."""

    def close(self) -> None:
        """Complete the file."""


class _GeoTiff:
    """A tiled, compressed GeoTIFF."""

    def __init__(self, file: Path, shape: tuple[int, int], dtype: np.dtype, geo: GeoReference) -> None:
        require("rasterio", extra="geo", why="write a GeoTIFF")
        with quiet_rasterio() as rasterio, rasterio.Env(GDAL_CACHEMAX=CACHE_MB):
            self._dataset = rasterio.open(
                file, "w", driver="GTiff", height=shape[0], width=shape[1], count=1, dtype=dtype.name,
                crs=None if geo.crs is None else rasterio.crs.CRS.from_wkt(geo.crs),
                transform=rasterio.Affine(*geo.transform), nodata=geo.nodata,
                tiled=True, blockxsize=_BLOCK, blockysize=_BLOCK, compress="deflate", bigtiff="if_safer",
            )  # fmt: skip

    def write(self, top: int, rows: np.ndarray) -> None:
        self._dataset.write(rows, 1, window=((top, top + len(rows)), (0, rows.shape[1])))

    def close(self) -> None:
        self._dataset.close()


class _PlainTiff:
    """A TIFF of deflated strips."""

    def __init__(self, file: Path, shape: tuple[int, int], dtype: np.dtype) -> None:
        self._shape, self._dtype = shape, dtype.newbyteorder("<")
        # Deflate adds at most a thousandth to what it cannot shrink.
        self._big = shape[0] * shape[1] * dtype.itemsize * 1.01 > _CLASSIC_LIMIT
        self._offsets: list[int] = []
        self._counts: list[int] = []
        self._file = file.open("wb")
        self._file.write(
            struct.pack("<2sHHHQ", b"II", 43, 8, 0, 0) if self._big else struct.pack("<2sHI", b"II", 42, 0)
        )

    def write(self, top: int, rows: np.ndarray) -> None:
        self._offsets.append(self._file.tell())
        self._counts.append(self._file.write(zlib.compress(rows.astype(self._dtype).tobytes(), 3)))

    def close(self) -> None:
        with self._file:
            self._write_directory()

    def _write_directory(self) -> None:
        height, width = self._shape
        tags = {
            tiff.WIDTH: [width],
            tiff.HEIGHT: [height],
            tiff.BITS: [8 * self._dtype.itemsize],
            tiff.COMPRESSION: [_DEFLATE],
            tiff.PHOTOMETRIC: [_BLACK_IS_ZERO],
            _STRIP_OFFSETS: self._offsets,
            tiff.SAMPLES: [1],
            _ROWS_PER_STRIP: [_BLOCK],
            _STRIP_BYTES: self._counts,
            tiff.FORMAT: [_UNSIGNED],
        }
        (kind, number), count = (_LONG8, "Q") if self._big else (_LONG, "H")
        entries = b""
        for tag, values in sorted(tags.items()):
            packed = struct.pack(f"<{len(values)}{number}", *values)
            if len(values) > 1:
                position = self._file.tell()
                self._file.write(packed)
                packed = struct.pack(f"<{number}", position)
            entries += struct.pack(f"<HH{number}", tag, kind, len(values)) + packed
        directory = self._file.tell()
        self._file.write(struct.pack(f"<{count}", len(tags)) + entries + struct.pack(f"<{number}", 0))
        self._file.seek(8 if self._big else 4)
        self._file.write(struct.pack(f"<{number}", directory))
