"""The parts of TIFF that OpenCV and Pillow leave out: EXIF tags, and images of more than four bands.

Bands are decoded by a detour that needs no TIFF codec of our own. A row of W pixels with N samples is the same bytes as
a row of N x W grey pixels, so a copy of the file whose directory says "grey, N x W wide" is handed to OpenCV, and its
answer is reshaped. Samples of 1, 2 and 4 bits travel as the bytes that hold them. Horizontal differencing (predictor 2)
runs per band and is undone here.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ultralytics.errors import ImageError

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, ORIENTATION, SAMPLES, PLANAR, PREDICTOR, FORMAT = (
    256, 257, 258, 259, 262, 274, 277, 284, 317, 339,
)  # fmt: skip
_SUBFILE, _ROWS_PER_STRIP, _TILE_WIDTH, _TILE_HEIGHT = 254, 278, 322, 323
_STRIPS = (273, 279)  # offsets, byte counts
_TILES = (324, 325)

ALPHA, NODATA = 338, 42113

_TYPES = {1: "B", 2: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 13: "I", 16: "Q", 17: "q", 18: "Q"}
_MAX_PAGES = 4096
_MAX_VALUES = 1 << 22
_FILL_ORDER, _FAX_OPTIONS = 266, (292, 293)
_JPEG_IN_TIFF = {6, 7}
_FAX = {2, 3, 4}  # compressions of black and white, whose rows are no bytes before they are decoded


@dataclass(frozen=True, slots=True)
class Directory:
    """The integer tags of one page; characters of a text are integers too."""

    tags: dict[int, tuple[int, ...]]

    def get(self, tag: int, default: int) -> int:
        """First value of a tag."""
        values = self.tags.get(tag)
        return values[0] if values else default

    @property
    def is_reduced(self) -> bool:
        """Whether the page is an overview or a transparency mask of another one, not a picture of its own."""
        return bool(self.get(_SUBFILE, 0) & 0b101)

    @property
    def is_mask(self) -> bool:
        """Whether the page tells which pixels of the first one were measured."""
        return self.get(_SUBFILE, 0) & 0b101 == 0b100

    @property
    def has_alpha(self) -> bool:
        """Whether the last sample of a pixel is its opacity; a further band without a meaning is none."""
        return self.get(SAMPLES, 1) > 1 and (self.tags.get(ALPHA) or (0,))[-1] in {1, 2}

    @property
    def nodata(self) -> float | None:
        """The value that GDAL's tag names for samples that were not measured."""
        try:
            return float(bytes(self.tags.get(NODATA, ())).rstrip(b"\0 ").decode("ascii"))
        except ValueError:
            return None


@dataclass(frozen=True, slots=True)
class _Flavour:
    """Byte order and field widths: classic TIFF counts in 32 bits, BigTIFF in 64."""

    order: str
    big: bool

    @property
    def count(self) -> str:
        return self.order + ("Q" if self.big else "H")

    @property
    def offset(self) -> str:
        return self.order + ("Q" if self.big else "I")

    @property
    def entry(self) -> str:
        return self.order + ("HHQ8s" if self.big else "HHI4s")

    @property
    def first(self) -> int:
        """Where the header keeps the position of the first directory."""
        return 8 if self.big else 4


def read_directories(data: bytes) -> list[Directory]:
    """List the pages of a TIFF file (or the single directory of an EXIF block); [] if it is neither or damaged."""
    flavour = _flavour(data)
    if flavour is None:
        return []
    try:
        position = struct.unpack_from(flavour.offset, data, flavour.first)[0]
        pages: list[Directory] = []
        seen: set[int] = set()
        while position and position not in seen and len(pages) < _MAX_PAGES:
            seen.add(position)
            directory, position = _read_directory(data, position, flavour)
            pages.append(directory)
    except struct.error:  # a position beyond the end: the file is cut
        return []
    return pages


