"""Which files make a split: images of folders, lists and globs, and the label file of each image."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from ultralytics.data.imread import ARRAY_FORMATS, IMG_FORMATS
from ultralytics.errors import DatasetError
from ultralytics.utils.files import read_regular
from ultralytics.utils.patterns import expand, is_pattern

_PICTURES = IMG_FORMATS | {"gif"}  # a GIF is listed so that the scan can say why it is not usable, or use it
_VOC_IMAGES = "JPEGImages"
BESIDE = "."
"""Name of the labels' folder where labels lie beside their images."""


def suffix(path: str | Path) -> str:
    """Lower-case suffix without the dot."""
    return Path(path).suffix[1:].lower()


def exists(source: Path) -> bool:
    """Tell whether a source names something: a file, a folder, or a pattern with a match."""
    return next(expand(source), None) is not None if is_pattern(source) else source.exists()


def list_images(source: Path, root: Path, images_dir: str = "images") -> list[Path]:
    """List the images of one source in the order of their names, or of the list file.

    Args:
        source: folder (searched with its subfolders), `.txt` list, glob, or image file.
        root: folder against which a list file's entries are tried after the list's own folder.
        images_dir: folder in it that is tried last.

    Raises:
        DatasetError: there is no such thing.
    """
    if is_pattern(source):
        found = [image for path in sorted(expand(source)) for image in (_walk(path) if path.is_dir() else [path])]
        return [image for image in found if _is_picture(image) and image.is_file()]
    if source.is_dir():
        return list(_walk(source))
    if is_list(source):
        return read_list(source, root, images_dir)[0]
    if source.is_file():
        return [source]
    raise DatasetError(f"'{source}' does not exist.")


def is_list(source: Path) -> bool:
    """Tell a text file that names images from an image."""
    return source.suffix.lower() == ".txt"


def _is_picture(path: str | Path) -> bool:
    return suffix(path) in _PICTURES or suffix(path) in ARRAY_FORMATS


def _walk(folder: Path) -> Iterator[Path]:
    """Walk a folder in order, following links to folders once; hidden files are not data (macOS leaves `._a.png`)."""
    seen: set[str] = set()
    for parent, folders, files in os.walk(folder, followlinks=True):
        seen.add(os.path.realpath(parent))
        folders[:] = sorted(
            name for name in folders if not name.startswith(".") and os.path.realpath(Path(parent, name)) not in seen
        )
        pictures = sorted(name for name in files if suffix(name) in _PICTURES and not name.startswith("."))
        stems = {Path(name).stem for name in pictures}
        arrays = (name for name in files if suffix(name) in ARRAY_FORMATS and Path(name).stem not in stems)
        for name in sorted([*pictures, *arrays]):
            if (path := Path(parent, name)).is_file():  # a named pipe would be waited for without end
                yield path


