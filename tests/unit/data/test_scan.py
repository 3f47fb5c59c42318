"""The scan: facts of files, kept between runs, and the report of problems."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ultralytics.data.scan import Problem, SampleFacts, SamplePaths, scan, summarise
from ultralytics.utils.env import user_cache_folder


@dataclass
class Counter:
    """Takes the sizes of files for facts, and remembers what it was asked."""

    signature: str = "sizes"
    fault: str = ""
    asked: list[SamplePaths] = field(default_factory=list)

    def __call__(self, pair: SamplePaths) -> SampleFacts:
        self.asked.append(pair)
        return SampleFacts(pair.image.stat().st_size, 1, 16, {7: 3}, "ab", self.fault, self.fault, (("a", "b"),))


@pytest.fixture
def pairs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[SamplePaths]:
    """Five pairs of files and a cache folder of their own."""
    monkeypatch.setenv("YOLO_CONFIG_DIR", str(tmp_path / "config"))
    for number in range(5):
        (tmp_path / f"{number}.png").write_bytes(bytes(number))
        (tmp_path / f"{number}.txt").write_text("label")
    return [SamplePaths(tmp_path / f"{number}.png", tmp_path / f"{number}.txt") for number in range(5)]


def test_facts_come_in_the_order_of_the_pairs(pairs):
    assert [fact.height for fact in scan(pairs, Counter())] == [0, 1, 2, 3, 4]
    assert [fact.height for fact in scan(pairs[::-1], Counter())] == [4, 3, 2, 1, 0]


def test_what_has_not_changed_is_not_looked_at_again(pairs):
    first = scan(pairs, Counter())
    again = Counter()
    assert scan(pairs, again) == first
    assert again.asked == []
    assert list(user_cache_folder().rglob("*.json"))


def test_a_changed_file_is_looked_at_again_even_if_its_size_and_time_are_the_same(pairs):
    scan(pairs, Counter())
    label = pairs[2].label
    before = label.stat()
    label.write_text("LABEL")
    os.utime(label, ns=(before.st_atime_ns, before.st_mtime_ns))
    pairs[3].label.unlink()
    examine = Counter()
    scan(pairs, examine)
    expected = [pairs[2], pairs[3]] if os.name != "nt" else [pairs[3]]
    assert sorted(examine.asked, key=str) == expected


def test_a_fault_is_not_remembered_since_it_may_lie_in_the_moment(pairs):
    assert scan(pairs, Counter(fault="no memory"))[0].fault == "no memory"
    assert scan(pairs, Counter())[0].fault == ""


def test_another_signature_knows_nothing(pairs):
    scan(pairs, Counter())
    examine = Counter("other")
    scan(pairs, examine)
    assert len(examine.asked) == 5


@pytest.mark.parametrize("content", [b"", b"{", b"[1, 2]", b'{"a": [1]}', b"\xff\xfe"])
def test_a_damaged_cache_is_made_again(pairs, content):
    facts = scan(pairs, Counter())
    (file,) = user_cache_folder().rglob("*.json")
    file.write_bytes(content)
    assert scan(pairs, Counter()) == facts
    assert scan(pairs, examine := Counter()) == facts
    assert examine.asked == []


def test_a_cache_that_cannot_be_written_is_done_without(pairs, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("YOLO_CONFIG_DIR", str(tmp_path / "file"))
    assert len(scan(pairs, Counter())) == 5


def test_nothing_to_scan_is_no_facts(pairs):
    assert scan([], Counter()) == []


def test_a_summary_counts_kinds_and_names_the_first_files():
    problems = [Problem("unusable mask", Path(f"{n}.png"), f"'{n}.png' is empty.") for n in range(7)]
    problems.append(Problem("odd row", Path("a.txt"), "'a.txt' has an odd row.", fatal=False))
    lines = summarise(problems).splitlines()
    assert lines[0] == "left out: 7 x unusable mask"
    assert [line.strip() for line in lines[1:4]] == [f"'{n}.png' is empty." for n in range(3)]
    assert "and 4 more" in lines[4]
    assert lines[5:] == ["1 x odd row", "  'a.txt' has an odd row."]
    assert len(summarise(problems, verbose=True).splitlines()) == 10
