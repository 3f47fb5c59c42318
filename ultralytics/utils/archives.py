"""Archives unpacked without trusting them: nothing outside the folder, no links, no bombs; all of it or nothing."""

from __future__ import annotations

import lzma
import re
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from ultralytics.errors import DownloadError
from ultralytics.utils.progress import progress

ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")

_BLOCK = 1 << 18
_MAX_RATIO = 100
_RATIO_FREE_BYTES = 100 << 20  # small archives may be as dense as they like
_MAX_UNPACKED = 256 << 30
_DAMAGE = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, NotImplementedError, EOFError)


def is_archive(path: Path) -> bool:
    """Tell an archive that can be unpacked by the end of its name."""
    return path.name.lower().endswith(ARCHIVES)


def unpack(archive: Path, folder: Path) -> list[Path]:
    """Unpack a zip or tar file and return the files made; a bad archive leaves nothing behind.

    Raises:
        DownloadError: the archive is damaged or encrypted, unpacks to far more than it holds, or has a member that
            is a link or would land outside the folder.
    """
    return safe_unzip(archive, folder) if archive.suffix.lower() == ".zip" else safe_untar(archive, folder)


def safe_unzip(archive: str | Path, folder: str | Path) -> list[Path]:
    """Unpack a zip file; see `unpack`."""
    archive, folder = Path(archive), Path(folder)
    try:
        with zipfile.ZipFile(archive) as file:
            members = _checked_members(file, archive)
            folder.mkdir(parents=True, exist_ok=True)
            needed, free = sum(member.file_size for member in members), shutil.disk_usage(folder).free
            if needed > free:
                raise DownloadError(f"'{archive}' unpacks to {needed:,} bytes; '{folder}' has room for {free:,}.")
            return _unpack(file, members, folder)
    except _DAMAGE as error:
        raise DownloadError(f"'{archive}' is damaged or not a zip file: {error}. Download it again.") from error


def safe_untar(archive: str | Path, folder: str | Path) -> list[Path]:
    """Unpack a tar file, compressed or not; see `unpack`.

    Its members are only known one after the other, so each is checked before it is written.
    """
    archive, folder = Path(archive), Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".unpacking-", dir=folder) as name:
        staging = Path(name)
        try:
            with tarfile.open(archive) as file:
                names = _untar(file, archive, staging)
        except (*_DAMAGE, OSError) as error:
            if isinstance(error, DownloadError):
                raise
            raise DownloadError(f"'{archive}' is damaged or not a tar file: {error}. Fetch it again.") from error
        return _move(names, staging, folder)


def _untar(file: tarfile.TarFile, archive: Path, staging: Path) -> list[str]:
    """Write the members of a tar file into a folder and list the files."""
    names, total = [], 0
    for member in progress(file, desc=f"unpacking {archive.name}", unit="file"):
        if member.isdir():
            continue
        reason = _bad_name(member.name) or ("" if member.isreg() else "is a link or a device")
        if reason:
            raise DownloadError(f"'{archive}' was not unpacked: its member '{member.name}' {reason}.")
        total += member.size
        _check_size(archive, total)
        if member.size > (free := shutil.disk_usage(staging).free):
            raise DownloadError(f"'{archive}' does not fit: '{staging.parent}' has room for {free:,} bytes more.")
        target = staging / member.name
        target.parent.mkdir(parents=True, exist_ok=True)
        source = file.extractfile(member)
        with target.open("wb") as copy:
            if source is not None:
                shutil.copyfileobj(source, copy, _BLOCK)
        names.append(member.name)
    return list(dict.fromkeys(names))


def _checked_members(file: zipfile.ZipFile, archive: Path) -> list[zipfile.ZipInfo]:
    """List the files of a zip after looking at every name, kind and size."""
    members = file.infolist()
    for member in members:
        if reason := _fault(member):
            raise DownloadError(f"'{archive}' was not unpacked: its member '{member.filename}' {reason}.")
    _check_size(archive, sum(member.file_size for member in members))
    return [member for member in members if not member.is_dir()]


def _check_size(archive: Path, unpacked: int) -> None:
    """Refuse an archive that would grow beyond measure."""
    packed = archive.stat().st_size
    if unpacked > _MAX_UNPACKED or (unpacked > _RATIO_FREE_BYTES and unpacked > _MAX_RATIO * packed):
        raise DownloadError(
            f"'{archive}' was not unpacked: its {packed:,} bytes claim to hold {unpacked:,}. "
            f"The limits are {_MAX_RATIO} times its size and {_MAX_UNPACKED:,} bytes."
        )


def _fault(member: zipfile.ZipInfo) -> str:
    """Say why a member must not be unpacked; nothing if it may."""
    # orig_filename, because zipfile itself turns the system's separators into slashes.
    if reason := _bad_name(member.orig_filename):
        return reason
    if stat.S_ISLNK(member.external_attr >> 16):
        return "is a link"
    return "is encrypted" if member.flag_bits & 1 else ""


def _bad_name(written: str) -> str:
    """Say why a member of this name must not be unpacked; nothing if it may."""
    name = PurePosixPath(written)
    if name.is_absolute() or ".." in name.parts or "\\" in written or ":" in written:
        return "would land outside the folder"
    return "has a name that is none" if re.search(r"[\x00-\x1f]", written) or not name.parts else ""


def _unpack(file: zipfile.ZipFile, members: list[zipfile.ZipInfo], folder: Path) -> list[Path]:
    """Unpack beside the folder's files, then move all in place."""
    with tempfile.TemporaryDirectory(prefix=".unpacking-", dir=folder) as name:
        staging = Path(name)
        for member in progress(members, desc=f"unpacking {Path(str(file.filename)).name}", unit="file"):
            target = staging / member.filename
            target.parent.mkdir(parents=True, exist_ok=True)
            with file.open(member) as source, target.open("wb") as copy:
                shutil.copyfileobj(source, copy, _BLOCK)  # zipfile stops at the size that was checked
        return _move([member.filename for member in members], staging, folder)


def _move(names: list[str], staging: Path, folder: Path) -> list[Path]:
    """Move files in place, keeping what is there besides."""
    made = []
    for name in names:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        made.append((staging / name).replace(target))
    return made
