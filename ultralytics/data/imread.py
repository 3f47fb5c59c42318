"""Reading images and masks from files, the same way for training, validation and prediction.

Files are read as bytes and then decoded: OpenCV cannot open every path that the system can. A file that is cut off is
an error, never a picture with a grey lower half. Messages name the file and say what is wrong with it.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from ultralytics.data import tiff
from ultralytics.data.description.headers import Header, read_header
from ultralytics.data.measured import Picture, joined, to_levels, unmeasured
from ultralytics.errors import ImageError, MissingFile
from ultralytics.utils.files import read_regular

IMG_FORMATS = frozenset(
    {"avif", "bmp", "dng", "heic", "heif", "jp2", "jpeg", "jpg", "mpo", "png", "tif", "tiff", "webp"}
)
"""Suffixes of image files, lower case."""

VID_FORMATS = frozenset({"asf", "avi", "gif", "m4v", "mkv", "mov", "mp4", "mpeg", "mpg", "ts", "webm", "wmv"})
"""Suffixes of video files, lower case."""

ARRAY_FORMATS = frozenset({"npy"})
"""Suffixes of plain arrays, which hold images of any number of bands."""

MAX_PIXELS = 500_000_000
"""Largest picture that is decoded whole; a file of a few kilobytes can claim more than any memory."""

_PILLOW_ONLY = frozenset({"AVIF", "HEIF"})  # OpenCV decodes AVIF where built so, but leaves it rotated
_DEEPEST = 16  # bits of a whole number that is a level
_GREY_STEPS = {1: 255, 2: 85, 4: 17}  # decoders stretch 1, 2 and 4-bit grey to the full range of 8 bits


def read_image(path: str | Path, channels: int = 3, *, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Read an image, upright, with the wanted number of channels.

    Three channels come in BGR order and one as grey, whatever the file holds (grey, palette, alpha, CMYK). Any other
    number must be what the file has (interleaved or planar TIFF, pages as bands, .npy): bands keep the file's order.
    Samples of 16 bits stay uint16, since their range is rarely the full one; those of colour pictures, of three
    channels, are reduced to their high byte. The first frame of an animation is read.

    Args:
        path: image file.
        channels: 1, 3, or the number of bands.
        max_pixels: refuse pictures of more pixels before decoding them.

    Returns:
        (H, W, C) uint8, or uint16 for grey and bands of more than 8 bits.

    Raises:
        MissingFile: there is no such file.
        ImageError: it is no image, cut off, too large, of a type without a defined range, or has other channels.
    """
    return read_picture(path, channels, max_pixels=max_pixels).image


def read_picture(path: str | Path, channels: int = 3, *, max_pixels: int = MAX_PIXELS) -> Picture:
    """Read an image as `read_image` does, and which of its pixels were not measured, as `measured` defines it.

    Opacity tells unless the model takes it as one of its bands. A mask may lie in a file of its own beside a TIFF
    (`.msk`).
    """
    path = Path(path)
    picture = decode_picture(read_bytes(path), channels, name=f"'{path}'", max_pixels=max_pixels)
    return Picture(picture.image, joined(picture.missing, tiff.marked_beside(path, picture.image.shape[:2])))


def decode_image(
    data: bytes, channels: int = 3, *, name: str = "The image", max_pixels: int = MAX_PIXELS
) -> np.ndarray:
    """Decode the bytes of an image file; see `read_image`. Errors call it `name`."""
    return decode_picture(data, channels, name=name, max_pixels=max_pixels).image


def read_missing(path: str | Path, channels: int = 3) -> np.ndarray | None:
    """Mark the pixels of an image file that were not measured; it is decoded only where it may have some."""
    header = image_header(path)
    may = header.alpha or header.masked or header.nodata is not None or header.bits > _DEEPEST or header.kind == "NPY"
    return read_picture(path, channels).missing if may or tiff.mask_beside(Path(path)) else None


