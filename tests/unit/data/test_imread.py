"""Images and masks as they are stored, in every kind of file."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from ultralytics.data.imread import decode_image, image_size, read_ids, read_image, to_depth
from ultralytics.errors import ImageError, MissingFile

RNG = np.random.default_rng(0)
BGR = RNG.integers(0, 256, (12, 20, 3), dtype=np.uint8)
GREY = RNG.integers(0, 256, (12, 20), dtype=np.uint8)


def _grey_png(values: np.ndarray, bits: int, palette: bytes = b"") -> bytes:
    """Write a PNG of few bits, which no library here does."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    height, width = values.shape
    rows = b""
    for row in values:
        text = "".join(format(value, f"0{bits}b") for value in row)
        text += "0" * (-len(text) % 8)
        rows += b"\0" + int(text, 2).to_bytes(len(text) // 8, "big")
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, 3 if palette else 0, 0, 0, 0))
    entries = chunk(b"PLTE", palette) if palette else b""
    return b"\x89PNG\r\n\x1a\n" + header + entries + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".PNG"])
def test_lossless_files_come_back_exactly(tmp_path, write_image, suffix):
    path = write_image(tmp_path / f"a{suffix}", BGR)
    np.testing.assert_array_equal(read_image(path), BGR)


def test_paths_need_not_be_ascii(tmp_path, write_image):
    path = write_image(tmp_path / "Prüfung é 测试" / "ä [1].png", BGR)
    np.testing.assert_array_equal(read_image(str(path)), BGR)
    np.testing.assert_array_equal(read_ids(write_image(path.with_name("m.png"), GREY)), GREY)


def test_grey_becomes_three_equal_channels_and_colour_becomes_grey(tmp_path, write_image):
    path = write_image(tmp_path / "g.png", GREY)
    np.testing.assert_array_equal(read_image(path), np.repeat(GREY[..., None], 3, axis=2))
    np.testing.assert_array_equal(read_image(path, 1), GREY[..., None])
    colour = write_image(tmp_path / "c.png", BGR)
    np.testing.assert_array_equal(read_image(colour, 1)[..., 0], cv2.cvtColor(BGR, cv2.COLOR_BGR2GRAY))


def test_alpha_is_dropped_for_three_channels_and_kept_for_four(tmp_path, write_image):
    bgra = np.dstack([BGR, GREY])
    path = write_image(tmp_path / "a.png", bgra)
    np.testing.assert_array_equal(read_image(path), BGR)
    np.testing.assert_array_equal(read_image(path, 4), np.dstack([BGR[..., ::-1], GREY]))  # in the file's order


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bits_stay_but_in_colour_pictures(tmp_path, write_image, suffix):
    deep = RNG.integers(0, 65536, (12, 20, 3), dtype=np.uint16)
    deep[0] &= 0xFF  # a pattern in the low byte alone
    colour = write_image(tmp_path / f"a{suffix}", deep)
    grey = write_image(tmp_path / f"b{suffix}", deep[..., 0])
    expected = {
        (colour, 3): (deep >> 8).astype(np.uint8),
        (colour, 1): cv2.cvtColor(deep, cv2.COLOR_BGR2GRAY)[..., None],
        (grey, 3): np.repeat((deep[..., :1] >> 8).astype(np.uint8), 3, axis=2),
        (grey, 1): deep[..., :1],
    }
    for (path, channels), values in expected.items():
        image = read_image(path, channels)
        assert image.dtype == values.dtype
        np.testing.assert_array_equal(image, values)


