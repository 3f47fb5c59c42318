"""What an image file says of itself before it is decoded: size, orientation, pages, and whether it is all there.

JPEG, PNG and TIFF are read here, in microseconds and without a size limit; anything else is left to Pillow, which opens
lazily. Nothing is decoded, so a decompression bomb is recognised while it is still small.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image, UnidentifiedImageError

from ultralytics.data import tiff
from ultralytics.errors import ImageError

_PNG = b"\x89PNG\r\n\x1a\n"
_NPY = b"\x93NUMPY"
_PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_PIL_CHANNELS = {"1": 1, "L": 1, "P": 1, "I": 1, "F": 1, "I;16": 1, "I;16B": 1, "LA": 2, "PA": 2, "RGBA": 4, "CMYK": 4}
_ORIENTATION = 0x0112


@dataclass(frozen=True, slots=True)
class Header:
    """Facts from a file's header.

    Attributes:
        kind: "JPEG", "PNG", "TIFF", "NPY", or Pillow's name of the format.
        height: rows of the upright picture.
        width: columns of the upright picture.
        channels: samples per pixel as stored; 1 for a palette.
        bits: bits per sample.
        palette: whether samples are indices into a palette.
        pages: frames of an animation or pages of a TIFF.
        orientation: EXIF orientation, 1 to 8; 1 is upright.
        alpha: whether pixels have an opacity.
        nodata: value of samples that were not measured; None if the file names none.
        masked: whether a page of the file tells which pixels were measured.
    """

    kind: str
    height: int
    width: int
    channels: int
    bits: int = 8
    palette: bool = False
    pages: int = 1
    orientation: int = 1
    alpha: bool = False
    nodata: float | None = None
    masked: bool = False

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) of the upright picture."""
        return self.height, self.width


def read_header(data: bytes, name: str = "The image") -> Header:
    """Read the header of a whole image file.

    Args:
        data: all bytes of the file.
        name: what errors call it.

    Raises:
        ImageError: the bytes are empty, cut off or no image.
    """
    try:
        return _read_header(data)
    except ImageError as error:
        raise ImageError(f"{name} {error}") from error


def _read_header(data: bytes) -> Header:
    """Read a header; errors are the end of a sentence about the file."""
    if not data:
        raise ImageError("is empty (0 bytes).")
    for magic, reader in ((b"\xff\xd8\xff", _jpeg), (_PNG, _png), (b"II", _tiff), (b"MM", _tiff), (_NPY, _npy)):
        if data.startswith(magic):
            try:
                header = reader(data)
            except (struct.error, IndexError) as error:
                raise ImageError("is cut off: its header is not complete.") from error
            break
    else:
        header = _other(data)
    if header.height < 1 or header.width < 1:
        raise ImageError(f"has no pixels (header says {header.width} x {header.height}).")
    if header.orientation > 4:
        header = replace(header, height=header.width, width=header.height)
    return header


def _jpeg(data: bytes) -> Header:
    """Walk the segments to the first scan; an end marker after it tells that the picture is whole."""
    orientation, frame, position = 1, None, 2
    while True:
        while data[position] == 0xFF and data[position + 1] == 0xFF:  # fill bytes
            position += 1
        marker = data[position + 1]
        length = struct.unpack_from(">H", data, position + 2)[0]
        segment = data[position + 4 : position + 2 + length]
        if marker == 0xE1 and segment.startswith(b"Exif\0\0"):
            orientation = _exif_orientation(segment[6:])
        elif 0xC0 <= marker <= 0xCF and marker not in {0xC4, 0xC8, 0xCC}:
            frame = struct.unpack_from(">BHHB", segment)
        elif marker == 0xDA:
            break
        position += 2 + length
    if frame is None:
        raise ImageError("is a damaged JPEG: it has no frame header.")
    if data.rfind(b"\xff\xd9", position) < 0:
        raise ImageError("is a JPEG that is cut off: the lower part of the picture is missing.")
    bits, height, width, channels = frame
    return Header("JPEG", height, width, channels, bits, orientation=orientation)


