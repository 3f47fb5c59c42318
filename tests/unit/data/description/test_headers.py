"""Headers against Pillow, and against files that lie or end too soon."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from ultralytics.data.description.headers import read_header
from ultralytics.errors import ImageError

PICTURE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (30, 50, 3), dtype=np.uint8))


def _saved(kind: str, image: Image.Image = PICTURE, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def _png_of(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds almost nothing."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP", "BMP", "GIF", "JPEG2000"])
def test_size_and_kind_are_read(kind):
    header = read_header(_saved(kind))
    assert (header.kind, header.shape, header.pages) == (kind, (30, 50), 1)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_size_is_that_of_the_upright_picture(kind, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    header = read_header(_saved(kind, exif=exif))
    assert header.orientation == orientation
    assert header.shape == ((50, 30) if orientation > 4 else (30, 50))


@pytest.mark.parametrize(
    ("mode", "channels", "palette"),
    [("L", 1, False), ("RGB", 3, False), ("RGBA", 4, False), ("P", 1, True), ("LA", 2, False)],
)
def test_channels_are_those_stored(mode, channels, palette):
    header = read_header(_saved("PNG", PICTURE.convert(mode)))
    assert (header.channels, header.palette) == (channels, palette)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_frames_are_counted(kind):
    frames = [Image.fromarray(np.full((8, 8, 3), 40 * number, np.uint8)) for number in range(4)]
    assert read_header(_saved(kind, frames[0], save_all=True, append_images=frames[1:])).pages == 4


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("share", [0.05, 0.3, 0.55, 0.98])
def test_a_file_that_is_cut_off_is_recognised(kind, share):
    data = _saved(kind)
    with pytest.raises(ImageError, match="cut off"):
        read_header(data[: int(len(data) * share)])


def test_a_thumbnail_is_not_taken_for_the_end_of_the_picture():
    exif = Image.Exif()
    exif[0x9286] = _saved("JPEG", PICTURE.resize((8, 8)))  # a whole JPEG with its own end marker, inside the header
    data = _saved("JPEG", exif=exif)
    assert read_header(data).shape == (30, 50)
    with pytest.raises(ImageError, match="cut off"):
        read_header(data[:-100])


def test_a_claimed_size_costs_nothing():
    assert read_header(_png_of(200_000, 100_000)).shape == (100_000, 200_000)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty"),
        (b"<html>not found</html>", "text that starts with '<html>not found</html>'"),
        (b"\x93\x80\xff\xfe" * 20, "known format"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "pip install pillow-heif"),
        (_png_of(0, 5), "no pixels"),
    ],
    ids=["empty", "text", "bytes", "heic", "no pixels"],
)
def test_what_is_no_image_is_described(data, message):
    with pytest.raises(ImageError, match=message):
        read_header(data, "'a.png'")


def test_array_files_tell_shape_and_type():
    stream = io.BytesIO()
    np.save(stream, np.zeros((4, 6, 9), np.uint16))
    header = read_header(stream.getvalue())
    assert (header.shape, header.channels, header.bits) == ((4, 6), 9, 16)
    stream = io.BytesIO()
    np.save(stream, np.zeros(3))
    with pytest.raises(ImageError, match=r"shape \(3,\)"):
        read_header(stream.getvalue())