def test_a_change_of_depth_keeps_black_white_and_every_byte():
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    deep = to_depth(levels, np.uint16)
    assert (deep.dtype, int(deep.min()), int(deep.max())) == (np.uint16, 0, 65535)
    np.testing.assert_allclose(deep / 65535, levels / 255, rtol=1e-12)
    np.testing.assert_array_equal(to_depth(deep, np.uint8), levels)
    assert to_depth(deep, np.uint16) is deep


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_upright(tmp_path, kind, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"a.{kind.lower()}"
    Image.fromarray(BGR[..., ::-1]).save(path, kind, exif=exif, **({"lossless": True} if kind == "WEBP" else {}))
    with Image.open(path) as stored:
        upright = np.asarray(ImageOps.exif_transpose(stored).convert("RGB"))[..., ::-1]
    image = read_image(path)
    assert image.shape == upright.shape == (*image_size(path), 3)
    assert np.abs(image.astype(int) - upright).max() <= (8 if kind == "JPEG" else 0)


@pytest.mark.parametrize("channels", [2, 5, 13])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_arrays_hold_any_number_of_bands_at_their_depth(tmp_path, channels, dtype):
    bands = RNG.integers(0, np.iinfo(dtype).max, (6, 7, channels), dtype=dtype)
    np.save(tmp_path / "a.npy", bands)
    read = read_image(tmp_path / "a.npy", channels)
    assert read.dtype == dtype
    np.testing.assert_array_equal(read, bands)


def test_pages_of_a_tiff_are_bands(tmp_path):
    bands = RNG.integers(0, 256, (9, 8, 4), dtype=np.uint8)
    pages = [Image.fromarray(bands[..., k]) for k in range(4)]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif", 4), bands)
    with pytest.raises(ImageError, match="has 4 channels, but 3 are needed"):
        read_image(tmp_path / "a.tif")
    pages[0].save(tmp_path / "b.tif", save_all=True, append_images=pages[1:3])
    np.testing.assert_array_equal(read_image(tmp_path / "b.tif"), bands[..., 2::-1])  # red, green, blue


def test_a_wrong_number_of_channels_names_both(tmp_path, write_image):
    with pytest.raises(ImageError, match=r"a\.png' has 3 channels, but 5 are needed"):
        read_image(write_image(tmp_path / "a.png", BGR), 5)


@pytest.mark.parametrize("channels", [1, 3, 5])
def test_an_array_with_the_channels_first_is_told_from_one_with_other_channels(tmp_path, channels):
    np.save(tmp_path / "a.npy", np.zeros((channels, 40, 64), np.uint8))
    told = rf"has 64 channels, but {channels} are needed .* looks like \(C, H, W\); save array\.transpose\(1, 2, 0\)"
    with pytest.raises(ImageError, match=told):
        read_image(tmp_path / "a.npy", channels)
    np.save(tmp_path / "b.npy", np.zeros((40, 64, 9), np.uint8))
    with pytest.raises(ImageError, match=r"has 9 channels, but \d are needed [^.]*\.$"):
        read_image(tmp_path / "b.npy", channels)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".webp", ".jp2", ".tif"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.97])
def test_half_a_picture_is_an_error(tmp_path, suffix, share):
    data = cv2.imencode(suffix, cv2.resize(BGR, (320, 200)))[1].tobytes()
    path = tmp_path / f"a{suffix}"
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(ImageError, match=path.name):
        read_image(path)
    assert path.stat().st_size == int(len(data) * share)


