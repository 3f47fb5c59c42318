"""Images and videos in files, folders, patterns and lists."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ultralytics.data.sources import load_source
from ultralytics.data.sources.files import natural
from ultralytics.errors import MissingFile, SourceError


def _frames(source, **options):
    with load_source(source, **options) as loaded:
        return [frame for batch in loaded for frame in batch], loaded


def _names(frames, folder):
    return [os.path.relpath(frame.path, folder).replace(os.sep, "/") for frame in frames]


@pytest.fixture
def grey(write_image):
    """Write an image of one grey level."""
    return lambda path, level=0, shape=(6, 8): write_image(path, np.full((*shape, 3), level, np.uint8))


def test_an_image(tmp_path, write_image):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    path = write_image(tmp_path / "Prüfung é 测试" / "a.png", pixels)
    (frame,), _ = _frames(path)
    np.testing.assert_array_equal(frame.image, pixels)
    assert (frame.path, frame.index, frame.total, frame.frame, frame.fps) == (str(path), 0, 1, None, None)


def test_an_image_with_the_channels_of_the_model(tmp_path, grey):
    (frame,), _ = _frames(grey(tmp_path / "a.png", 9), channels=1)
    assert frame.image.shape == (6, 8, 1)


def test_a_folder_gives_images_and_videos_in_natural_order(tmp_path, grey, write_video):
    for name in ("10.png", "2.jpg", "A1.bmp", ".hidden.png", "sub/deep.png"):
        grey(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no image")
    write_video(tmp_path / "3.avi", 2)
    frames, source = _frames(tmp_path, batch=3)
    assert _names(frames, tmp_path) == ["2.jpg", "3.avi", "3.avi", "10.png", "A1.bmp"]
    assert [(frame.index, frame.frame) for frame in frames] == [(0, None), (1, 1), (1, 2), (2, None), (3, None)]
    assert source.total == 4
    assert source.skipped == []


def test_batches_are_filled_and_the_last_one_may_be_short(tmp_path, grey):
    for number in range(5):
        grey(tmp_path / f"{number}.png", shape=(4 + number, 6))
    with load_source(tmp_path, batch=2) as source:
        assert [[frame.shape[0] for frame in batch] for batch in source] == [[4, 5], [6, 7], [8]]
        assert len(list(source)) == 3  # once more, from the start


def test_patterns(tmp_path, grey):
    for name in ("a/1.png", "a/b/2.png", "a/b/3.jpg", "c/4.png"):
        grey(tmp_path / name)
    assert _names(_frames(f"{tmp_path}/a/**/*.png")[0], tmp_path) == ["a/1.png", "a/b/2.png"]
    assert _names(_frames(f"{tmp_path}/**")[0], tmp_path) == ["a/1.png", "a/b/2.png", "a/b/3.jpg", "c/4.png"]
    assert _names(_frames(tmp_path / "?" / "[14].png")[0], tmp_path) == ["a/1.png", "c/4.png"]
    with pytest.raises(MissingFile, match=r"No file matches the pattern .*\*\.gif"):
        load_source(f"{tmp_path}/*.gif")


def test_a_file_whose_name_looks_like_a_pattern(tmp_path, grey):
    assert len(_frames(grey(tmp_path / "a[1].png"))[0]) == 1


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("list.txt", "one.png\n\n# not this\nsub/two.png\n"),
        ("list.csv", "one.png,label 1\n'',\nsub/two.png,label 2\n".replace("'',\n", ",x\n")),
    ],
)
def test_lists_name_files_beside_themselves(tmp_path, grey, name, rows):
    grey(tmp_path / "lists" / "one.png")
    grey(tmp_path / "lists" / "sub" / "two.png")
    (tmp_path / "lists" / name).write_text(rows)
    assert _names(_frames(tmp_path / "lists" / name)[0], tmp_path / "lists") == ["one.png", "sub/two.png"]


def test_lists_name_files_of_the_working_folder(tmp_path, grey, monkeypatch):
    grey(tmp_path / "work" / "one.png")
    (tmp_path / "list.txt").write_text("one.png\nmissing.png\n")
    monkeypatch.chdir(tmp_path / "work")
    frames, source = _frames(tmp_path / "list.txt")
    assert [frame.path for frame in frames] == ["one.png"]
    assert [(Path(what).name, "does not exist" in why) for what, why in source.skipped] == [("missing.png", True)]


@pytest.mark.parametrize(("content", "told"), [(b"", "is empty"), (b"\xff\xfe\x00", "cannot be read as text")])
def test_lists_that_are_none(tmp_path, content, told):
    (tmp_path / "list.txt").write_bytes(content)
    with pytest.raises(SourceError, match=told):
        load_source(tmp_path / "list.txt")


def test_faulty_files_are_skipped_and_named(tmp_path, grey, caplog):
    grey(tmp_path / "good.png")
    (tmp_path / "text.jpg").write_text("<html>")
    (tmp_path / "zero.png").touch()
    (tmp_path / "zero.mp4").touch()
    frames, source = _frames(tmp_path)
    assert _names(frames, tmp_path) == ["good.png"]
    assert [Path(what).name for what, _ in source.skipped] == ["text.jpg", "zero.mp4", "zero.png"]
    assert caplog.text.count("Skipped: ") == 3


def test_nothing_but_faulty_files_is_an_error(tmp_path):
    for number in range(5):
        (tmp_path / f"{number}.png").touch()
    with pytest.raises(SourceError, match=r"(?s)Nothing could be read:.*0\.png' is empty.*and 2 more"):
        _frames(tmp_path)


def test_missing_and_useless_paths(tmp_path):
    with pytest.raises(MissingFile, match=r"'nowhere\.png' does not exist"):
        load_source("nowhere.png")
    (tmp_path / "model.pt").touch()
    with pytest.raises(SourceError, match=r"model\.pt' is neither an image nor a video.*Images end in avif, bmp"):
        load_source(tmp_path / "model.pt")
    (tmp_path / "empty" / "sub").mkdir(parents=True)
    with pytest.raises(SourceError, match=r"empty' holds no image and no video\. Its subfolders.*\*\*.*videos in"):
        load_source(tmp_path / "empty")


def test_a_video_gives_its_frames_with_their_numbers(tmp_path, write_video):
    path = write_video(tmp_path / "é clip.avi", 5, fps=12.5)
    frames, _ = _frames(path, batch=2)
    assert [frame.frame for frame in frames] == [1, 2, 3, 4, 5]
    assert {frame.fps for frame in frames} == {12.5}
    assert [frame.shape for frame in frames] == [(24, 32)] * 5
    for frame in frames:
        assert abs(frame.image.astype(int) - 10 * frame.frame).max() <= 3


def test_a_video_with_a_stride(tmp_path, write_video):
    frames, _ = _frames(write_video(tmp_path / "a.avi", 8), vid_stride=3)
    assert [frame.frame for frame in frames] == [1, 4, 7]
    assert frames[0].fps == pytest.approx(10 / 3)


def test_a_video_for_a_grey_model(tmp_path, write_video):
    path = write_video(tmp_path / "a.avi", 1)
    assert _frames(path, channels=1)[0][0].image.shape == (24, 32, 1)
    with pytest.raises(SourceError, match="A video has 3 channels or 1, but the model takes 5"):
        _frames(path, channels=5)


def test_a_video_is_read_no_further_than_it_is_used(tmp_path, write_video):
    path = write_video(tmp_path / "a.avi", 200)
    before = threading.active_count()
    for batch in (source := load_source(path)):
        assert batch[0].frame == 1
        break
    source.close()
    assert threading.active_count() == before
    path.rename(tmp_path / "b.avi")  # no handle is open, which Windows would mind


def test_a_video_that_is_cut_off_ends_where_its_frames_end(tmp_path, write_video):
    path = write_video(tmp_path / "a.avi", 40)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    frames, _ = _frames(path)
    assert 5 < len(frames) < 40


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux allows names that are no text")
def test_a_video_whose_name_is_no_text_is_named_not_opened(tmp_path, write_video):
    strange = os.fsdecode(os.fsencode(tmp_path) + b"/\xff.avi")
    write_video(tmp_path / "a.avi", 1).rename(strange)
    with pytest.raises(SourceError, match=r"is not valid text\. Rename the file"):
        _frames(tmp_path)


@pytest.mark.parametrize(
    ("case", "count"),
    [
        ("video-ok/ok.mp4", 12),
        ("video-ok/ok.avi", 12),
        ("video-header-lies/lies.avi", 12),
        ("video-one-frame/one.avi", 1),
    ],
)
def test_recorded_videos(shared, case, count):
    frames, source = _frames(shared / "bad-inputs" / f"media-{case}", batch=5)
    assert ([frame.frame for frame in frames], source.skipped) == (list(range(1, count + 1)), [])


def test_recorded_faults(shared):
    with pytest.raises(SourceError, match=r"empty\.mp4' is empty \(0 bytes\)"):
        _frames(shared / "bad-inputs" / "media-video-empty" / "empty.mp4")
    folder = shared / "bad-inputs" / "media-folder-mixed" / "src"
    frames, source = _frames(folder)
    assert _names(frames, folder) == ["clip.avi"] * 3 + ["good.png"]
    assert _names(_frames(f"{folder}/**")[0], folder)[-1] == "sub/good2.png"
    assert [Path(what).name for what, _ in source.skipped] == ["text.jpg", "zero.png"]
    frames, _ = _frames(f"{shared / 'bad-inputs' / 'media-same-stem-folders' / 'src'}/*/*")
    assert len({frame.path for frame in frames}) == 2


@pytest.mark.parametrize(
    ("name", "count", "shape"),
    [
        ("road_10fps.gif", 20, (135, 240)),
        ("road_gray_ffv1.mkv", 25, (180, 320)),
        ("road_hevc_480x270.mov", 50, (270, 480)),
        ("road_mpeg4_480x270.avi", 50, (270, 480)),
        ("road_rotation_metadata.mp4", 50, (960, 540)),
        ("road_vp9_480x270.webm", 50, (270, 480)),
    ],
)
def test_recorded_clips(shared, name, count, shape):
    frames, _ = _frames(shared / "datasets" / "video" / name)
    assert len(frames) == count
    assert {frame.image.shape for frame in frames} == {(*shape, 3)}


@given(st.lists(st.integers(0, 10**6), unique=True))
def test_numbers_in_names_are_ordered_as_numbers(numbers):
    names = [f"frame{number}.png" for number in numbers]
    assert sorted(names, key=natural) == [f"frame{number}.png" for number in sorted(numbers)]


@given(st.lists(st.text(max_size=6)))
def test_any_names_can_be_ordered(names):
    assert sorted(sorted(names, key=natural)) == sorted(names)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
@pytest.mark.parametrize("name", ["b.png", "b.tif", "b.npy", "b.mp4"])
def test_pipes_are_never_opened(tmp_path, grey, name):
    image = grey(tmp_path / "a.png")
    os.mkfifo(tmp_path / name)
    frames, _ = _frames(tmp_path)
    assert _names(frames, tmp_path) == ["a.png"]
    with pytest.raises(SourceError, match="is a pipe, socket or device"):
        load_source(tmp_path / name)
    (tmp_path / "list.txt").write_text(f"{name}\n{image}\n")
    frames, loaded = _frames(tmp_path / "list.txt")
    assert _names(frames, tmp_path) == ["a.png"]
    assert "pipe, socket or device" in loaded.skipped[0][1]


def test_a_list_may_hold_separators_of_windows(tmp_path, grey):
    grey(tmp_path / "day" / "a.png")
    (tmp_path / "list.txt").write_bytes(b"\xef\xbb\xbfday\\a.png\r\n\r\n# b\r\n")
    assert _names(_frames(tmp_path / "list.txt")[0], tmp_path) == ["day/a.png"]
