"""Making the files of a dataset appear: drawing, downloading, unpacking. Nothing in a description is executed."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ultralytics.errors import DatasetError, DownloadError, unknown_name
from ultralytics.utils import LOGGER
from ultralytics.utils.archives import safe_unzip, unpack
from ultralytics.utils.downloads import download
from ultralytics.utils.env import user_cache_folder
from ultralytics.utils.files import sha256
from ultralytics.utils.imports import load

_GENERATORS: Mapping[str, str] = {"streets": "ultralytics.scenes:generate"}


def generate_dataset(scene: Any, root: Path, file: Path) -> None:
    """Draw an embedded dataset into its folder; what is there already stays.

    Raises:
        DatasetError: there is no generator of that name.
    """
    if scene not in _GENERATORS:
        raise DatasetError(f"'{file}': {unknown_name('generator', scene, _GENERATORS)}")
    load(_GENERATORS[scene])(root)


def download_dataset(url: Any, root: Path, file: Path, missing: list[Path]) -> None:
    """Fetch and unpack a zip so that its content, or the one folder in it, becomes the dataset's folder.

    Raises:
        DatasetError: the value is not an http(s) address.
        DownloadError: the file cannot be had or is not a sound archive.
    """
    absent = f"'{file}': '{missing[0]}' does not exist"
    if not isinstance(url, str) or not url.startswith(("http://", "https://")) or len(url.split()) != 1:
        raise DatasetError(f"{absent}, and 'download' is not the address of a zip file; code in it is never executed.")
    LOGGER.info(f"{absent}; downloading {url}")
    root.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{root.name}-", dir=root.parent) as folder:
        archive = download(url, root.parent / Path(url).name)
        unpacked = Path(folder) / "unpacked"
        safe_unzip(archive, unpacked)
        shutil.copytree(_content(unpacked), root, dirs_exist_ok=True)
        archive.unlink()


def unpacked_folder() -> Path:
    """Folder in which the datasets that were given as archives lie."""
    return user_cache_folder() / "archives"


def unpack_dataset(archive: Path) -> Path:
    """Unpack an archive once into the user's cache, and return the folder of the dataset in it.

    The folder's name tells the archive's content, so that a changed archive is another one.

    Raises:
        DatasetError: the archive is damaged, or unsafe to unpack.
    """
    stem = archive.name.split(".")[0] or "dataset"
    target = unpacked_folder() / f"{stem}-{sha256(archive)[:16]}"
    if not target.is_dir():
        LOGGER.info(f"Unpacking '{archive}' to '{target}'.")
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".unpacking-", dir=target.parent) as folder:
            made = Path(folder) / "content"
            try:
                unpack(archive, made)
            except DownloadError as error:
                raise DatasetError(str(error)) from error
            try:
                made.rename(target)
            except OSError:
                if not target.is_dir():  # else another process was faster
                    raise
    return _content(target)


def _content(folder: Path) -> Path:
    """Go down while a folder holds nothing but one other folder, unless that is part of a dataset's layout."""
    while True:
        inside = [path for path in folder.iterdir() if not path.name.startswith((".", "__MACOSX"))]
        if len(inside) != 1 or not inside[0].is_dir() or inside[0].name in {"images", "train"}:
            return folder
        folder = inside[0]