def test_a_damaged_png_is_an_error(tmp_path):
    data = bytearray(cv2.imencode(".png", cv2.resize(BGR, (64, 64)))[1].tobytes())
    data[len(data) // 2] ^= 0xFF
    with pytest.raises(ImageError, match="cannot be decoded"):
        decode_image(bytes(data))


def test_floating_point_numbers_are_described(tmp_path, write_image):
    values = np.linspace(0, 8000, 240, dtype=np.float32).reshape(12, 20)
    values[0, :3] = np.nan
    path = write_image(tmp_path / "a.tif", values)
    with pytest.raises(ImageError, match=r"float32 numbers from 100\.418 to 8000, whose range is unknown"):
        read_image(path)


def test_a_size_limit_is_checked_before_decoding(tmp_path, write_image):
    path = write_image(tmp_path / "a.png", BGR)
    with pytest.raises(ImageError, match="20 x 12 pixels; at most 100"):
        read_image(path, max_pixels=100)
    with pytest.raises(ImageError, match="at most 100"):
        read_ids(path, max_pixels=100)


@pytest.mark.parametrize("read", [read_image, read_ids, image_size])
def test_a_missing_file_is_missing(tmp_path, read):
    with pytest.raises(MissingFile, match=r"nothing\.png' does not exist"):
        read(tmp_path / "nothing.png")
    with pytest.raises(ImageError, match="cannot be read"):
        read(tmp_path)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_ids_keep_their_depth(tmp_path, write_image, dtype, suffix):
    ids = RNG.integers(0, np.iinfo(dtype).max, (9, 11), dtype=dtype)
    read = read_ids(write_image(tmp_path / f"a{suffix}", ids))
    assert read.dtype == dtype
    np.testing.assert_array_equal(read, ids)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_ids_of_few_bits_are_what_is_stored(tmp_path_factory, bits, data):
    values = np.array(
        data.draw(st.lists(st.lists(st.integers(0, 2**bits - 1), min_size=5, max_size=5), min_size=1, max_size=4))
    )
    path = tmp_path_factory.mktemp("bits") / "a.png"
    path.write_bytes(_grey_png(values, bits))
    np.testing.assert_array_equal(read_ids(path), values)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_a_palette_gives_indices(tmp_path, bits):
    values = RNG.integers(0, min(2**bits, 4), (7, 9))
    palette = bytes([0, 0, 0, 200, 10, 20, 0, 200, 0, 9, 8, 7][: 3 * min(2**bits, 4)])
    (tmp_path / "a.png").write_bytes(_grey_png(values, bits, palette))
    np.testing.assert_array_equal(read_ids(tmp_path / "a.png"), values)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_one_bit_is_zero_and_one(tmp_path, suffix):
    values = RNG.integers(0, 2, (7, 9)).astype(bool)
    Image.fromarray(values).save(tmp_path / f"a{suffix}")
    np.testing.assert_array_equal(read_ids(tmp_path / f"a{suffix}"), values)


def test_ids_of_32_bits_are_taken_if_they_fit(tmp_path, write_image):
    ids = RNG.integers(0, 3000, (5, 6), dtype=np.int32)
    np.testing.assert_array_equal(read_ids(write_image(tmp_path / "a.tif", ids)), ids)
    ids[0, 0] = -1
    with pytest.raises(ImageError, match="from -1 to"):
        read_ids(write_image(tmp_path / "b.tif", ids))


def test_arrays_are_masks_too(tmp_path):
    ids = RNG.integers(0, 300, (5, 6))
    np.save(tmp_path / "a.npy", ids)
    np.testing.assert_array_equal(read_ids(tmp_path / "a.npy"), ids)
    np.save(tmp_path / "b.npy", ids > 100)
    np.testing.assert_array_equal(read_ids(tmp_path / "b.npy"), ids > 100)


@pytest.mark.parametrize(
    ("suffix", "array", "message"),
    [
        (".png", BGR, "has 3 channels; a mask needs a single channel"),
        (".png", np.dstack([BGR, GREY]), "has 4 channels"),
        (".jpg", GREY, "is a JPEG: lossy"),
        (".tif", np.linspace(0, 1, 20, dtype=np.float32).reshape(4, 5), "float32 numbers"),
    ],
)
def test_what_cannot_be_ids_is_refused(tmp_path, write_image, suffix, array, message):
    path: Path = write_image(tmp_path / f"a{suffix}", array)
    with pytest.raises(ImageError, match=message):
        read_ids(path)


def test_an_animation_is_no_mask_but_shows_its_first_frame(tmp_path):
    frames = [Image.fromarray(np.full((8, 8), 60 * number, np.uint8)) for number in range(3)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    with pytest.raises(ImageError, match="3 pages or frames"):
        read_ids(tmp_path / "a.gif")
    assert (read_image(tmp_path / "a.gif") == 0).all()
