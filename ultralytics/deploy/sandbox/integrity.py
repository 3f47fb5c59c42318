"""What the files of an environment are: lists of their hashes, and the comparison with what lies on disk.

A wheel brings the list of its files, RECORD (PEP 376 and 427: path, hash, size). What has a hash in none of these, such
as the lists themselves and npm's packages, gets one in a further list of that form, in the environment's folder, when
the environment is made. So every file has a hash, and the lists together have one, the digest, which the marker keeps.

Links are passed over, as that to the system's Python; and `__pycache__`, since no Python that runs here reads it.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from ultralytics.utils.env import WINDOWS
from ultralytics.utils.files import sha256, write_atomic
from ultralytics.utils.progress import progress

RECORD = "RECORD"
NODE_MODULES = "node_modules"
_SHOWN = 5  # files that a message names


def site_folders(folder: Path) -> list[Path]:
    """Folders of an environment that Python's packages lie in."""
    return [folder / "Lib" / "site-packages"] if WINDOWS else sorted(folder.glob("lib/python*/site-packages"))


def digest(folder: Path) -> str:
    """Hash what is installed: the lists of files, the sizes of these files, and what Python runs at its start.

    The bytes of the files are not read: this is done at every use, and takes a fraction of a second.
    """
    total = hashlib.sha256()
    for site in site_folders(folder):
        for entry in sorted(site.iterdir()):
            if entry.name == "__pycache__":
                continue
            total.update(f"\n{entry.name}:".encode())
            record = entry / RECORD
            if record.is_file():
                total.update(_with_sizes(record, site))
            elif entry.suffix in {".pth", ".py"} and entry.is_file():
                total.update(entry.read_bytes())
    if (folder / RECORD).is_file():
        total.update(_with_sizes(folder / RECORD, folder))
    return total.hexdigest()


def write_record(folder: Path) -> None:
    """List the files of an environment that have a hash in no package's list."""
    listed = _listed(folder)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for path in _files(folder):
        if not listed.get(path):
            writer.writerow([Path(path).relative_to(folder).as_posix(), _hash(path), os.path.getsize(path)])  # noqa: PTH202
    write_atomic(folder / RECORD, text.getvalue().encode())


def differences(folder: Path) -> dict[str, str]:
    """Compare every byte of an environment with its lists, and look for code that is in none.

    Returns:
        What is wrong, as the end of "it ...", by path in the folder; empty if nothing is.
    """
    listed = _listed(folder)
    hashes = {path: expected for path, expected in listed.items() if expected}
    faults = {path: _fault(path, hashes[path]) for path in progress(hashes, desc=folder.name, unit=" files")}
    for place in (*site_folders(folder), folder / NODE_MODULES):
        faults |= {path: "is in no list" for path in _files(place) if path not in listed}
    return {Path(path).relative_to(folder).as_posix(): fault for path, fault in sorted(faults.items()) if fault}


def summary(faults: Mapping[str, str]) -> str:
    """Tell the number of differences and the first of them."""
    shown = [f"{path} {fault}" for path, fault in list(faults.items())[:_SHOWN]]
    return f"{len(faults)} file{'s' * (len(faults) > 1)}: {', '.join(shown)}{', …' if len(faults) > _SHOWN else ''}"


def _listed(folder: Path) -> dict[str, str]:
    """Paths of all files that are in lists, with their hashes; empty for what a list names without one."""
    records = [(record, site) for site in site_folders(folder) for record in sorted(site.glob(f"*/{RECORD}"))]
    if (folder / RECORD).is_file():
        records.append((folder / RECORD, folder))  # the last: it has the hashes that the others lack
    return {
        os.path.normpath(f"{base}/{row[0]}"): row[1] if len(row) > 1 and row[1].startswith("sha256=") else ""
        for record, base in records
        for row in _rows(record.read_bytes())
    }


def _files(folder: Path) -> Iterator[str]:
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        paths = (os.path.normpath(f"{root}/{name}") for name in sorted(names))
        yield from (path for path in paths if not os.path.islink(path))  # noqa: PTH114 - as in `_size`


def _fault(path: str, expected: str) -> str:
    try:
        return "" if _hash(path) == expected else "was changed"
    except FileNotFoundError:
        return "is missing"
    except OSError:
        return "cannot be read"


def _hash(path: str) -> str:
    """Hash of a file as lists have it."""
    value = base64.urlsafe_b64encode(bytes.fromhex(sha256(path)))
    return f"sha256={value.decode().rstrip('=')}"


def _rows(record: bytes) -> list[list[str]]:
    """Rows of a list; none of one so damaged that it has no rows, which its own hash tells."""
    try:
        return [row for row in csv.reader(record.decode(errors="replace").splitlines()) if row]
    except csv.Error:
        return []


def _with_sizes(record: Path, base: Path) -> bytes:
    """A list, and the sizes of its files: caches are cleaned, and scanned for viruses, by programs that tell nobody."""
    content = record.read_bytes()
    return content + ",".join(_size(f"{base}/{row[0]}") for row in _rows(content)).encode()


def _size(path: str) -> str:
    try:
        return str(os.stat(path).st_size)  # noqa: PTH116 - there are ten thousands, and each Path costs more than this
    except OSError:
        return "gone"
