"""Wildcards count only beyond what exists: a folder may be called "site [A]"."""

from __future__ import annotations

from pathlib import Path

import pytest

from ultralytics.utils.patterns import expand, is_pattern, split_pattern

NAMES = ["plain", "site [A]", "50 %", "a#b", "ä ö", "what?", "x*y"]


@pytest.fixture(params=NAMES)
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    made = tmp_path / request.param
    (made / "in").mkdir(parents=True)
    for name in ("1.png", "2.png", ".hidden.png", "in/3.png"):
        (made / name).touch()
    return made


def test_a_folder_is_no_pattern_whatever_it_is_called(folder: Path) -> None:
    assert not is_pattern(folder)
    assert list(expand(folder)) == [folder]


@pytest.mark.parametrize(("pattern", "found"), [("*.png", {"1.png", "2.png"}), ("**/[13].png", {"1.png", "in/3.png"})])
def test_a_pattern_counts_below_what_exists(folder: Path, pattern: str, found: set[str]) -> None:
    assert is_pattern(folder / pattern)
    assert {path.relative_to(folder).as_posix() for path in expand(folder / pattern)} == found


def test_what_does_not_exist_and_has_no_wildcard_is_nothing(tmp_path: Path) -> None:
    assert not is_pattern(tmp_path / "none" / "a.png")
    assert list(expand(tmp_path / "none" / "a.png")) == []


def test_relative_paths_stay_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "site [A]").mkdir()
    (tmp_path / "site [A]" / "1.png").touch()
    monkeypatch.chdir(tmp_path)
    assert split_pattern("site [A]/*.png") == (Path("site [A]"), "*.png")
    assert list(expand("site [A]/*.png")) == [Path("site [A]/1.png")]
