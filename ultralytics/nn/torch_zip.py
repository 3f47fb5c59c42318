"""The outside of a `.pt` file: what it really is, and that its sizes are honest, before anything in it is read.

Such a file is an uncompressed zip of one pickle and one raw record per storage. The pickle is only looked at here,
opcode by opcode; nothing is built from it.
"""

from __future__ import annotations

import pickletools
import zipfile
from pathlib import Path
from types import TracebackType

from ultralytics.errors import CheckpointError, MissingFile

_MAX_PICKLE = 64 << 20
_ZIP_DAMAGE = (zipfile.BadZipFile, EOFError, NotImplementedError, ValueError, OSError)
_LEGACY_TORCH = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
_OTHER_FILES = {
    _LEGACY_TORCH: "in the format of torch.save before PyTorch 1.6. Load and save it again with a newer PyTorch.",
    b"version https://git-lfs": "a Git LFS pointer, not the weights themselves. Run `git lfs pull`.",
    b"<": "a web page or XML text: the download went wrong. Download it again.",
    b"\x89HDF": "an HDF5 file (Keras weights). Only .pt files of this task can be loaded.",
}


class TorchArchive:
    """A file of `torch.save`, open for reading.

    Attributes:
        path: the file.
        pickle: bytes of its one pickle.
        globals: full names of everything the pickle refers to by name.
        size: bytes of the file.

    Raises:
        MissingFile: there is no such file.
        CheckpointError: the file is something else, damaged, or claims sizes it does not have.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not self.path.exists():
            raise MissingFile(f"'{path}' does not exist.")
        if self.path.is_dir():
            raise CheckpointError(f"'{path}' is a folder, not a weights file.")
        self.size = self.path.stat().st_size
        _refuse_other_kinds(self.path, self.size)
        try:
            self._zip = zipfile.ZipFile(self.path)
        except _ZIP_DAMAGE as error:
            raise damaged(self.path, "its list of contents is missing or unreadable") from error
        try:
            self._members = {member.filename: member for member in self._zip.infolist()}
            self._root = self._find_root()
            self._check_sizes()
            self.pickle = self._read(f"{self._root}/data.pkl")
            self.globals = scan_globals(self.pickle, self.path)
        except BaseException:
            self._zip.close()
            raise

    def __enter__(self) -> TorchArchive:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._zip.close()

    def storage(self, key: str, num_bytes: int) -> bytearray:
        """Read the record of a storage, which must have exactly the length its user expects."""
        name = f"{self._root}/data/{key}"
        member = self._members.get(name)
        if member is None or member.file_size != num_bytes:
            found = "missing" if member is None else f"{member.file_size:,} bytes long"
            raise damaged(self.path, f"record '{name}' is {found}, {num_bytes:,} bytes are declared")
        return bytearray(self._read(name))

    def _read(self, name: str) -> bytes:
        try:
            return self._zip.read(self._members[name])
        except _ZIP_DAMAGE as error:
            raise damaged(self.path, f"record '{name}' cannot be read") from error

    def _check_sizes(self) -> None:
        # torch never compresses, so all that can be unpacked together is no larger than the file.
        if any(member.compress_type != zipfile.ZIP_STORED or member.flag_bits & 1 for member in self._members.values()):
            raise CheckpointError(f"'{self.path}' is a zip with compressed or encrypted members, not a weights file.")
        if sum(member.file_size for member in self._members.values()) > self.size:
            raise damaged(self.path, "its members claim to be larger than the file")
        if (length := self._members[f"{self._root}/data.pkl"].file_size) > _MAX_PICKLE:
            raise damaged(self.path, f"its description has {length:,} bytes, more than {_MAX_PICKLE:,}")

    def _find_root(self) -> str:
        roots = {name.split("/", 1)[0] for name in self._members}
        root = roots.pop() if len(roots) == 1 else ""
        if any(name == f"{root}/constants.pkl" or name.startswith(f"{root}/code/") for name in self._members):
            renamed = self.path.with_suffix(".torchscript").name
            raise CheckpointError(
                f"'{self.path}' is a TorchScript archive (an exported model), no checkpoint. Rename it to '{renamed}'."
            )
        if f"{root}/data.pkl" not in self._members:
            raise CheckpointError(f"'{self.path}' is a zip archive, but not one made by torch.save.")
        return root


def damaged(path: Path, reason: str) -> CheckpointError:
    """Compose the error for a weights file that does not hold together."""
    return CheckpointError(f"'{path}' is damaged or not a weights file: {reason}. Copy or download it again.")


def scan_globals(data: bytes, path: Path) -> frozenset[str]:
    """List the full names a pickle refers to, without running it.

    A name that the pickle computes at run time (protocol 4) is a guess and marked as such.

    Raises:
        CheckpointError: the bytes are no pickle, or one made to exhaust memory.
    """
    names = set()
    recent = ("", "")
    try:
        for count, (opcode, argument, _) in enumerate(pickletools.genops(data)):
            if opcode.name in {"GLOBAL", "INST"}:
                names.add(str(argument).replace(" ", ".", 1))
            elif opcode.name == "STACK_GLOBAL":
                names.add(f"{recent[0]}.{recent[1]} (protocol 4)")
            elif opcode.name.startswith("EXT"):
                names.add(f"copyreg extension {argument}")
            elif opcode.name.endswith("PUT") and int(str(argument)) > count:
                raise damaged(path, "it numbers objects it does not have")  # the memo grows to the highest number
            elif isinstance(argument, str):
                recent = (recent[1], argument)
    except (ValueError, IndexError, OverflowError) as error:
        if isinstance(error, CheckpointError):
            raise
        raise damaged(path, f"its description breaks off ({error})") from error
    return frozenset(names)


def _refuse_other_kinds(path: Path, size: int) -> None:
    """Say what a file is that only carries the name of a checkpoint."""
    if size == 0:
        raise CheckpointError(f"'{path}' is empty (0 bytes). Copy or download it again.")
    with path.open("rb") as file:
        head = file.read(64)
    if head.startswith(b"PK"):
        return
    for start, what in _OTHER_FILES.items():
        if head.startswith(start):
            raise CheckpointError(f"'{path}' is {what}")
    if int.from_bytes(head[:8], "little") <= size and head[8:9] == b"{":
        raise CheckpointError(
            f"'{path}' is a safetensors file: tensors without an architecture. Give a .pt file made by training, "
            "or load the tensors yourself and pass them to the model's load_state_dict."
        )
    if head[:1] == b"\x80" and head[1:2] <= b"\x05":
        raise CheckpointError(_describe_pickle(path, size))
    raise CheckpointError(f"'{path}' is not a weights file: it is no archive of torch.save.")


def _describe_pickle(path: Path, size: int) -> str:
    names = sorted(scan_globals(path.read_bytes(), path)) if size <= _MAX_PICKLE else []
    uses = f" (it refers to {', '.join(names[:3])})" if names else ""
    return (
        f"'{path}' is a Python pickle of another program{uses}, not a checkpoint. "
        "It was not opened: a pickle can run code when it is."
    )
