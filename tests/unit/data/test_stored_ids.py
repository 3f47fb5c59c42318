"""Ids of masks are the stored numbers, whatever a viewer makes of them."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from ultralytics.data.imread import read_ids

RNG = np.random.default_rng(4)
GREYS = bytes([255] * 3 + [0] * 3 + [9] * 3)  # a palette of greys that are not the indices
BLACK_IS_0, WHITE_IS_0, PALETTE = 1, 0, 3


def _packed(values: np.ndarray, bits: int) -> list[bytes]:
    """Write the rows of an image, each from a whole byte on, the highest bits first."""
    rows = np.stack([values >> bit & 1 for bit in reversed(range(bits))], axis=-1).reshape(len(values), -1)
    return [np.packbits(row.astype(bool)).tobytes() for row in rows]


def _png(rows: list[bytes], width: int, bits: int, colour: int, *chunks: tuple[bytes, bytes]) -> bytes:
    header = struct.pack(">IIBBBBB", width, len(rows), bits, colour, 0, 0, 0)
    content = zlib.compress(b"".join(b"\0" + row for row in rows))
    parts = [(b"IHDR", header), *chunks, (b"IDAT", content), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in parts
    )


def _tiff(values: np.ndarray, bits: int, meaning: int) -> bytes:
    body = b"".join(_packed(values, bits)) if bits < 16 else values.astype("<u2").tobytes()
    body += b"\0" * (len(body) % 2)
    tags = {256: values.shape[1], 257: values.shape[0], 258: bits, 259: 1, 262: meaning, 273: 8, 277: 1,
            278: values.shape[0], 279: len(body)}  # fmt: skip
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    return b"II*\0" + struct.pack("<I", 8 + len(body)) + body + struct.pack("<H", len(tags)) + entries + bytes(4)


@pytest.mark.parametrize("meaning", [BLACK_IS_0, WHITE_IS_0])
@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("width", [8, 9])
def test_a_tiff_gives_its_numbers_whether_black_or_white_is_0(tmp_path, width, bits, meaning):
    values = RNG.integers(0, 2**bits, (7, width))
    (tmp_path / "a.tif").write_bytes(_tiff(values, bits, meaning))
    np.testing.assert_array_equal(read_ids(tmp_path / "a.tif"), values)


@pytest.mark.parametrize("compression", ["group3", "group4", "tiff_lzw", "packbits", "tiff_deflate"])
def test_compressed_black_and_white_is_0_and_1(tmp_path, compression):
    values = RNG.integers(0, 2, (7, 19)).astype(bool)
    Image.fromarray(values).save(tmp_path / "a.tif", compression=compression)
    np.testing.assert_array_equal(read_ids(tmp_path / "a.tif"), values)


@pytest.mark.parametrize("opacity", [(), ((b"tRNS", b"\0"),)])
@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_a_palette_of_greys_gives_indices(tmp_path, bits, opacity):
    values = RNG.integers(0, min(2**bits, 3), (7, 9))
    (tmp_path / "a.png").write_bytes(_png(_packed(values, bits), 9, bits, 3, (b"PLTE", GREYS[: 3 * 2**bits]), *opacity))
    np.testing.assert_array_equal(read_ids(tmp_path / "a.png"), values)


@pytest.mark.parametrize("suffix", ["bmp", "tif", "gif"])
def test_palettes_of_other_files_give_indices(tmp_path, suffix):
    values = RNG.permutation(256).astype(np.uint8).reshape(16, 16)  # a writer drops colours that are not used
    picture = Image.frombytes("P", (16, 16), values.tobytes())
    picture.putpalette([255 - index for index in range(256) for _ in range(3)])
    picture.save(tmp_path / f"a.{suffix}")
    np.testing.assert_array_equal(read_ids(tmp_path / f"a.{suffix}"), values)


@pytest.mark.parametrize("palette", [None, [255, 0], [7, 9]])
def test_a_bitmap_of_one_bit_is_0_and_1(tmp_path, palette):
    values = RNG.integers(0, 2, (7, 9)).astype(bool)
    file = io.BytesIO()
    Image.fromarray(values).save(file, "BMP")
    data = bytearray(file.getvalue())
    if palette:
        start = 14 + struct.unpack_from("<I", data, 14)[0]
        data[start : start + 8] = b"".join(bytes([grey] * 3 + [0]) for grey in palette)
    (tmp_path / "a.bmp").write_bytes(data)
    np.testing.assert_array_equal(read_ids(tmp_path / "a.bmp"), values)


@pytest.mark.parametrize("bits", [8, 16])
def test_opacity_beside_ids_is_left_out(tmp_path, bits):
    values = RNG.integers(0, 2**bits, (7, 9))
    pairs = np.dstack([values, RNG.choice([0, 2**bits - 1], (7, 9))]).astype(f">u{bits // 8}")
    (tmp_path / "a.png").write_bytes(_png([row.tobytes() for row in pairs], 9, bits, 4))
    np.testing.assert_array_equal(read_ids(tmp_path / "a.png"), values)
    if bits == 8:
        Image.fromarray(pairs.astype(np.uint8), "LA").save(tmp_path / "a.tif")
        np.testing.assert_array_equal(read_ids(tmp_path / "a.tif"), values)


def test_grey_with_a_transparent_level_keeps_its_numbers(tmp_path):
    values = RNG.integers(0, 4, (7, 9))
    (tmp_path / "a.png").write_bytes(_png(_packed(values, 2), 9, 2, 0, (b"tRNS", b"\0\0")))
    np.testing.assert_array_equal(read_ids(tmp_path / "a.png"), values)