def _png(data: bytes) -> Header:
    """Walk the chunks to the end."""
    width, height, bits, colour = struct.unpack_from(">IIBB", data, 16)
    pages, orientation, position, alpha = 1, 1, len(_PNG), colour in {4, 6}
    while True:
        if position + 12 > len(data):
            raise ImageError("is a PNG that is cut off: the lower part of the picture is missing.")
        length, name = struct.unpack_from(">I4s", data, position)
        if name == b"acTL":
            pages = struct.unpack_from(">I", data, position + 8)[0]
        elif name == b"tRNS":
            alpha = True
        elif name == b"eXIf":
            orientation = _exif_orientation(data[position + 8 : position + 8 + length])
        elif name == b"IEND":
            break
        position += 12 + length
    channels = _PNG_CHANNELS.get(colour, 3)
    return Header("PNG", height, width, channels, bits, colour == 3, pages, orientation, alpha)


def _tiff(data: bytes) -> Header:
    every = tiff.read_directories(data)
    pages = [page for page in every if not page.is_reduced]
    if not pages:
        raise ImageError("is a TIFF that is cut off or damaged: its directory of pages cannot be read.")
    first = pages[0]
    orientation = first.get(tiff.ORIENTATION, 1)
    return Header(
        "TIFF",
        first.get(tiff.HEIGHT, 0),
        first.get(tiff.WIDTH, 0),
        first.get(tiff.SAMPLES, 1),
        first.get(tiff.BITS, 1),
        palette=first.get(tiff.PHOTOMETRIC, 1) == 3,
        pages=len(pages),
        orientation=orientation if 1 <= orientation <= 8 else 1,
        alpha=first.has_alpha,
        nodata=first.nodata,
        masked=any(page.is_mask for page in every),
    )


def _npy(data: bytes) -> Header:
    """Read the header of an array file: (H, W) or (H, W, C)."""
    try:
        version = np.lib.format.read_magic(stream := io.BytesIO(data))
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(stream)
    except ValueError as error:
        raise ImageError(f"is not a readable .npy file: {error}.") from error
    if len(shape) not in {2, 3} or dtype.hasobject:
        raise ImageError(f"holds an array of shape {shape} and type {dtype}; (H, W) or (H, W, C) numbers are needed.")
    return Header("NPY", shape[0], shape[1], shape[2] if len(shape) == 3 else 1, dtype.itemsize * 8)


def _other(data: bytes) -> Header:
    """Let Pillow read the header of the rarer formats."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            width, height = image.size
            channels = _PIL_CHANNELS.get(image.mode, 3)
            pages = getattr(image, "n_frames", 1)
            orientation = image.getexif().get(_ORIENTATION, 1)
            kind, alpha = image.format or "image", has_opacity(image)
            return Header(kind, height, width, channels, 8, image.mode == "P", pages, orientation, alpha)
    except UnidentifiedImageError as error:
        raise ImageError(_describe_foreign(data)) from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ImageError(f"cannot be read: {error}.") from error


def has_opacity(image: Image.Image) -> bool:
    """Tell whether the pixels of a PIL image have an opacity, of their own or by their colour."""
    return image.mode in {"LA", "La", "PA", "RGBA", "RGBa"} or "transparency" in image.info


def _describe_foreign(data: bytes) -> str:
    """Say what a file that is no image looks like."""
    if b"ftyphei" in data[:32] or b"ftypmif" in data[:32] or b"ftyphev" in data[:32]:
        return (
            "is a HEIC picture. Install the reader: pip install pillow-heif, then pillow_heif.register_heif_opener()."
        )
    start = data[:200].decode("utf-8", "replace").strip()[:40]
    if start and start.isprintable() and "\ufffd" not in start:
        return f"is not an image but text that starts with '{start}'."
    return f"is not an image in a known format (first bytes {data[:8].hex(' ')})."


def _exif_orientation(block: bytes) -> int:
    """Orientation in an EXIF block, which is laid out as a TIFF file; 1 if it has none."""
    directories = tiff.read_directories(block)
    value = directories[0].get(_ORIENTATION, 1) if directories else 1
    return value if 1 <= value <= 8 else 1