def decode_picture(data: bytes, channels: int = 3, *, name: str = "The image", max_pixels: int = MAX_PIXELS) -> Picture:
    """Decode the bytes of an image file; see `read_picture`. Errors call it `name`."""
    header = read_header(data, name)
    with _naming(name):
        _check_pixels(header, max_pixels)
        samples, opaque = _decode_samples(data, header, channels)
        stored = samples
        if header.nodata is not None and not tiff.shows_samples(data):
            stored = _upright(tiff.read_bands(data), header)
        missing = joined(unmeasured(stored, header.nodata), opaque, _masked(data, header))
        image = usual_depth(to_levels(samples, missing, channels), channels)
        return Picture(np.ascontiguousarray(_with_channels(image, channels, header.kind)), missing)


def _decode_samples(data: bytes, header: Header, channels: int) -> tuple[np.ndarray, np.ndarray | None]:
    """Decode to (H, W, C) samples, BGR where there are three, and mark the pixels that are transparent."""
    picture = channels in {1, 3}
    banded = not picture or _is_banded(header) or (header.kind == "TIFF" and tiff.needs_bands(data))
    samples = _decode_bands(data, header) if banded else _decode_layers(data, header)
    samples = samples[..., None] if samples.ndim == 2 else samples
    have = samples.shape[2]
    has_opacity = header.alpha or (header.kind == "NPY" and picture)
    transparent = None
    if has_opacity and have != channels and (have == channels + 1 or (picture and have in {2, 4})):
        samples, transparent = samples[..., :-1], samples[..., -1] == 0
    if banded and header.kind == "TIFF" and (picture or samples.shape[2] == 3):
        colours = samples.shape[2] == 3 or (samples.shape[2] == 4 and header.pages == 1)
        samples = samples[..., 2::-1] if colours else samples  # a fourth band has no meaning
    return samples, transparent


def _decode_layers(data: bytes, header: Header) -> np.ndarray:
    """Decode a picture, with its opacity as the last channel where it has one."""
    if not header.alpha:
        return _decode(data, header)
    image = None
    if header.kind not in {*_PILLOW_ONLY, "TIFF"}:  # OpenCV darkens colours of a TIFF by their opacity
        with _quiet_opencv():
            image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION)
    if image is None or image.ndim != 3 or image.shape[2] != 4:
        image = _decode_with_pillow(data, "RGBA")[..., (2, 1, 0, 3)]
    image = _upright(image, header)
    return image if header.channels > 2 or header.palette else image[..., (0, 3)]


def _masked(data: bytes, header: Header) -> np.ndarray | None:
    """Mark the pixels that a mask in the file leaves out."""
    stored = (header.width, header.height) if header.orientation > 4 else header.shape
    valid = tiff.read_valid(data, stored) if header.masked else None
    return None if valid is None else _upright(~valid, header)


def usual_depth(image: np.ndarray, channels: int) -> np.ndarray:
    """Reduce the samples of colour pictures to 8 bits; grey and bands keep theirs."""
    return to_depth(image, np.uint8) if channels == 3 else image


def to_depth(image: np.ndarray, dtype: np.dtype | type[np.unsignedinteger]) -> np.ndarray:
    """Express 8-bit levels in 16 bits, where 255 is 65535, or 16-bit levels in 8 by their high byte.

    Args:
        image: uint8 or uint16; of the wanted type already, it is returned itself.
        dtype: uint8 or uint16.
    """
    if image.dtype == dtype:
        return image
    return image.astype(np.uint16) * np.uint16(257) if dtype == np.uint16 else (image >> 8).astype(np.uint8)


def wrong_channels(shape: tuple[int, ...], channels: int, kind: str) -> str:
    """Say of a picture, (H, W, C) of a file of some kind, that it has not the channels that are needed."""
    message = f"has {shape[2]} channels, but {channels} are needed (channels: {channels} in the dataset YAML or model)."
    if kind == "NPY" and shape[0] == channels:
        message += f" Its shape {shape} looks like (C, H, W); save array.transpose(1, 2, 0), which is (H, W, C)."
    return message


