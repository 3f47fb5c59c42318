"""Names of written files: each source has one, no two share one, and the manifest tells which is whose."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ultralytics.utils.output_names import Manifest, OutputNames, read_manifest, wanted_names


def names(*files: str) -> list[str]:
    given_out = OutputNames()
    return [given_out.name(f"{file}#{i}", name) for i, (file, name) in enumerate(zip(files, wanted_names(files)))]  # noqa: B905


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (["a.jpg", "b.png"], ["a", "b"]),
        (["a.jpg", "a.png", "a-2.png"], ["a", "a-2", "a-2-2"]),
        (["A.jpg", "a.jpg"], ["A", "a-2"]),
        (["in/left/a.jpg", "in/right/a.jpg", "in/b.jpg"], ["left/a", "right/a", "b"]),
        (["in/a.jpg", "in/right/a.jpg"], ["a", "right/a"]),
        (["/x/site/a.jpg", "/y/site/a.jpg"], ["x/site/a", "y/site/a"]),
        (["a.jpg", "a.jpg"], ["a", "a-2"]),
    ],
    ids=lambda value: ",".join(value),
)
def test_names_are_plain_where_they_can_be_and_differ_where_they_must(files: list[str], expected: list[str]) -> None:
    assert names(*files) == expected


@given(st.lists(st.sampled_from(["a", "A", "a-2", "a_1", "b/a", "c/a", "b/a_cam", "clip", "clip_1"]), max_size=12))
def test_no_two_sources_share_a_name_on_any_file_system(stems: list[str]) -> None:
    given_out = OutputNames(("_cam",))
    found = [given_out.name(str(number), stem).casefold() for number, stem in enumerate(stems)]
    assert len({*found, *(f"{name}_cam" for name in found)}) == 2 * len(found)


@pytest.mark.parametrize("first", ["video", "image"])
def test_the_frames_of_a_video_and_an_image_named_like_one_are_told_apart(first: str) -> None:
    given_out = OutputNames()
    if first == "video":
        video, image = given_out.series("clip.avi", "clip"), given_out.name("clip_1.png", "clip_1")
    else:
        image, video = given_out.name("clip_1.png", "clip_1"), given_out.series("clip.avi", "clip")
    assert image not in {f"{video}_{number}" for number in range(1, 5)}


def test_a_source_keeps_its_name() -> None:
    given_out = OutputNames()
    assert [given_out.name("x", "a"), given_out.name("y", "a"), given_out.name("x", "a")] == ["a", "a-2", "a"]


def test_the_manifest_lists_files_by_source_and_begins_anew(tmp_path: Path) -> None:
    for _ in range(2):
        manifest = Manifest(tmp_path)
        manifest.add("in/ä.jpg", [tmp_path / "masks" / "ä.png"], frame=3)
        manifest.add("in/none.jpg", [])
    assert read_manifest(tmp_path) == [{"source": "in/ä.jpg", "frame": 3, "files": ["masks/ä.png"]}]
