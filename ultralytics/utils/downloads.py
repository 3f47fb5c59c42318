"""Downloads that resume, are checked and appear whole or not at all."""

from __future__ import annotations

import difflib
import errno
import json
import os
import shutil
import time
import urllib.error
import urllib.request
from http.client import HTTPException, HTTPMessage, HTTPResponse
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from ultralytics.errors import DownloadError, MissingFile
from ultralytics.utils.files import sha256 as file_sha256
from ultralytics.utils.files import write_atomic
from ultralytics.utils.log import LOGGER
from ultralytics.utils.progress import progress
from ultralytics.version import __version__

WEIGHTS_URL = "https://github.com/ultralytics/assets/releases/download/v8.4.0/"
WEIGHTS_LICENCE = "AGPL-3.0 (the terms of their owner, Ultralytics: https://ultralytics.com/license)"
OFFICIAL_WEIGHTS = frozenset(
    {f"yolo26{size}-sem{data}.pt" for size in "nsmlx" for data in ("", "-ade20k")}
    | {f"{family}{size}-seg.pt" for family in ("yolo26", "yolo11", "yolov8") for size in "nsmlx"}
    | {"yolov9c-seg.pt", "yolov9e-seg.pt"}
)

_ATTEMPTS = 5
_PAUSE = 0.5
_TIMEOUT = 30.0
_BLOCK = 1 << 18


def is_offline() -> bool:
    """Tell whether the user forbids network use (`YOLO_OFFLINE=1`)."""
    return os.environ.get("YOLO_OFFLINE", "").strip().lower() in {"1", "true", "yes", "on", "y", "t"}


def download(url: str, target: str | Path, *, sha256: str | None = None, size: int | None = None) -> Path:
    """Fetch a file; an interrupted download goes on where it stopped, also in a later call.

    Args:
        url: http or https address.
        target: file to make; its folder is created.
        sha256: hexadecimal digest the file must have.
        size: bytes the file must have.

    Raises:
        DownloadError: no network, no such file on the server, no space, or not the expected content. The message
            says where to put the file by hand.
    """
    target = Path(target)
    if urlsplit(url).scheme not in {"http", "https"}:
        raise DownloadError(f"'{url}' cannot be downloaded: only http and https addresses can.")
    by_hand = f"To go on without: put the file of '{url}' at '{target}'."
    if is_offline():
        raise DownloadError(f"'{target.name}' is needed, but YOLO_OFFLINE forbids network use. {by_hand}")
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    failures = 0
    while True:
        before = part.stat().st_size if part.exists() else 0
        try:
            _fetch(url, part, sha256, size)
            break
        except _Interrupted as error:
            failures = 1 if part.exists() and part.stat().st_size > before else failures + 1
            if failures == _ATTEMPTS:
                raise DownloadError(f"'{url}' could not be downloaded: {error}. {by_hand}") from error
            LOGGER.warning(f"Download of '{target.name}' was interrupted ({error}); trying again.")
            time.sleep(_PAUSE * 2 ** (failures - 1))
        except urllib.error.HTTPError as error:
            raise DownloadError(f"'{url}' could not be downloaded: {error}. {by_hand}") from error
    _check(part, url, sha256, size)
    part.replace(target)
    _validator_file(part).unlink(missing_ok=True)
    return target


def find_weights(name: str | Path, weights_dir: str | Path) -> Path:
    """Find a weights file by path, in the weights folder, or under an official name on the public release page.

    Size and digest of an official file are recorded beside it at the first download and checked from then on.

    Raises:
        MissingFile: there is no such file and the name is not an official one.
        DownloadError: an official file cannot be had, or is not what it was at first.
    """
    for path in (Path(name), Path(weights_dir) / name):
        if path.is_file():
            _check_record(path)
            return path
    if Path(name).name != str(name) or str(name) not in OFFICIAL_WEIGHTS:
        near = difflib.get_close_matches(Path(name).name, sorted(OFFICIAL_WEIGHTS), n=3)
        names = " or ".join(f"'{candidate}'" for candidate in near or ("yolo26n-sem.pt",))
        raise MissingFile(f"'{name}' does not exist. Give the path of a file, or an official name such as {names}.")
    path = Path(weights_dir) / name
    record = _read_record(path)
    LOGGER.info(f"Downloading {name} to {path}. Licence of these weights: {WEIGHTS_LICENCE}.")
    url = WEIGHTS_URL + str(name)
    download(url, path, sha256=record.get("sha256"), size=record.get("size"))
    if not record:
        facts = {"url": url, "size": path.stat().st_size, "sha256": file_sha256(path), "licence": WEIGHTS_LICENCE}
        write_atomic(_record_file(path), json.dumps(facts, indent=2).encode())
    return path


