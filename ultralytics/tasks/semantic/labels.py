"""From label files to raw class ids, and the facts of an image and its label.

Raw ids are what the files hold; `DatasetSpec.label_table` says which class each of them means.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ultralytics.data.description.headers import read_header
from ultralytics.data.description.spec import NO_POLYGON, NUM_RAW_IDS, DatasetSpec
from ultralytics.data.imread import decode_picture, image_header, read_bytes, read_ids, read_image, to_depth
from ultralytics.data.measured import Picture
from ultralytics.data.polygons import read_polygons
from ultralytics.data.scan import SampleFacts, SamplePaths
from ultralytics.errors import DatasetError, ImageError, MissingFile
from ultralytics.utils.ops.masks import polygons_to_class_map

UNKNOWN_COLOR = 65533
"""Raw id of a colour that the dataset does not name."""

MAX_IMAGE_BYTES = 512 << 20
"""Largest image, decoded, that training accepts: several are in memory at once."""


@dataclass(frozen=True)
class LabelReader:
    """Reads the label of an image as raw ids.

    Attributes:
        polygons: whether labels are text files of polygons.
        colors: (code, class id or -1 for ignored) of each colour, sorted by code, if masks are colour pictures.
        threshold: grey level from which on a pixel has the id 1, else 0; 0 if masks hold ids.
    """

    polygons: bool
    colors: tuple[tuple[int, int], ...] = ()
    threshold: int = 0

    @classmethod
    def from_spec(cls, spec: DatasetSpec) -> LabelReader:
        """Make the reader for a dataset."""
        colors = ((color_code(np.array(rgb)), -1 if k is None else k) for rgb, k in spec.colors.items())
        return cls(spec.uses_polygons, tuple(sorted((int(code), k) for code, k in colors)), spec.threshold or 0)

    def __call__(self, file: Path, shape: tuple[int, int]) -> np.ndarray:
        """Read a label.

        Args:
            file: mask or polygon file; polygons may be missing, which means that there are none.
            shape: (height, width) of the image, for polygons.

        Returns:
            (H, W) uint8 or uint16 raw ids.

        Raises:
            ImageError: a mask cannot be read as ids.
            DatasetError: a polygon file cannot be understood.
        """
        if self.polygons:
            return self._draw(file, shape)
        if self.threshold:
            return (to_depth(read_image(file, 1)[..., 0], np.uint8) >= self.threshold).view(np.uint8)
        return self._from_colors(file) if self.colors else read_ids(file)

    def _draw(self, file: Path, shape: tuple[int, int]) -> np.ndarray:
        polygons = read_polygons(file)[0] if file.is_file() else []
        scale = np.array(shape[::-1])
        return polygons_to_class_map(
            [polygon.points * scale for polygon in polygons],
            [polygon.label for polygon in polygons],
            shape,
            background=NO_POLYGON,
            dtype=np.uint16,
        )

    def _from_colors(self, file: Path) -> np.ndarray:
        if image_header(file).kind == "JPEG":
            raise ImageError(f"'{file}' is a JPEG: lossy compression changes colours. Save masks as PNG.")
        codes = color_code(read_image(file)[..., ::-1])
        known, ids = np.array(self.colors).T
        position = np.searchsorted(known, codes).clip(max=len(known) - 1)
        targets = np.where(ids < 0, NUM_RAW_IDS - 1, ids).astype(np.uint16)
        return np.where(known[position] == codes, targets[position], np.uint16(UNKNOWN_COLOR))


@dataclass(frozen=True)
class LabelExaminer:
    """Finds out the facts of an image and its label; see `Examine`."""

    reader: LabelReader
    channels: int

    @property
    def signature(self) -> str:
        """Whatever changes the facts."""
        return repr((self.reader, self.channels, MAX_IMAGE_BYTES, "measured"))

    def __call__(self, pair: SamplePaths) -> SampleFacts:
        """Decode both files in full: a fault is found here or in the middle of training."""
        try:
            data = read_bytes(pair.image)
            image, missing = self._decode(data, f"'{pair.image}'")
        except (ImageError, MissingFile) as error:
            return SampleFacts(kind="unusable image", fault=str(error))
        height, width = shape = image.shape[:2]
        digest = hashlib.blake2b(data, digest_size=16).hexdigest()
        facts = SampleFacts(height, width, image.dtype.itemsize * 8, digest=digest)
        try:
            ids = self.reader(pair.label, shape)
            notes = _polygon_notes(pair.label) if self.reader.polygons else ()
        except MissingFile:
            fault = f"'{pair.image}' has no mask: '{pair.label}' does not exist."
            return replace(facts, kind="missing mask", fault=fault)
        except ImageError as error:
            return replace(facts, kind=_mask_kind(pair.label), fault=str(error))
        except DatasetError as error:
            return replace(facts, kind="unusable label", fault=str(error))
        if ids.shape != shape:
            sizes = f"{ids.shape[1]} x {ids.shape[0]} pixels, its image {width} x {height}"
            return replace(facts, kind="mask of another size", fault=f"'{pair.label}' has {sizes}.")
        counts = np.bincount(ids.ravel() if missing is None else ids[~missing], minlength=1)
        present = np.flatnonzero(counts)
        return replace(facts, counts=dict(zip(present.tolist(), counts[present].tolist(), strict=True)), notes=notes)

    def _decode(self, data: bytes, name: str) -> Picture:
        """Decode an image that training can take."""
        header = read_header(data, name)
        if header.pages > 1 and header.kind != "TIFF":
            raise ImageError(f"{name} is an animation of {header.pages} frames. Save the frames you need as images.")
        size = header.height * header.width * self.channels * max(header.bits // 8, 1)
        if size > MAX_IMAGE_BYTES:
            raise ImageError(
                f"{name} has {header.width} x {header.height} pixels, {size >> 20:,} MiB decoded; training takes "
                f"{MAX_IMAGE_BYTES >> 20} MiB at most. Cut it into tiles."
            )
        return decode_picture(data, self.channels, name=name)


def _polygon_notes(file: Path) -> tuple[tuple[str, str], ...]:
    if not file.is_file():
        return (("image without a label file (background only)", f"'{file}' does not exist."),)
    return tuple(("polygon row left out", f"'{file}': {note}.") for note in read_polygons(file)[1])


def _mask_kind(file: Path) -> str:
    """Tell colour pictures from masks that cannot be read at all."""
    try:
        return "colour mask" if image_header(file).channels > 1 else "unusable mask"
    except ImageError:
        return "unusable mask"


def color_code(rgb: np.ndarray) -> np.ndarray:
    """Join the three bytes of (..., 3) colours into one number each."""
    codes: np.ndarray = rgb.astype(np.int32) @ np.array([1 << 16, 1 << 8, 1], np.int32)
    return codes