def pages_of(path: Path) -> list[Directory]:
    """List the pages of a TIFF file without reading it whole; [] if it is none."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return read_directories(data)  # type: ignore[arg-type]
    except (OSError, ValueError):
        return []


def read_bands(data: bytes) -> np.ndarray:
    """Decode every band of a TIFF file in the file's order.

    Bands may be interleaved, in separate planes, or one to a page; overviews are skipped. Numbers are those that are
    stored: indices of a palette, and of a picture whose white is 0, as they are.

    Returns:
        (H, W, C) array of the file's sample type.

    Raises:
        ImageError: pages differ in size, or the compression cannot be undone.
    """
    flavour = _flavour(data)
    pages = [page for page in read_directories(data) if not page.is_reduced]
    if flavour is None or not pages:
        raise ImageError("is not a whole TIFF file.")
    bands = [band for page in pages for band in _decode_page(data, page, flavour)]
    if len({band.shape[:2] for band in bands}) > 1:
        raise ImageError(f"has {len(pages)} pages of different sizes; bands must all have one size.")
    if len({band.dtype for band in bands}) > 1:
        raise ImageError(f"has {len(pages)} pages of different sample types; bands must all have one.")
    return bands[0] if len(bands) == 1 else np.concatenate(bands, axis=2)


def needs_bands(data: bytes) -> bool:
    """Tell whether the samples of a picture have to be read one by one to be what the file holds.

    Decoders of pictures blend colours with the opacity, refuse numbers that are no levels, and take the first of
    several bands without a meaning for grey.
    """
    page = next((page for page in read_directories(data) if not page.is_reduced), None)
    if page is None or page.get(COMPRESSION, 1) in _JPEG_IN_TIFF or page.get(PHOTOMETRIC, 1) not in {1, 2}:
        return False
    several = page.get(PHOTOMETRIC, 1) == 1 and page.get(SAMPLES, 1) > 2
    return page.get(PREDICTOR, 1) != 3 and (page.has_alpha or page.get(FORMAT, 1) != 1 or several)


def shows_samples(data: bytes) -> bool:
    """Tell whether a decoded picture has the numbers of the file: no palette, and black is 0."""
    return next(
        (page.get(PHOTOMETRIC, 1) not in {0, 3} for page in read_directories(data) if not page.is_reduced), True
    )


def read_valid(data: bytes, shape: tuple[int, int]) -> np.ndarray | None:
    """Decode the mask page of a TIFF file, (H, W) bool, true where its first page was measured; None without one.

    Raises:
        ImageError: the mask cannot be decoded, or has not the (height, width) of the picture.
    """
    flavour = _flavour(data)
    masks = [page for page in read_directories(data) if page.is_mask]
    if flavour is None or not masks:
        return None
    valid = _decode_page(data, masks[0], flavour)[0][..., 0] != 0
    if valid.shape != shape:
        raise ImageError(
            f"has a mask of {valid.shape[1]} x {valid.shape[0]} pixels, and {shape[1]} x {shape[0]} itself."
        )
    return valid


def mask_beside(path: Path) -> Path | None:
    """Find the mask in a file of its own that belongs to a TIFF file; None without one."""
    mask = path.with_name(f"{path.name}.msk")
    return mask if path.suffix.lower() in {".tif", ".tiff"} and mask.is_file() else None


def marked_beside(path: Path, shape: tuple[int, ...]) -> np.ndarray | None:
    """Mark the pixels that the mask beside a TIFF file leaves out, (H, W) bool; None without one.

    Raises:
        ImageError: the mask cannot be decoded, or has not the (height, width) of the picture.
    """
    mask = mask_beside(path)
    if mask is None:
        return None
    valid = read_bands(mask.read_bytes())[..., 0] != 0
    if valid.shape != shape:
        raise ImageError(f"'{mask}' is a mask of {valid.shape[1]} x {valid.shape[0]} pixels for another size of image.")
    return ~valid


def _flavour(data: bytes) -> _Flavour | None:
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None or len(data) < 8:
        return None
    version = struct.unpack_from(order + "H", data, 2)[0]
    return _Flavour(order, version == 43) if version in {42, 43} else None


def _read_directory(data: bytes, position: int, flavour: _Flavour) -> tuple[Directory, int]:
    """Read one directory and the position of the next."""
    count = struct.unpack_from(flavour.count, data, position)[0]
    position += struct.calcsize(flavour.count)
    step = struct.calcsize(flavour.entry)
    if position + count * step > len(data):
        raise struct.error("directory beyond the end of the file")
    tags = {}
    for entry in range(count):
        tag, kind, number, inline = struct.unpack_from(flavour.entry, data, position + entry * step)
        if kind not in _TYPES or number > _MAX_VALUES:
            continue
        values = f"{flavour.order}{number}{_TYPES[kind]}"
        if struct.calcsize(values) <= len(inline):
            tags[tag] = struct.unpack_from(values, inline)
        else:
            tags[tag] = struct.unpack_from(values, data, struct.unpack(flavour.offset, inline)[0])
    position += count * step
    following = struct.unpack_from(flavour.offset, data, position)[0] if position + 4 <= len(data) else 0
    return Directory(tags), following


def _decode_page(data: bytes, page: Directory, flavour: _Flavour) -> list[np.ndarray]:
    """Decode one page into arrays of (H, W, samples); a planar page gives one array for each plane."""
    samples = page.get(SAMPLES, 1)
    if page.get(COMPRESSION, 1) in _JPEG_IN_TIFF and samples > 1:
        raise ImageError(
            "keeps its bands JPEG-compressed, which is lossy and not supported; save it with deflate or LZW."
        )
    if page.get(PREDICTOR, 1) not in {1, 2}:
        raise ImageError(f"uses TIFF predictor {page.get(PREDICTOR, 1)}; save it with predictor 1 or 2.")
    if samples > 1 and page.get(PLANAR, 1) == 2:
        blocks = len(page.tags[_block_tags(page)[0]]) // samples
        return [_decode_block(data, page, flavour, 1, slice(k * blocks, (k + 1) * blocks)) for k in range(samples)]
    return [_decode_block(data, page, flavour, samples, slice(None))]


def _decode_block(data: bytes, page: Directory, flavour: _Flavour, samples: int, blocks: slice) -> np.ndarray:
    """Decode strips or tiles holding `samples` interleaved bands as if they were one wide grey image."""
    grey = _as_grey(data, page, flavour, samples, blocks)
    image = cv2.imdecode(np.frombuffer(grey, np.uint8), cv2.IMREAD_UNCHANGED)
    height, width = page.get(HEIGHT, 0), page.get(WIDTH, 0)
    if image is None or image.shape != (height, _bytes_wide(page, width * samples)):
        raise ImageError("is a TIFF whose compression or sample type cannot be decoded.")
    if page.get(COMPRESSION, 1) in _FAX:
        image = image // 255
    elif page.get(BITS, 1) < 8:
        image = _unpacked(image, page.get(BITS, 1))[:, : width * samples]
    image = image.reshape(height, width, samples)
    if page.get(PREDICTOR, 1) == 2:
        span = page.get(_TILE_WIDTH, width)  # differences start afresh in every tile
        for left in range(0, width, span):
            part = image[:, left : left + span]
            np.cumsum(part, axis=1, dtype=image.dtype, out=part)
    return image


def _bytes_wide(page: Directory, samples: int) -> int:
    """Say how many numbers OpenCV has to read for a row: its samples, or the bytes in which several of them lie."""
    bits = page.get(BITS, 1)
    return samples if bits >= 8 or page.get(COMPRESSION, 1) in _FAX else -(-samples * bits // 8)


def _unpacked(packed: np.ndarray, bits: int) -> np.ndarray:
    """Take apart bytes that hold samples of 1, 2 or 4 bits, the first in the highest bits."""
    shifts = np.arange(8 - bits, -1, -bits, dtype=np.uint8)
    return (packed[..., None] >> shifts & (2**bits - 1)).reshape(len(packed), -1)


def _block_tags(page: Directory) -> tuple[int, int]:
    return _TILES if _TILES[0] in page.tags else _STRIPS


def _as_grey(data: bytes, page: Directory, flavour: _Flavour, samples: int, blocks: slice) -> bytes:
    """Copy a file with a new directory that describes the chosen blocks as one band, `samples` times as wide."""
    offsets, counts = _block_tags(page)
    fax = page.get(COMPRESSION, 1) in _FAX
    tags: dict[int, Sequence[int]] = {
        WIDTH: [_bytes_wide(page, page.get(WIDTH, 0) * samples)],
        HEIGHT: [page.get(HEIGHT, 0)],
        BITS: [page.get(BITS, 1) if fax else max(page.get(BITS, 1), 8)],
        COMPRESSION: [page.get(COMPRESSION, 1)],
        PHOTOMETRIC: [1],
        SAMPLES: [1],
        PLANAR: [1],
        FORMAT: [page.get(FORMAT, 1)],
        offsets: page.tags.get(offsets, ())[blocks],
        counts: page.tags.get(counts, ())[blocks],
    }
    if offsets in _TILES:
        tags[_TILE_WIDTH] = [_bytes_wide(page, page.get(_TILE_WIDTH, 0) * samples)]
        tags[_TILE_HEIGHT] = [page.get(_TILE_HEIGHT, 0)]
    else:
        tags[_ROWS_PER_STRIP] = [min(page.get(_ROWS_PER_STRIP, page.get(HEIGHT, 0)), page.get(HEIGHT, 0))]
    tags |= {tag: page.tags[tag] for tag in (_FILL_ORDER, *_FAX_OPTIONS) if tag in page.tags}
    return _with_directory(data, tags, flavour)


def _with_directory(data: bytes, tags: dict[int, Sequence[int]], flavour: _Flavour) -> bytes:
    """Append a directory to a file and make it the first one; values are written as 32 or, in BigTIFF, 64 bits."""
    kind, width = (16, 8) if flavour.big else (4, 4)
    body = bytearray(data)
    body += bytes(-len(body) % 8)
    entries = []
    for tag, values in sorted(tags.items()):
        packed = struct.pack(f"{flavour.order}{len(values)}{_TYPES[kind]}", *values)
        if len(packed) > width:
            position = len(body)
            body += packed
            packed = struct.pack(flavour.offset, position)
        entries.append(struct.pack(flavour.entry, tag, kind, len(values), packed))
    struct.pack_into(flavour.offset, body, flavour.first, len(body))
    body += struct.pack(flavour.count, len(entries)) + b"".join(entries) + struct.pack(flavour.offset, 0)
    return bytes(body)
