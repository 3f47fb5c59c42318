"""Which pixels of an image were measured, and samples of any type as levels of 8 or 16 bits.

One rule for files, windows of files, arrays and PIL images. A pixel was not measured where the image is transparent
(alpha 0), where a mask says so, where all of its bands hold the nodata value, or where any holds what no level can be:
NaN, or a nodata value outside 0 to 65535. It gets no class, and the network sees a neutral grey there, so that
nothing depends on the value that fills such places.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from typing import NamedTuple

import numpy as np

from ultralytics.errors import ImageError
from ultralytics.utils.ops.letterbox import pad_value

PLAIN = (np.dtype(np.uint8), np.dtype(np.uint16))
"""Types whose range is that of their levels."""

_MOST = 65535


class Picture(NamedTuple):
    """An image and its gaps.

    Attributes:
        image: (H, W, C) uint8 or uint16.
        missing: (H, W) bool, true where nothing was measured; None if everything was.
    """

    image: np.ndarray
    missing: np.ndarray | None = None

    @property
    def filled(self) -> np.ndarray:
        """The image with grey where nothing was measured; a copy only if there are such places."""
        return fill_missing(self.image, self.missing)


def fill_missing(image: np.ndarray, missing: np.ndarray | None) -> np.ndarray:
    """Lay the grey of the padding where nothing was measured; without such places the image is returned itself."""
    if missing is None:
        return image
    filled = image.copy()
    filled[missing] = pad_value(image.dtype)
    return filled


def unmeasured(samples: np.ndarray, nodata: float | None) -> np.ndarray | None:
    """Mark the pixels of (H, W, C) samples that hold no measurement, (H, W) bool; None if all do."""
    marks: list[np.ndarray] = []
    value = _as_sample(nodata, samples.dtype)
    if value is not None:
        level = 0 <= value <= _MOST  # one band of a measured pixel may have such a value by chance
        marks.append(reduce(np.logical_and if level else np.logical_or, (band == value for band in _bands(samples))))
    if samples.dtype.kind == "f":
        marks.append(reduce(np.logical_or, (np.isnan(band) for band in _bands(samples))))
    return joined(*marks)


def joined(*marks: np.ndarray | None) -> np.ndarray | None:
    """Join marks of missing pixels; None where none is marked."""
    missing: np.ndarray | None = None
    for mark in marks:
        if mark is not None and mark.any():
            missing = mark if missing is None else missing | mark
    return missing


def to_levels(samples: np.ndarray, missing: np.ndarray | None, channels: int) -> np.ndarray:
    """Turn samples of any type into levels of 8 or 16 bits; unsigned ones of 8 and 16 bits are returned themselves.

    Raises:
        ImageError: see `level_type`.
    """
    if samples.dtype in PLAIN:
        return samples
    low, high, whole = span(samples, missing)
    return as_levels(samples, missing, level_type(samples.dtype, low, high, channels, whole=whole))


def as_levels(samples: np.ndarray, missing: np.ndarray | None, depth: np.dtype) -> np.ndarray:
    """Round samples to levels of a type that holds them; missing ones become grey."""
    if samples.dtype == depth:
        return samples
    if missing is not None:
        samples = np.where(missing[..., None], pad_value(depth), samples)
    return np.rint(samples).astype(depth) if samples.dtype.kind == "f" else samples.astype(depth)


def span(samples: np.ndarray, missing: np.ndarray | None) -> tuple[float, float, bool]:
    """Measure (H, W, C) samples: smallest, largest, and whether all are whole numbers; (inf, -inf, True) for none."""
    if samples.dtype.kind not in "iuf":
        raise ImageError(f"holds {samples.dtype} numbers. Save it as 8 or 16-bit unsigned integers.")
    known = samples if missing is None else samples[~missing]
    if not known.size:
        return np.inf, -np.inf, True
    whole = samples.dtype.kind != "f" or bool((known == np.rint(known)).all())
    return float(known.min()), float(known.max()), whole


def level_type(dtype: np.dtype, low: float, high: float, channels: int, *, whole: bool) -> np.dtype:
    """Choose the levels that samples of a wide type are meant as: uint8, or uint16.

    Signed, floating and 32-bit types do not say how far their levels reach. In pictures (1 or 3 channels) levels of at
    most 255 are those of 8 bits: as 16 bits the picture would be black. Bands are 16 bits wide, however dark.

    Args:
        dtype: type of the samples.
        low: smallest measured sample.
        high: largest measured sample.
        channels: channels of the image.
        whole: whether all measured samples are whole numbers.

    Raises:
        ImageError: the numbers are no levels.
    """
    picture = channels in {1, 3}
    if low > high:  # nothing was measured
        return np.dtype(np.uint8 if picture else np.uint16)
    if low < 0 or high > _MOST:
        raise ImageError(
            f"holds {dtype} numbers from {low:g} to {high:g}; 0 to 65535 are understood. If some mean 'not measured', "
            "write that value as nodata of a GeoTIFF."
        )
    if dtype.kind == "f" and (high <= 1 or not (whole or (picture and high <= 255))):  # up to 1 they are fractions
        raise ImageError(
            f"holds {dtype} numbers from {low:g} to {high:g}, whose range is unknown. Scale them, and save 8 or 16-bit "
            "integers."
        )
    return np.dtype(np.uint8 if picture and high <= 255 else np.uint16)


def _bands(samples: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the (H, W) bands; a reduction over a short last axis is slower."""
    return (samples[..., band] for band in range(samples.shape[2]))


def _as_sample(nodata: float | None, dtype: np.dtype) -> float | int | None:
    """Express a nodata value in a type; None if no sample of it can have that value (NaN is looked for anyway)."""
    if nodata is None or np.isnan(nodata):
        return None
    if dtype.kind == "f":
        with np.errstate(over="ignore"):
            return float(dtype.type(nodata))
    if dtype.kind not in "iu" or nodata != np.floor(nodata):
        return None
    limits = np.iinfo(dtype)
    return int(nodata) if limits.min <= nodata <= limits.max else None
