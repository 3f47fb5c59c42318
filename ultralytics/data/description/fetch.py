"""Making the files of a dataset appear: drawing them, or downloading a zip. Nothing in a description is executed."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ultralytics.errors import DatasetError, unknown_name
from ultralytics.utils import LOGGER
from ultralytics.utils.downloads import download, safe_unzip
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
        inside = [path for path in unpacked.iterdir() if not path.name.startswith((".", "__MACOSX"))]
        only = (
            inside[0] if len(inside) == 1 and inside[0].is_dir() and inside[0].name not in {"images", "train"} else None
        )
        shutil.copytree(only or unpacked, root, dirs_exist_ok=True)
        archive.unlink()
