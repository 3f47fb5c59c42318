"""What a file named .pt really is."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path

import pytest
import torch

from ultralytics.errors import CheckpointError, MissingFile
from ultralytics.nn.torch_zip import TorchArchive, scan_globals


def saved(value: object, file: Path) -> Path:
    torch.save(value, file)
    return file


def rewritten(file: Path, changes: dict[str, bytes | None], compression: int = zipfile.ZIP_STORED) -> Path:
    """Replace members of an archive by the end of their names; None leaves one out."""
    with zipfile.ZipFile(file) as old:
        members = {info.filename: old.read(info) for info in old.infolist()}
    with zipfile.ZipFile(file, "w", compression) as new:
        for name, data in members.items():
            data = next((change for end, change in changes.items() if name.endswith(end)), data)
            if data is not None:
                new.writestr(name, data)
    return file


def test_lists_names_and_reads_storages(tmp_path: Path) -> None:
    file = saved({"w": torch.arange(3, dtype=torch.float32)}, tmp_path / "a.pt")
    with TorchArchive(file) as archive:
        assert archive.globals == {"torch._utils._rebuild_tensor_v2", "torch.FloatStorage", "collections.OrderedDict"}
        assert torch.frombuffer(archive.storage("0", 12), dtype=torch.float32).tolist() == [0, 1, 2]
        with pytest.raises(CheckpointError, match="12 bytes long, 16 bytes are declared"):
            archive.storage("0", 16)
        with pytest.raises(CheckpointError, match="missing"):
            archive.storage("7", 12)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(MissingFile, match="absent"):
        TorchArchive(tmp_path / "absent.pt")
    with pytest.raises(CheckpointError, match="is a folder"):
        TorchArchive(tmp_path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", r"empty \(0 bytes\)"),
        (b"<!DOCTYPE html><title>404</title>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "git lfs pull"),
        (b"\x02\x00\x00\x00\x00\x00\x00\x00{}", "safetensors"),
        (b"\x89HDF\r\n\x1a\n" + bytes(64), "HDF5"),
        (b"\x08\x07\x12\x07pytorch", "not a weights file"),
        (pickle.dumps({"coef_": [1.0]}), "pickle of another program"),
        (pickle.dumps(Path("x"), protocol=2), r"refers to pathlib\."),
        (b"PK\x03\x04" + bytes(40), "damaged"),
    ],
)
def test_other_kinds_are_named(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "x.pt"
    file.write_bytes(content)
    with pytest.raises(CheckpointError, match=said):
        TorchArchive(file)


def test_old_torch_format_is_named(tmp_path: Path) -> None:
    torch.save({"w": torch.zeros(2)}, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    with pytest.raises(CheckpointError, match=r"before PyTorch 1\.6"):
        TorchArchive(tmp_path / "old.pt")


def test_cut_off_file(tmp_path: Path) -> None:
    file = saved({"w": torch.zeros(1000)}, tmp_path / "a.pt")
    file.write_bytes(file.read_bytes()[:3000])
    with pytest.raises(CheckpointError, match="damaged"):
        TorchArchive(file)


def test_flipped_bits_in_a_record(tmp_path: Path) -> None:
    file = saved({"w": torch.zeros(1000)}, tmp_path / "a.pt")
    data = bytearray(file.read_bytes())
    data[2000] ^= 255
    file.write_bytes(data)
    with TorchArchive(file) as archive, pytest.raises(CheckpointError, match="cannot be read"):
        archive.storage("0", 4000)


def test_compressed_archive(tmp_path: Path) -> None:
    file = rewritten(saved({"w": torch.zeros(9)}, tmp_path / "a.pt"), {}, zipfile.ZIP_DEFLATED)
    with pytest.raises(CheckpointError, match="compressed"):
        TorchArchive(file)


def test_zip_of_something_else(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.pt", "w") as file:
        file.writestr("images/0.png", b"")
    with pytest.raises(CheckpointError, match=r"not one made by torch\.save"):
        TorchArchive(tmp_path / "a.pt")


def test_torchscript_archive_says_how_to_name_it(tmp_path: Path) -> None:
    file = rewritten(saved({}, tmp_path / "net.pt"), {})
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("net/constants.pkl", b"")
    with pytest.raises(CheckpointError, match=r"Rename it to 'net\.torchscript'"):
        TorchArchive(file)


def test_member_that_claims_more_than_the_file_holds(tmp_path: Path) -> None:
    file = rewritten(saved({"w": torch.zeros(9)}, tmp_path / "a.pt"), {})
    data = file.read_bytes()
    entry = data.index(b"PK\x01\x02")  # first entry of the central directory; its sizes are at 20 and 24
    claimed = (1 << 30).to_bytes(4, "little")
    file.write_bytes(data[: entry + 20] + claimed * 2 + data[entry + 28 :])
    with pytest.raises(CheckpointError, match="larger than the file"):
        TorchArchive(file)


def test_scan_names_what_a_pickle_would_import() -> None:
    evil = b"\x80\x02cposix\nsystem\nX\x02\x00\x00\x00ls\x85R."
    assert scan_globals(evil, Path("x")) == {"posix.system"}
    computed = b"\x80\x04\x8c\x05posix\x8c\x06system\x93."
    assert scan_globals(computed, Path("x")) == {"posix.system (protocol 4)"}
    assert scan_globals(b"\x80\x02\x82\x07.", Path("x")) == {"copyreg extension 7"}


@pytest.mark.parametrize(
    "bomb",
    [
        b"\x80\x02}r\xff\xff\xff\xff.",  # a memo with 2**32 places
        b"\x80\x05\x96" + (1 << 40).to_bytes(8, "little") + b".",  # a bytearray of 1 TiB
        b"\x80\x02X\xff\xff\xff\x7fabc.",  # a text of 2 GiB
        b"\x80\x02}",  # no end
    ],
)
def test_scan_refuses_what_would_exhaust_memory(bomb: bytes) -> None:
    with pytest.raises(CheckpointError, match="damaged"):
        scan_globals(bomb, Path("x.pt"))


def test_archive_is_closed_after_a_refusal(tmp_path: Path) -> None:
    file = rewritten(saved({}, tmp_path / "a.pt"), {"data.pkl": b"\x80\x02}"})
    with pytest.raises(CheckpointError):
        TorchArchive(file)
    file.unlink()  # a file still open cannot be deleted on Windows