def read_ids(path: str | Path, *, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Read a mask as the class ids it stores.

    These are the stored numbers, never what a viewer shows: the indices of a palette (one of greys, too), 0 and 1 of
    an image of 1 bit, the numbers of a TIFF whose white is 0. Opacity beside the ids is left out.

    Returns:
        (H, W) uint8, or uint16 if the file has more than 8 bits.

    Raises:
        MissingFile: there is no such file.
        ImageError: the file is unreadable, lossy (JPEG), a colour picture, or holds negative or fractional numbers.
    """
    data = read_bytes(Path(path))
    header = read_header(data, f"'{path}'")
    with _naming(f"'{path}'"):
        _check_pixels(header, max_pixels)
        if header.kind == "JPEG":
            raise ImageError("is a JPEG: lossy compression changes class ids. Save masks as PNG.")
        if header.pages > 1:
            raise ImageError(f"has {header.pages} pages or frames; a mask is a single picture.")
        if header.channels != 1 and not (header.channels == 2 and header.alpha):
            raise ImageError(
                f"has {header.channels} channels; a mask needs a single channel that holds class ids. "
                "Convert it (yolo convert colors-to-ids), or list its colours in the dataset YAML: "
                "colors: {name: [red, green, blue]}."
            )
        return np.ascontiguousarray(_upright(_decode_ids(data, header), header))


def image_size(path: str | Path) -> tuple[int, int]:
    """Read (height, width) of the upright picture without decoding it.

    Raises:
        MissingFile: there is no such file.
        ImageError: the file is not an image, or cut off.
    """
    return image_header(path).shape


def image_header(path: str | Path) -> Header:
    """Read what a file says of itself (see `Header`) without decoding it.

    Raises:
        MissingFile: there is no such file.
        ImageError: the file is not an image, or cut off.
    """
    return read_header(read_bytes(Path(path)), f"'{path}'")


def read_bytes(path: Path) -> bytes:
    """Read a whole file.

    Raises:
        MissingFile: there is no such file.
        ImageError: the system refuses to read it.
    """
    try:
        return read_regular(path)
    except FileNotFoundError as error:
        raise MissingFile(f"'{path}' does not exist.") from error
    except OSError as error:
        raise ImageError(f"'{path}' cannot be read: {error.strerror or error}.") from error


def _is_banded(header: Header) -> bool:
    """Tell whether a file must be read band by band because no decoder makes a picture of it."""
    return header.kind == "NPY" or (header.kind == "TIFF" and (header.channels > 4 or header.pages > 1))


def _decode(data: bytes, header: Header) -> np.ndarray:
    """Decode to BGR or grey at the file's own depth, upright."""
    image = None
    if header.kind not in _PILLOW_ONLY:
        grey = header.channels < 3 and not header.palette
        colour = cv2.IMREAD_GRAYSCALE if grey else cv2.IMREAD_COLOR
        flags = colour | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION
        with _quiet_opencv():
            image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
            if image is None and header.kind == "TIFF":  # colour conversion refuses floats, which are reported by name
                image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if image is None:
        image = _decode_with_pillow(data, "RGB")[..., ::-1]
    # OpenCV's TIFF reader turns the picture itself.
    return image if header.kind == "TIFF" and image.shape[:2] == header.shape else _upright(image, header)


@contextmanager
def _quiet_opencv() -> Iterator[None]:
    """Keep OpenCV from warning of every tag of a GeoTIFF that it does not know."""
    logging = cv2.utils.logging
    level = logging.getLogLevel()
    logging.setLogLevel(min(level, logging.LOG_LEVEL_ERROR))
    try:
        yield
    finally:
        logging.setLogLevel(level)


def _decode_with_pillow(data: bytes, mode: str) -> np.ndarray:
    try:
        with Image.open(io.BytesIO(data)) as image:
            return np.asarray(image.convert(mode))
    except (OSError, SyntaxError, ValueError) as error:
        raise ImageError(f"cannot be decoded: {error}.") from error


def _decode_bands(data: bytes, header: Header) -> np.ndarray:
    """Decode all bands in the file's order, (H, W, C)."""
    if header.kind == "NPY":
        array: np.ndarray = np.load(io.BytesIO(data), allow_pickle=False)
        return array[..., None] if array.ndim == 2 else array
    if header.kind == "TIFF":
        bands: np.ndarray = _upright(tiff.read_bands(data), header)
        return bands
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION)
    if image is None:
        raise ImageError("cannot be decoded.")
    image = _upright(image, header)
    return image[..., (2, 1, 0, 3)] if image.ndim == 3 and image.shape[2] == 4 else image


