"""Looking at every file of a split before it is used: in parallel, once, and with one report of all problems.

The cache on disk holds facts about sound files, never judgements: a fact is looked up by path, size and times of change
of the two files it came from, so editing a mask, or the class names, needs no invalidation.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any, Protocol

from ultralytics.utils import LOGGER
from ultralytics.utils.env import user_cache_folder
from ultralytics.utils.files import write_atomic
from ultralytics.utils.parallel import in_threads
from ultralytics.version import __version__

_SHOWN = 3  # files named for each kind of problem
_STALE_FACTOR = 10  # how many times more entries than files a cache may hold before old ones are dropped


@dataclass(frozen=True, slots=True)
class SamplePaths:
    """An image and its label file, which may not exist."""

    image: Path
    label: Path


@dataclass(frozen=True, slots=True)
class SampleFacts:
    """What a pair of files holds.

    Attributes:
        height: rows of the upright image; 0 if it cannot be read.
        width: its columns.
        bits: bits of its samples once decoded, 8 or 16.
        counts: pixels of each raw id in the label.
        digest: hash of the image file, to find copies.
        kind: short name of the fault that makes the pair unusable, to group by; "" if there is none.
        fault: the fault in a sentence that names the file.
        notes: (kind, sentence) of what is odd but harmless.
    """

    height: int = 0
    width: int = 0
    bits: int = 8
    counts: Mapping[int, int] = field(default_factory=dict)
    digest: str = ""
    kind: str = ""
    fault: str = ""
    notes: tuple[tuple[str, str], ...] = ()

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) of the image."""
        return self.height, self.width


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong or odd with a file.

    Attributes:
        kind: short name, to group by.
        file: the file it is about.
        detail: what is wrong, and what to do, in full sentences.
        fatal: whether the image is left out because of it.
    """

    kind: str
    file: Path
    detail: str
    fatal: bool = True


class Examine(Protocol):
    """What finds out the facts of a pair."""

    @property
    def signature(self) -> str:
        """Text that changes with anything that changes the answers."""

    def __call__(self, pair: SamplePaths) -> SampleFacts:
        """Look at the files of a pair; faults are part of the answer, nothing is raised for them."""


def scan(pairs: Sequence[SamplePaths], examine: Examine, *, desc: str = "looking at labels") -> list[SampleFacts]:
    """Find out the facts of all pairs, from the user's cache where the files have not changed since.

    Args:
        pairs: what to look at.
        examine: what looks; it runs in threads.
        desc: text of the progress bar.
    """
    keys = [content_key(pair) for pair in pairs]
    file = _cache_file(pairs, examine.signature)
    known = _load(file)
    todo = {key: pair for key, pair in zip(keys, pairs, strict=True) if key not in known}
    if todo:
        fresh = dict(zip(todo, in_threads(examine, list(todo.values()), desc=desc), strict=True))
        # A fault may lie in the moment (no memory, a missing reader), so faulty pairs are looked at every time.
        lasting = {key: value for key, value in fresh.items() if not value.kind}
        kept = known if len(known) <= _STALE_FACTOR * len(pairs) else {key: known[key] for key in keys if key in known}
        if lasting:
            _save(file, kept | lasting)
        known = kept | fresh
    return [known[key] for key in keys]


def summarise(problems: Iterable[Problem], *, verbose: bool = False) -> str:
    """Lay out problems by kind: how many, and three files of each.

    Args:
        problems: what was found.
        verbose: name all files.
    """
    lines = []
    ordered = sorted(problems, key=lambda problem: (not problem.fatal, problem.kind))
    for (fatal, kind), group in groupby(ordered, key=lambda problem: (problem.fatal, problem.kind)):
        members = list(group)
        effect = "left out: " if fatal else ""
        lines.append(f"{effect}{len(members)} x {kind}")
        shown = members if verbose else members[:_SHOWN]
        lines.extend(f"  {problem.detail}" for problem in shown)
        if len(members) > len(shown):
            lines.append(f"  ... and {len(members) - len(shown)} more; `yolo check data=... verbose=true` lists all")
    return "\n".join(lines)


def content_key(pair: SamplePaths) -> str:
    """Identify the content of a pair without reading it; the time of a change of its inode catches a copied time."""
    digest = hashlib.blake2b(digest_size=16)
    for path in (pair.image, pair.label):
        try:
            facts = path.stat()
            stamp = f"{facts.st_size}|{facts.st_mtime_ns}|{facts.st_ctime_ns}"
        except OSError:
            stamp = "absent"
        digest.update(f"{path}|{stamp}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _cache_file(pairs: Sequence[SamplePaths], signature: str) -> Path:
    folder = pairs[0].image.parent if pairs else Path()
    name = hashlib.blake2b(f"{__version__}|{signature}|{folder}".encode("utf-8", "surrogateescape"), digest_size=16)
    return user_cache_folder() / "scans" / f"{name.hexdigest()}.json"


def _load(file: Path) -> dict[str, SampleFacts]:
    """Read a cache; one that is missing, damaged or of another version is empty."""
    try:
        stored: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return {key: _facts(values) for key, values in stored.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _facts(values: Sequence[Any]) -> SampleFacts:
    height, width, bits, counts, digest, kind, fault, notes = values
    counts = {int(raw): int(count) for raw, count in counts.items()}
    return SampleFacts(height, width, bits, counts, digest, kind, fault, tuple((str(a), str(b)) for a, b in notes))


def _save(file: Path, facts: Mapping[str, SampleFacts]) -> None:
    try:
        text = json.dumps({key: astuple(value) for key, value in facts.items()}, separators=(",", ":"))
        write_atomic(file, text.encode())
    except OSError as error:
        LOGGER.debug(f"Facts about the dataset are not kept for next time: '{file}' cannot be written ({error}).")
