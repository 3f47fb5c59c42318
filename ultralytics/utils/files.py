"""Files and folders: names that do not collide, writes that are whole or absent, hashes."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def increment_path(path: str | Path, exist_ok: bool = False) -> Path:
    """Return `path`, or `path-2`, `path-3`, … if it is taken; nothing is created.

    Args:
        path: wanted file or folder; a file keeps its suffix (`a.jpg` -> `a-2.jpg`).
        exist_ok: return `path` even if it exists.
    """
    path = Path(path)
    if exist_ok or not path.exists():
        return path
    stem, suffix = (path.stem, path.suffix) if path.suffix and not path.is_dir() else (path.name, "")
    number = 2
    while (candidate := path.with_name(f"{stem}-{number}{suffix}")).exists():
        number += 1
    return candidate


def reserve_folder(path: Path, exist_ok: bool = False) -> Path:
    """Make `path`, or `path-2`, `path-3`, … if it is there; of processes that ask together each gets its own.

    Args:
        path: wanted folder; missing parents are made.
        exist_ok: take `path` even if it exists.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    candidate, number = path, 2
    while True:
        try:
            candidate.mkdir(exist_ok=exist_ok)
        except FileExistsError:
            candidate, number = path.with_name(f"{path.name}-{number}"), number + 1
        else:
            return candidate


@contextmanager
def reserved_folder(path: Path, exist_ok: bool = False) -> Iterator[Path]:
    """Reserve a folder for the block; what was made for it and stays empty is removed at the end."""
    parents = [parent for parent in path.parents if not parent.exists()]  # the nearest first
    folder = reserve_folder(path, exist_ok)
    try:
        yield folder
    finally:
        with suppress(OSError):  # the first that is not empty
            for place in (folder, *parents):
                place.rmdir()


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path in the same folder that becomes `path` when the block succeeds, and vanishes when not.

    Example:
        >>> with replacing(Path("best.pt")) as temporary:  # doctest: +SKIP
        ...     torch.save(checkpoint, temporary)
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        _give_default_mode(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_atomic(path: Path, data: bytes) -> None:
    """Write a file so that a crash or a full disk leaves either the old content or the new one."""
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def is_special(path: str | Path) -> bool:
    """Tell a named pipe, socket or device, whose opening may wait for ever, from a file, a folder or nothing."""
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116 - Path.stat is the same in more steps, and this is asked of every image
    except (OSError, ValueError):
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def read_regular(path: Path) -> bytes:
    """Read a whole file, but nothing that is a pipe, socket or device.

    Raises:
        OSError: it cannot be read, or is something special; `strerror` says what.
    """
    if is_special(path):
        raise OSError(errno.EINVAL, "it is a pipe, socket or device, not a file", str(path))
    return path.read_bytes()


def sha256(path: str | Path) -> str:
    """Hash a file's bytes, reading it in pieces."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _give_default_mode(path: Path) -> None:
    """Undo the private mode of a temporary file: the result is an ordinary file of the user's."""
    mask = os.umask(0)
    os.umask(mask)
    path.chmod(0o666 & ~mask)


def disk_size(path: Path) -> int:
    """Bytes of a file, or of all files in a folder; links count as themselves. What does not exist has none."""
    if not path.is_dir():
        return path.stat().st_size if path.exists() else 0
    total, folders = 0, [str(path)]
    while folders:
        with os.scandir(folders.pop()) as entries:  # which brings the sizes along: there may be ten thousands of files
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                else:
                    total += entry.stat(follow_symlinks=False).st_size
    return total
