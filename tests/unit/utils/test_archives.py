"""Archives: unpacked whole, or refused with a reason and nothing left behind."""

from __future__ import annotations

import io
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest

from ultralytics.errors import DownloadError
from ultralytics.utils.archives import ARCHIVES, is_archive, safe_unzip, unpack


def zipped(file: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return file


def test_unzip_beside_what_is_there(tmp_path: Path) -> None:
    archive = zipped(tmp_path / "a.zip", {"images/": b"", "images/ü.png": b"1", "data.yaml": b"new"})
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "data.yaml").write_text("old")
    (folder / "other.txt").write_text("kept")
    made = safe_unzip(archive, folder)
    assert sorted(made) == [folder / "data.yaml", folder / "images/ü.png"]
    assert {file.name for file in folder.rglob("*") if file.is_file()} == {"data.yaml", "ü.png", "other.txt"}
    assert (folder / "data.yaml").read_text() == "new"


def linked(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


@pytest.mark.parametrize(
    ("member", "said"),
    [
        ("../evil.txt", "outside"),
        ("a/../../evil.txt", "outside"),
        ("/tmp/evil.txt", "outside"),
        ("..\\evil.txt", "outside"),
        ("C:evil.txt", "outside"),
        (linked("link"), "is a link"),
        ("a\nb", "name"),
    ],
)
def test_members_that_would_escape(tmp_path: Path, member: str | zipfile.ZipInfo, said: str) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("good.txt", b"1")
        archive.writestr(member, b"/etc/passwd")
    with pytest.raises(DownloadError, match=said):
        safe_unzip(tmp_path / "a.zip", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_damaged_archive_leaves_nothing(tmp_path: Path) -> None:
    archive = zipped(tmp_path / "a.zip", {"a": b"1", "b": bytes(range(256)) * 8})
    data = bytearray(archive.read_bytes())
    data[data.index(b"b", 40) + 20] ^= 255
    archive.write_bytes(data)
    with pytest.raises(DownloadError, match="damaged"):
        safe_unzip(archive, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []
    (tmp_path / "text.zip").write_text("not a zip")
    with pytest.raises(DownloadError, match="not a zip"):
        safe_unzip(tmp_path / "text.zip", tmp_path / "out")


@pytest.mark.parametrize(("case", "said"), [("archive-zip-slip", "outside"), ("archive-zip-bomb", "claim to hold")])
def test_recorded_hostile_archives(shared: Path, tmp_path: Path, case: str, said: str) -> None:
    (archive,) = (shared / "bad-inputs" / case).glob("*.zip")
    with pytest.raises(DownloadError, match=said):
        safe_unzip(archive, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert not Path("/tmp/pwned_marker_zipslip").exists()


def test_recorded_good_archive(shared: Path, tmp_path: Path) -> None:
    made = safe_unzip(shared / "bad-inputs/archive-two-yamls/two.zip", tmp_path)
    assert len(made) == 14


def tarred(file: Path, members: dict[str, bytes | tarfile.TarInfo]) -> Path:
    mode = {".gz": "w:gz", ".tgz": "w:gz", ".bz2": "w:bz2", ".xz": "w:xz"}.get(file.suffix, "w")
    with tarfile.open(file, mode) as archive:
        for name, data in members.items():
            if isinstance(data, tarfile.TarInfo):
                archive.addfile(data)
            else:
                info = tarfile.TarInfo(name)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
    return file


@pytest.mark.parametrize("end", [end for end in ARCHIVES if end != ".zip"])
def test_tars_of_every_compression(tmp_path: Path, end: str) -> None:
    archive = tarred(tmp_path / f"a{end}", {"./data.yaml": b"x", "images/ü.png": b"1"})
    assert is_archive(archive)
    made = unpack(archive, tmp_path / "out")
    assert {path.name: path.read_bytes() for path in made} == {"data.yaml": b"x", "ü.png": b"1"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"data.yaml", "images"}


def _special(kind: bytes, target: str = "/etc/passwd") -> tarfile.TarInfo:
    info = tarfile.TarInfo("special")
    info.type, info.linkname = kind, target
    return info


@pytest.mark.parametrize(
    ("name", "member", "said"),
    [
        ("../evil.txt", b"1", "outside"),
        ("a/../../evil.txt", b"1", "outside"),
        ("/tmp/evil.txt", b"1", "outside"),
        ("C:evil.txt", b"1", "outside"),
        ("link", _special(tarfile.SYMTYPE), "a link or a device"),
        ("link", _special(tarfile.LNKTYPE, "good.txt"), "a link or a device"),
        ("pipe", _special(tarfile.FIFOTYPE), "a link or a device"),
        ("bomb", bytes(200 << 20), "claim to hold"),
    ],
)
def test_tar_members_that_must_not_be_written(tmp_path: Path, name: str, member: object, said: str) -> None:
    archive = tarred(tmp_path / "a.tar.gz", {"good.txt": b"1", name: member})
    with pytest.raises(DownloadError, match=said):
        unpack(archive, tmp_path / "out")
    assert list((tmp_path / "out").rglob("*")) == []


def test_a_damaged_tar_leaves_nothing(tmp_path: Path) -> None:
    archive = tarred(tmp_path / "a.tar.gz", {"a": bytes(range(256)) * 64, "b": b"2"})
    archive.write_bytes(archive.read_bytes()[:-40])
    with pytest.raises(DownloadError, match="damaged"):
        unpack(archive, tmp_path / "out")
    (tmp_path / "text.tar").write_text("not a tar file")
    with pytest.raises(DownloadError, match="not a tar file"):
        unpack(tmp_path / "text.tar", tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []
