"""Where on Earth the pixels of a GeoTIFF lie, and how it says which of them were measured. It needs rasterio."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ultralytics.data import tiff
from ultralytics.errors import ImageError
from ultralytics.utils.imports import available

_TIFF = frozenset({".tif", ".tiff"})
_GEO_KEYS = 34735
_IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


@dataclass(frozen=True, slots=True)
class GeoReference:
    """Where the pixels of a raster lie, and which of them are no pixels at all.

    Attributes:
        crs: coordinate system as WKT; None if the file has none.
        crs_name: its short name, such as "EPSG:32633", where it has one; else the WKT.
        transform: (a, b, c, d, e, f) of x = a·column + b·row + c and y = d·column + e·row + f.
        nodata: value of samples that were not measured; None if the file names none.
        masked: whether something else tells so: opacity, a mask, or numbers that can be NaN.
    """

    crs: str | None = None
    crs_name: str | None = None
    transform: tuple[float, ...] = _IDENTITY
    nodata: float | None = None
    masked: bool = False

    def for_ids(self, num_ids: int) -> GeoReference:
        """Describe a map of ids 0 to `num_ids` - 1 of the same ground, where nodata must not be one of them.

        A value that is none of them and fits the map stays; another becomes 255, or 65535 where ids need 16 bits, as
        does none where pixels are marked in another way.
        """
        if self.nodata is None and not self.masked:
            return self
        largest = ignored_id(num_ids)
        value = -1.0 if self.nodata is None else self.nodata
        fits = value == value // 1 and num_ids <= value <= largest
        return self if fits else replace(self, nodata=float(largest))

    def scaled(self, rows: float, columns: float) -> GeoReference:
        """Describe the same ground with pixels that are so many times as high and wide."""
        a, b, c, d, e, f = self.transform
        return replace(self, transform=(a * columns, b * rows, c, d * columns, e * rows, f))


def ignored_id(num_ids: int) -> int:
    """Tell which id marks pixels without a class in a map of ids 0 to `num_ids` - 1."""
    return 255 if num_ids <= 255 else 65535


def georeference(path: str | Path, shape: tuple[int, int]) -> GeoReference | None:
    """Read where a picture of (height, width) lies.

    None if its path is no such file, the file does not say, or rasterio is not installed.
    """
    path = Path(path)
    if path.suffix.lower() not in _TIFF or not path.is_file() or not available("rasterio"):
        return None
    try:
        with open_dataset(path) as dataset:
            return reference_of(dataset) if dataset.shape == shape else None
    except ImageError:
        return None


def is_georeferenced(path: str | Path) -> bool:
    """Tell whether a file is a GeoTIFF; rasterio is not needed to know."""
    path = Path(path)
    if path.suffix.lower() not in _TIFF or not path.is_file():
        return False
    return any(_GEO_KEYS in page.tags for page in tiff.pages_of(path))


@contextmanager
def quiet_rasterio() -> Iterator[Any]:
    """Give rasterio, which warns of every picture that has no coordinates; that is no news here."""
    import rasterio

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        yield rasterio


def open_dataset(path: Path) -> Any:
    """Open a file with rasterio.

    Raises:
        ImageError: it cannot be opened.
    """
    with quiet_rasterio() as rasterio:
        try:
            return rasterio.open(path)
        except rasterio.errors.RasterioIOError as error:
            raise ImageError(f"'{path}' cannot be opened: {error}.") from error


def reference_of(dataset: Any) -> GeoReference | None:
    """Read where an open dataset lies; None if it does not say."""
    with quiet_rasterio():
        crs, transform = dataset.crs, tuple(float(value) for value in dataset.transform)[:6]
    if not crs and transform == _IDENTITY and dataset.nodata is None:
        return None
    wkt, name = (crs.to_wkt(), crs.to_string()) if crs else (None, None)
    alpha = dataset.count > 1 and dataset.colorinterp[-1].name == "alpha"
    masked = alpha or has_mask(dataset) or np.dtype(dataset.dtypes[0]).kind == "f"
    return GeoReference(wkt, name, transform, dataset.nodata, masked)


def has_mask(dataset: Any) -> bool:
    """Tell whether a mask of its own, in the file or beside it, says which pixels were measured."""
    flags = {flag.name for flag in dataset.mask_flag_enums[0]}
    return "per_dataset" in flags and "alpha" not in flags
