"""Names that do not collide, writes that are whole or absent, hashes."""

from __future__ import annotations

import hashlib
import os
import socket
import stat
import sys
from pathlib import Path

import pytest

from ultralytics.utils.files import disk_size, increment_path, is_special, read_regular, replacing, sha256, write_atomic


def test_folders_are_numbered_behind_the_last(tmp_path: Path) -> None:
    wanted = tmp_path / "run.v1"  # the dot is part of a folder's name
    names = []
    for _ in range(3):
        path = increment_path(wanted)
        path.mkdir()
        names.append(path.name)
    assert names == ["run.v1", "run.v1-2", "run.v1-3"]
    assert increment_path(wanted, exist_ok=True) == wanted


def test_files_keep_their_suffix(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    assert increment_path(str(tmp_path / "a.jpg")) == tmp_path / "a-2.jpg"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.jpg"]


def test_a_file_appears_whole_in_folders_that_are_made(tmp_path: Path) -> None:
    path = tmp_path / "neu é" / "x.bin"
    write_atomic(path, b"one")
    write_atomic(path, b"two")
    assert path.read_bytes() == b"two"
    assert list(path.parent.iterdir()) == [path]


def test_a_failed_write_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    path.write_text("old")

    def write_half() -> None:
        with replacing(path) as temporary:
            temporary.write_text("half")
            raise OSError("no space")

    with pytest.raises(OSError, match="no space"):
        write_half()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
def test_the_file_has_the_mode_of_any_other(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        write_atomic(tmp_path / "x", b"")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == 0o640


@pytest.mark.parametrize("size", [0, 5, (1 << 20) + 1])
def test_the_hash_is_that_of_the_bytes(tmp_path: Path, size: int) -> None:
    content = bytes(index % 251 for index in range(size))
    (tmp_path / "x").write_bytes(content)
    assert sha256(tmp_path / "x") == hashlib.sha256(content).hexdigest()


def test_the_size_of_a_folder_is_that_of_its_files(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "one").write_bytes(b"123")
    (tmp_path / "a" / "b" / "two").write_bytes(b"12345")
    assert disk_size(tmp_path) == disk_size(tmp_path / "a") == 8
    assert disk_size(tmp_path / "a" / "one") == 3
    assert disk_size(tmp_path / "c") == 0


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="this system has no sockets in folders")
def test_only_files_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # the names of sockets are short
    (tmp_path / "a").write_bytes(b"x")
    assert read_regular(tmp_path / "a") == b"x"
    assert not any(map(is_special, (tmp_path / "a", tmp_path, tmp_path / "nothing")))
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s")
        assert is_special(tmp_path / "s")
        with pytest.raises(OSError, match="pipe, socket or device"):
            read_regular(tmp_path / "s")