def read_list(file: Path, root: Path, images_dir: str = "images") -> tuple[list[Path], list[str]]:
    """Read a list of images: a path or the stem of a name in each row; blank rows and those after a `#` do not count.

    Entries are absolute, or relative to the list's folder, to the dataset, or to its folder of images. Separators may
    be those of Windows.

    Returns:
        The images, each once, and a sentence for each entry that names no file.

    Raises:
        DatasetError: there is no such list, or it cannot be read.
    """
    try:
        data = read_regular(file)
        encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
        lines = data.decode(encoding).splitlines()
    except FileNotFoundError as error:
        raise DatasetError(f"The list '{file}' does not exist.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"The list '{file}' cannot be read: {error}.") from error
    bases = dict.fromkeys((file.parent, root, root / images_dir, root / _VOC_IMAGES))
    stems: dict[Path, dict[str, str]] = {}
    images: dict[Path, None] = {}
    missing = []
    for number, line in enumerate(lines, start=1):
        entry = line.strip()
        if not entry:
            continue
        if image := _find_entry(entry, bases, stems):
            images[image] = None
        elif not entry.startswith("#"):
            text = f"'{file}', line {number}: '{entry}' is neither in '{file.parent}' nor in '{root}'."
            missing.append(text)
    return list(images), missing


def _find_entry(entry: str, bases: Iterable[Path], stems: dict[Path, dict[str, str]]) -> Path | None:
    """Find what a row of a list names; `stems` keeps the names of folders that were looked through."""
    for text in dict.fromkeys((entry, entry.replace("\\", "/"))):
        for base in bases:
            path = base / text
            if path.is_file():
                return path
            if _is_picture(path) or not path.parent.is_dir():
                continue
            if path.parent not in stems:
                pictures = (image for image in sorted(path.parent.iterdir(), reverse=True) if _is_picture(image))
                stems[path.parent] = {image.stem: image.name for image in pictures}
            if name := stems[path.parent].get(path.name):
                return path.with_name(name)
    return None


class LabelFinder:
    """Find the label file of an image by mirroring its path.

    The last folder called `images_dir` becomes `labels_dir`; where there is none, the path below the dataset's root is
    repeated below `root/labels_dir`. The stem stays, but for the ends given. A `labels_dir` of "." stands for the
    folder of the image itself; an image is never its own label.

    Args:
        root: folder of the dataset.
        images_dir: name of the folder that holds the images.
        labels_dir: name of the folder that holds the labels.
        suffixes: suffixes of label files without the dot, the preferred one first.
        image_end: end of image names that labels lack ("_leftImg8bit.png").
        label_end: end of label names in its place ("_gtFine_labelIds.png").
    """

    def __init__(
        self,
        root: Path,
        *,
        images_dir: str,
        labels_dir: str,
        suffixes: Iterable[str],
        image_end: str = "",
        label_end: str = "",
    ) -> None:
        self.root = root
        self.images_dir = images_dir
        self.labels_dir = labels_dir
        self.suffixes = list(suffixes)
        self.image_end = image_end
        self.label_end = label_end
        self._folders: dict[Path, dict[str, str]] = {}

    def __call__(self, image: Path) -> Path | None:
        """Return the label file of an image, None if it has none."""
        stem = self._stem(image)
        for folder in self.folders(image.parent):
            names = self._names(folder)
            for end in [self.label_end] if self.label_end else [f".{suffix}" for suffix in self.suffixes]:
                name = names.get(stem + end)
                if name == image.name and folder == image.parent:
                    break  # it is the label of others, or of none
                if name:
                    return folder / name
        return None

    def expected(self, image: Path) -> Path:
        """Return the path at which a label is looked for first."""
        return next(self.folders(image.parent)) / (self._stem(image) + (self.label_end or f".{self.suffixes[0]}"))

    def folder(self, image: Path) -> Path:
        """Return the folder that holds the label of an image, if it has one."""
        label = self(image)
        return label.parent if label else next(self.folders(image.parent))

    def _stem(self, image: Path) -> str:
        return image.name.removesuffix(self.image_end) if self.image_end else image.stem

    def folders(self, images: Path) -> Iterator[Path]:
        """Yield the folders in which the labels of a folder's images are looked for, the most likely one first."""
        if self.labels_dir == BESIDE:
            yield images
            return
        parts = images.parts
        if self.images_dir in parts:
            last = len(parts) - 1 - parts[::-1].index(self.images_dir)
            yield Path(*parts[:last], self.labels_dir, *parts[last + 1 :])
        if images.is_relative_to(self.root):
            yield self.root / self.labels_dir / images.relative_to(self.root)
        elif self.images_dir not in parts:
            yield images / self.labels_dir

    def without_labels(self, images: list[Path]) -> list[Path]:
        """Leave out what is a label: masks in a folder of images would be trained on as images."""
        parents = {image.parent for image in images}
        shared = parents & {folder for parent in parents for folder in self.folders(parent)}
        if not shared:
            return images
        labels = {image: label for image in images if (label := self(image))}
        found = set(labels.values())
        only_labels = {label.parent for label in found} - {image.parent for image in labels}
        kept = [image for image in images if image not in found and image.parent not in only_labels]
        if self.labels_dir == BESIDE:  # the ends of names tell both apart, also where one of the two is missing
            kept = [image for image in kept if image.name.endswith(self.image_end)]
            kept = [image for image in kept if not (self.label_end and image.name.endswith(self.label_end))]
        return kept

    def _names(self, folder: Path) -> dict[str, str]:
        """Names in a folder, also in the form with a lower-case suffix; one listing is cheaper than many questions."""
        if folder not in self._folders:
            files = [path.name for path in folder.iterdir()] if folder.is_dir() else []
            self._folders[folder] = {f"{Path(name).stem}.{suffix(name)}": name for name in files} | {
                n: n for n in files
            }
        return self._folders[folder]


def hashed_split(images: list[Path], root: Path, share: float = 0.1) -> tuple[list[Path], list[Path]]:
    """Divide images into a training and a validation part by a hash of their names.

    The part an image falls into does not change when others are added.

    Raises:
        DatasetError: there are fewer than two images.
    """
    if len(images) < 2:
        raise DatasetError(f"'{root}' holds {len(images)} images; at least 2 are needed, to train and to validate.")

    def rank(image: Path) -> float:
        name = Path(os.path.relpath(image, root)).as_posix()
        return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big") / 2**64

    ordered = sorted(images, key=rank)
    held_out = {image for image in ordered if rank(image) < share} or {ordered[0]}
    held_out.discard(ordered[-1])
    return [image for image in images if image not in held_out], [image for image in images if image in held_out]
