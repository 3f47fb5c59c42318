"""TIFF bands against files written by hand, in every arrangement the format allows."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest

from ultralytics.data.tiff import read_bands, read_directories
from ultralytics.errors import ImageError

_CODES = {"u": 1, "i": 2, "f": 3}


def _difference(block: np.ndarray) -> np.ndarray:
    """Horizontal differencing: each sample minus the one of the same band to its left."""
    block = block.copy()
    block[:, 1:] = block[:, 1:] - block[:, :-1]
    return block


def _pages(
    pages: list[np.ndarray], *, order: str = "<", big: bool = False, predictor: int = 1, planar: int = 1, rows: int = 0,
    tile: int = 0, subfile: int = 0,
) -> bytes:  # fmt: skip
    """Write (H, W, C) arrays as the pages of a deflate-compressed TIFF."""
    mark = b"II" if order == "<" else b"MM"
    body = bytearray(
        struct.pack(order + "2sHHHQ", mark, 43, 8, 0, 16) if big else struct.pack(order + "2sHI", mark, 42, 8)
    )
    link = 8 if big else 4
    for array in pages:
        height, width, samples = array.shape
        planes = [array[..., k : k + 1] for k in range(samples)] if planar == 2 else [array]
        offsets, counts = [], []
        for plane in planes:
            for top in range(0, height, tile or rows or height):
                for left in range(0, width, tile or width):
                    size = (tile, tile) if tile else (min(rows or height, height - top), width)
                    block = np.zeros((*size, plane.shape[2]), plane.dtype)
                    part = plane[top : top + size[0], left : left + size[1]]
                    block[: part.shape[0], : part.shape[1]] = part
                    block = _difference(block) if predictor == 2 else block
                    packed = zlib.compress(block.astype(block.dtype.newbyteorder(order)).tobytes())
                    offsets.append(len(body))
                    counts.append(len(packed))
                    body += packed
        bits, kind = [array.dtype.itemsize * 8] * samples, [_CODES[array.dtype.kind]] * samples
        tags = {254: [subfile], 256: [width], 257: [height], 258: bits, 259: [8], 262: [1]}
        tags |= {277: [samples], 284: [planar], 317: [predictor], 339: kind}
        if tile:
            tags |= {322: [tile], 323: [tile], 324: offsets, 325: counts}
        else:
            tags |= {273: offsets, 278: [rows or height], 279: counts}
        entries = b""
        for tag, values in sorted(tags.items()):
            packed = struct.pack(f"{order}{len(values)}I", *values)
            room = 8 if big else 4
            if len(packed) > room:
                position = len(body)
                body += packed
                packed = struct.pack(order + ("Q" if big else "I"), position)
            entries += struct.pack(order + ("HHQ" if big else "HHI"), tag, 4, len(values)) + packed.ljust(room, b"\0")
        struct.pack_into(order + ("Q" if big else "I"), body, link, len(body))
        body += struct.pack(order + ("Q" if big else "H"), len(tags)) + entries
        link = len(body)
        body += bytes(8 if big else 4)
    return bytes(body)


def _bands(count: int, dtype: type, shape: tuple[int, int] = (21, 35)) -> np.ndarray:
    info = np.iinfo(dtype)
    return np.random.default_rng(0).integers(0, info.max, (*shape, count), dtype=dtype, endpoint=True)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("predictor", [1, 2])
def test_interleaved_bands_come_back_exactly(dtype, order, big, predictor):
    bands = _bands(7, dtype)
    read = read_bands(_pages([bands], order=order, big=big, predictor=predictor, rows=8))
    assert read.dtype == dtype
    np.testing.assert_array_equal(read, bands)


@pytest.mark.parametrize("options", [{"planar": 2}, {"planar": 2, "rows": 4}, {"tile": 16}, {"tile": 16, "planar": 2}])
@pytest.mark.parametrize("predictor", [1, 2])
def test_planes_and_tiles_come_back_exactly(options, predictor):
    bands = _bands(5, np.uint16)
    np.testing.assert_array_equal(read_bands(_pages([bands], predictor=predictor, **options)), bands)


def test_pages_are_bands_and_overviews_are_not():
    bands = _bands(6, np.uint8)
    pages = [bands[..., k : k + 1] for k in range(6)]
    np.testing.assert_array_equal(read_bands(_pages(pages)), bands)
    overview = _pages([bands[::2, ::2]], subfile=1)
    with pytest.raises(ImageError, match="not a whole TIFF"):
        read_bands(overview)


def test_pages_of_different_sizes_are_no_bands():
    with pytest.raises(ImageError, match="2 pages of different sizes"):
        read_bands(_pages([_bands(1, np.uint8), _bands(1, np.uint8, (8, 9))]))


def test_a_floating_point_predictor_is_refused():
    with pytest.raises(ImageError, match="predictor 3"):
        read_bands(_pages([_bands(5, np.uint8)], predictor=3))


@pytest.mark.parametrize("size", [0, 3, 8, 40])
def test_a_cut_file_has_no_directories(size):
    data = _pages([_bands(5, np.uint8)])
    assert len(read_directories(data)) == 1
    assert read_directories(data[:size]) == []


def test_a_circle_of_directories_ends():
    data = bytearray(_pages([_bands(1, np.uint8)]))
    first = struct.unpack_from("<I", data, 4)[0]
    struct.pack_into("<I", data, len(data) - 4, first)
    assert len(read_directories(bytes(data))) == 1