class _Interrupted(Exception):
    """The connection failed in a way that may pass."""


class _SafeRedirects(urllib.request.HTTPRedirectHandler):
    """Follow a server elsewhere over http and https only, and never from an encrypted to an open connection."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        scheme = urlsplit(newurl).scheme
        if scheme not in {"http", "https"} or (scheme == "http" and urlsplit(req.full_url).scheme == "https"):
            raise DownloadError(f"'{req.full_url}' sends us to '{newurl}', which is not a safe address.")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _fetch(url: str, part: Path, sha256: str | None, size: int | None) -> None:
    """Append what is missing of a file; raise `_Interrupted` where trying again makes sense."""
    have = part.stat().st_size if part.exists() else 0
    version = _validator_file(part).read_text() if _validator_file(part).exists() else ""
    if not (version or sha256):
        have = 0  # nothing would tell if the rest came from another version of the file
    headers = {"User-Agent": f"ultralytics-semantic/{__version__}", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
        if version:
            headers["If-Range"] = version  # the server starts over if the file is not the one begun
    opener = urllib.request.build_opener(_SafeRedirects)
    try:
        with opener.open(urllib.request.Request(url, headers=headers), timeout=_TIMEOUT) as response:
            _receive(response, part, have if response.status == 206 else 0, size)
    except urllib.error.HTTPError as error:
        if error.code == 416:  # nothing is missing, or what is there is longer than the file
            if size is None or have != size:
                part.unlink()
                raise _Interrupted("the partial file does not fit") from error
        elif error.code in {408, 425, 429} or error.code >= 500:
            raise _Interrupted(str(error)) from error
        else:
            raise
    except (urllib.error.URLError, HTTPException, TimeoutError, ConnectionError) as error:
        raise _Interrupted(str(getattr(error, "reason", error)) or type(error).__name__) from error


def _receive(response: HTTPResponse, part: Path, start: int, size: int | None) -> None:
    """Write the body behind the first `start` bytes of the partial file."""
    length = response.headers.get("Content-Length")
    total = start + int(length) if length is not None else None
    if size is not None and total is not None and total != size:
        part.unlink(missing_ok=True)
        raise DownloadError(f"'{response.url}' has {total:,} bytes, {size:,} were expected.")
    if total is not None and total - start > (free := shutil.disk_usage(part.parent).free):
        raise DownloadError(f"'{part.parent}' has room for {free:,} bytes, {total - start:,} are to come.")
    if not start and (version := response.headers.get("ETag") or response.headers.get("Last-Modified")):
        _validator_file(part).write_text("" if version.startswith("W/") else version)
    name = part.name.removesuffix(".part")
    with (
        part.open("ab" if start else "wb") as file,
        progress(desc=name, total=total, initial=start, unit="B", unit_scale=True, unit_divisor=1024) as bar,
    ):
        try:
            while block := response.read(_BLOCK):
                file.write(block)
                bar.update(len(block))
        except OSError as error:
            if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
                raise DownloadError(
                    f"'{part}' cannot be written: {error.strerror}. Make room and try again."
                ) from error
            raise
    if total is not None and part.stat().st_size < total:
        raise _Interrupted(f"the connection closed after {part.stat().st_size:,} of {total:,} bytes")


def _check(part: Path, url: str, sha256: str | None, size: int | None) -> None:
    """Throw away a file that is not the expected one."""
    found = part.stat().st_size
    if size is not None and found != size:
        reason = f"has {found:,} bytes, {size:,} were expected"
    elif sha256 is not None and (digest := file_sha256(part)) != sha256.lower():
        reason = f"has SHA-256 {digest}, {sha256.lower()} was expected"
    else:
        return
    part.unlink()
    _validator_file(part).unlink(missing_ok=True)
    raise DownloadError(f"What came from '{url}' is not the right file: it {reason}. It was deleted.")


def _validator_file(part: Path) -> Path:
    return part.with_name(f"{part.name}.etag")


def _record_file(path: Path) -> Path:
    return path.with_name(f"{path.name}.json")


def _read_record(path: Path) -> dict[str, Any]:
    file = _record_file(path)
    if not file.is_file():
        return {}
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DownloadError(f"The record '{file}' is damaged: {error}. Delete it.") from error
    return record if isinstance(record, dict) and {"size", "sha256"} <= record.keys() else {}


def _check_record(path: Path) -> None:
    record = _read_record(path)
    if record and (path.stat().st_size != record["size"] or file_sha256(path) != record["sha256"]):
        raise DownloadError(
            f"'{path}' is not the file that was downloaded (its record is '{_record_file(path).name}'). Delete it to "
            "download it again; if you changed it on purpose, delete the record."
        )
