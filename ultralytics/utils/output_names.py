"""Names of written files: one per source, never two sources under one name, and a list of what became of each."""

from __future__ import annotations

import json
import os
import re
import threading
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath

MANIFEST = "manifest.jsonl"
_FRAME = re.compile(r"(.*)_\d+")


class OutputNames:
    """Hands out names without suffix, such as "a" or "left/a", each once; upper and lower case are one name.

    Args:
        endings: that files beside the named one may have ("_cam"), which no other name may end in either.
    """

    def __init__(self, endings: Iterable[str] = ()) -> None:
        self._endings = ("", *endings)
        self._taken: set[str] = set()
        self._series: set[str] = set()
        self._names: dict[str, str] = {}
        self._lock = threading.Lock()

    def name(self, source: str, wanted: str) -> str:
        """Give a source its name: the one wanted, or that with a number; the same source has the same name again."""
        with self._lock:
            if source not in self._names:
                self._names[source] = self._free(wanted, self._is_free)
                self._taken.update(self._names[source].casefold() + ending for ending in self._endings)
            return self._names[source]

    def series(self, source: str, wanted: str) -> str:
        """Give a video the name whose numbered forms ("clip_1", "clip_2", …) are its frames', and no one else's."""
        with self._lock:
            if source not in self._names:
                self._names[source] = self._free(wanted, self._is_free_for_series)
                self._series.add(self._names[source].casefold())
            return self._names[source]

    def _free(self, wanted: str, is_free: Callable[[str], bool]) -> str:
        candidate, number = wanted, 2
        while not is_free(candidate.casefold()):
            candidate, number = f"{wanted}-{number}", number + 1
        return candidate

    def _is_free(self, name: str) -> bool:
        if any(name + ending in self._taken for ending in self._endings) or name in self._series:
            return False
        frame = _FRAME.fullmatch(name)
        return frame is None or frame[1] not in self._series

    def _is_free_for_series(self, name: str) -> bool:
        numbered = any(found[1] == name for taken in self._taken if (found := _FRAME.fullmatch(taken)))
        return not numbered and name not in self._series and name not in self._taken


def wanted_names(files: Sequence[str | Path]) -> list[str]:
    """Choose what to call the outputs of files: their stems, with the folders that tell equal stems apart.

    Files of one folder with one stem keep equal names; `OutputNames` numbers them.
    """
    paths = [PurePosixPath(Path(file).as_posix()) for file in files]
    folders: defaultdict[str, set[PurePosixPath]] = defaultdict(set)
    for path in paths:
        folders[path.stem.casefold()].add(path.parent)
    below = {stem: _common(found) for stem, found in folders.items() if len(found) > 1}
    return [str(_below(path, below.get(path.stem.casefold())) / (path.stem or "image")) for path in paths]


def _common(folders: Collection[PurePosixPath]) -> PurePosixPath | None:
    try:
        return PurePosixPath(os.path.commonpath([str(folder) for folder in folders]) or ".")
    except ValueError:  # of different drives, or absolute and relative
        return None


def _below(path: PurePosixPath, common: PurePosixPath | None) -> PurePosixPath:
    if common is None or not path.is_relative_to(common):
        return PurePosixPath()
    parts = path.parent.relative_to(common).parts
    return PurePosixPath(*(re.sub(r'[<>:"|?*]', "_", part) for part in parts if part not in {"..", "."}))


class Manifest:
    """`manifest.jsonl` of a folder: a line for each source with the files that were made of it.

    Lines are written as they come, so a run that is cut off leaves those of what it finished.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / MANIFEST
        self._folder = folder
        self._begun = False

    def add(self, source: str, files: Iterable[Path], **facts: object) -> None:
        """Write the line of a source; of files outside the folder the whole path is kept."""
        written = [self._name(file) for file in files]
        if not written:
            return
        line = json.dumps({"source": source, **facts, "files": written}, ensure_ascii=False)
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._file.open("a" if self._begun else "w", encoding="utf-8") as file:
            file.write(line + "\n")
        self._begun = True

    def _name(self, file: Path) -> str:
        return (file.relative_to(self._folder) if file.is_relative_to(self._folder) else file).as_posix()


def read_manifest(folder: Path) -> list[Mapping[str, object]]:
    """Read what `Manifest` wrote."""
    return [json.loads(line) for line in (folder / MANIFEST).read_text(encoding="utf-8").splitlines()]