def _as_unsigned(image: np.ndarray) -> np.ndarray:
    """Accept 8 and 16-bit whole numbers; wider ones if they fit 16 bits."""
    if image.dtype in {np.dtype(np.uint8), np.dtype(np.uint16)}:
        return image
    if image.dtype.kind not in "iu":
        finite = np.isfinite(image)
        span = f"from {image[finite].min():g} to {image[finite].max():g}" if finite.any() else "none of them finite"
        bad = f", {image.size - np.count_nonzero(finite)} of them NaN or infinite" if not finite.all() else ""
        raise ImageError(
            f"holds {image.dtype} numbers ({span}{bad}), whose range is unknown. Save it as 8 or 16-bit integers."
        )
    low, high = int(image.min()), int(image.max())
    if low < 0 or high > 65535:
        raise ImageError(f"holds {image.dtype} numbers from {low} to {high}; 0 to 65535 are understood.")
    return image.astype(np.uint16)


def _with_channels(image: np.ndarray, channels: int, kind: str) -> np.ndarray:
    """Bring grey and colour to the wanted number of channels; anything else must match."""
    image = image[..., None] if image.ndim == 2 else image
    have = image.shape[2]
    if have == channels:
        return image
    if {have, channels} == {1, 3}:
        code = cv2.COLOR_GRAY2BGR if channels == 3 else cv2.COLOR_BGR2GRAY
        converted = cv2.cvtColor(image, code)
        return converted[..., None] if converted.ndim == 2 else converted
    raise ImageError(wrong_channels(image.shape, channels, kind))


def _decode_ids(data: bytes, header: Header) -> np.ndarray:
    """Decode the first channel without any conversion of its values."""
    if header.kind == "NPY":
        ids = np.load(io.BytesIO(data), allow_pickle=False)
    elif header.kind == "TIFF":
        ids = tiff.read_bands(data)
    elif header.kind == "PNG" and not header.palette:
        ids = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION)
        if ids is None:
            raise ImageError("cannot be decoded as a single channel of class ids.")
        ids = ids // _GREY_STEPS[header.bits] if header.bits in _GREY_STEPS else ids
    else:
        ids = _stored_samples(data)
    ids = ids if ids.ndim == 2 else ids[..., 0]
    return _as_unsigned(ids.astype(np.uint8) if ids.dtype == bool else ids)


def _stored_samples(data: bytes) -> np.ndarray:
    """Decode with Pillow to what is stored; a palette is not looked at."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            return np.asarray(image)
    except (OSError, SyntaxError, ValueError) as error:
        raise ImageError(f"cannot be decoded: {error}.") from error


def _upright(image: np.ndarray, header: Header) -> np.ndarray:
    """Undo the rotation or mirroring that EXIF asks a viewer to apply."""
    if header.orientation in {5, 6, 7, 8}:
        image = image.swapaxes(0, 1)
    if header.orientation in {2, 3, 6, 7}:
        image = image[:, ::-1]
    if header.orientation in {3, 4, 7, 8}:
        image = image[::-1]
    return image


@contextmanager
def _naming(name: str) -> Iterator[None]:
    """Turn "is cut off." into "'a.png' is cut off."."""
    try:
        yield
    except ImageError as error:
        raise ImageError(f"{name} {error}") from error
    except cv2.error as error:
        raise ImageError(f"{name} cannot be decoded: {error.err or error}.") from error
    except MemoryError as error:
        raise ImageError(f"{name} does not fit into memory.") from error
    except ValueError as error:
        raise ImageError(f"{name} cannot be decoded: {error}.") from error


def _check_pixels(header: Header, max_pixels: int) -> None:
    if header.height * header.width > max_pixels:
        raise ImageError(
            f"has {header.width} x {header.height} pixels; at most {max_pixels:,} are read. Tile or scale it."
        )
