"""The walls of the house as programs: no circles of files, and no task's assumption in what all tasks share."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "ultralytics"

KNOWN_CIRCLES: list[set[str]] = [
    {f"ultralytics.data.description.{name}" for name in ("folder", "locate", "spec")},
]
"""Circles that are still to be opened; the list only shrinks."""

ASSUMPTIONS = re.compile(r"SemanticMask|class_map|classmap|miou|equal_pixels|logits_lowres|num_ids")
SHARED = (
    "engine",
    "data/augment",
    "data/targets.py",
    "data/sample.py",
    "data/dataset.py",
    "data/cache.py",
    "data/build.py",
    "deploy",
    "benchmark",
    "nn/autobackend.py",
)
PAYLOADS = "engine/results/"
"""Room of the payloads, each of which is named for what it holds."""

KNOWN_ASSUMPTIONS = {}
"""Files that still assume the first task; the list only shrinks."""


def _modules() -> dict[str, Path]:
    names = {
        path: path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".") for path in PACKAGE.rglob("*.py")
    }
    return {name.removesuffix(".__init__"): path for path, name in names.items()}


def _imports(path: Path, modules: dict[str, Path]) -> set[str]:
    """Find the modules that a file imports: at its top, inside functions, and for type checkers alike."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in modules else node.module for name in names}
    return found & modules.keys()


def _reachable(start: str, graph: dict[str, set[str]]) -> set[str]:
    seen: set[str] = set()
    waiting = list(graph[start])
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += graph[name]
    return seen


def test_files_import_each_other_in_no_circle() -> None:
    modules = _modules()
    graph = {name: _imports(path, modules) - {name} for name, path in modules.items()}
    reach = {name: _reachable(name, graph) for name in graph}
    members = [name for name in graph if name in reach[name]]
    circles = {frozenset(other for other in reach[name] if name in reach[other]) for name in members}
    assert [sorted(circle) for circle in circles if set(circle) not in KNOWN_CIRCLES] == []
    opened = [sorted(circle) for circle in KNOWN_CIRCLES if frozenset(circle) not in circles]
    assert opened == [], "strike it from the list"


def _shared_files() -> list[Path]:
    rooms = [PACKAGE / room for room in SHARED]
    return sorted(path for room in rooms for path in ([room] if room.suffix else room.rglob("*.py")) if path.is_file())


@pytest.mark.parametrize("path", _shared_files(), ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_what_all_tasks_share_assumes_none(path: Path) -> None:
    name = path.relative_to(PACKAGE).as_posix()
    if name.startswith(PAYLOADS):
        return
    found = set(ASSUMPTIONS.findall(path.read_text(encoding="utf-8")))
    assert not found or name in KNOWN_ASSUMPTIONS
    assert found or name not in KNOWN_ASSUMPTIONS, "strike it from the list"
