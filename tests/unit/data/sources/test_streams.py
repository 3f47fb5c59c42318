"""Live streams: network cameras of this machine; files, which have an end, stand in for recordings."""

from __future__ import annotations

import socket
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest

from ultralytics.data.sources import load_source, streams
from ultralytics.data.sources.files import ReadOptions
from ultralytics.data.sources.streams import StreamSource
from ultralytics.data.sources.video import VideoReader
from ultralytics.errors import ImageError, SourceError


def _stream(*locations, **options):
    buffered = options.pop("buffered", False)
    return StreamSource(locations, ReadOptions(**{"timeout": 5.0, **options}), buffered=buffered)


def _until_lost(source, pause=0.0):
    """Frames of a source that comes to no good end, and what it says then."""
    frames = []
    try:
        for batch in source:
            frames.extend(batch)
            time.sleep(pause)
    except SourceError as error:
        return frames, str(error)
    pytest.fail("It ended as if all was well.")


@pytest.mark.parametrize("source", [0, "0", "rtsp://127.0.0.1:9/live"])
def test_cameras_and_network_streams_are_live(source):
    assert load_source(source).live


def test_a_list_of_streams(tmp_path):
    (tmp_path / "cams.streams").write_text("# front\n0\nrtsp://127.0.0.1:9/live\n")
    assert load_source(tmp_path / "cams.streams").total == 2
    (tmp_path / "none.streams").write_text("# nothing\n")
    with pytest.raises(SourceError, match="names no stream"):
        load_source(tmp_path / "none.streams")


def test_a_recording_is_read_whole(tmp_path, write_video):
    """However slow the user is: what has an end cannot be missed."""
    source = _stream(str(write_video(tmp_path / "a.avi", 60)))
    numbers = []
    for (frame,) in source:
        numbers.append(frame.frame)
        time.sleep(0.01)
    assert numbers == list(range(1, 61))
    assert source.dropped == {str(tmp_path / "a.avi"): 0}


def test_a_buffered_camera_keeps_the_order(camera):
    address = camera(25)
    source = load_source(address, stream_buffer=True, timeout=5)
    frames, _ = _until_lost(source, pause=0.01)
    assert [frame.frame for frame in frames] == list(range(1, 26))
    assert source.dropped == {address: 0}


def test_without_a_buffer_the_latest_frame_comes_and_the_others_are_counted(camera):
    source = load_source(camera(60), timeout=5)
    frames, reason = _until_lost(source, pause=0.05)
    numbers = [frame.frame for frame in frames]
    assert numbers == sorted(set(numbers))
    assert numbers[-1] == 60
    assert "broke off after 60 frames" in reason
    (dropped,) = source.dropped.values()
    assert dropped == 60 - len(numbers) > 0


def test_streams_that_end_leave_the_others_running(tmp_path, write_video):
    files = [str(write_video(tmp_path / f"{count}.avi", count)) for count in (2, 4)]
    batches = [[frame.index for frame in batch] for batch in _stream(*files, buffered=True)]
    assert batches == [[0, 1], [0, 1], [1], [1]]


def test_a_stride(tmp_path, write_video):
    source = _stream(str(write_video(tmp_path / "a.avi", 7)), buffered=True, vid_stride=3)
    assert [frame.frame for (frame,) in source] == [1, 4, 7]


def test_closing_ends_the_threads(tmp_path, write_video):
    before = threading.active_count()
    source = _stream(str(write_video(tmp_path / "a.avi", 2000)), buffered=True)
    for _ in source:
        break
    source.close()
    assert threading.active_count() <= before


def test_a_stream_that_cannot_be_opened_is_named(tmp_path):
    (tmp_path / "a.avi").write_text("no video")
    with pytest.raises(SourceError, match=r"a\.avi' cannot be opened"):
        list(_stream(str(tmp_path / "a.avi")))
    with pytest.raises(SourceError, match="camera63' cannot be opened"):
        list(_stream(63))


def test_a_network_camera_is_read_over_a_broken_frame(camera):
    address = camera(9, broken=(3, 4))
    source = load_source(address, stream_buffer=True, timeout=5)
    assert source.live
    frames, _ = _until_lost(source)
    assert [frame.frame for frame in frames] == [1, 2, 5, 6, 7, 8, 9]
    assert [round(float(frame.image.mean()), -1) for frame in frames] == [10, 20, 50, 60, 70, 80, 90]
    assert source.broken == {address: 2}


def test_two_network_cameras_at_once_of_which_one_falls_silent(camera, tmp_path):
    silent, other = camera(3, falls_silent=True), camera(9)
    (tmp_path / "cams.streams").write_text(f"{silent}\n{other}\n")
    source = load_source(tmp_path / "cams.streams", stream_buffer=True, timeout=0.5)
    frames, _ = _until_lost(source)
    assert [frame.frame for frame in frames if frame.path == silent] == [1, 2, 3]
    assert [frame.frame for frame in frames if frame.path == other] == list(range(1, 10))
    assert sorted(name for name, _ in source.skipped) == sorted([silent, other])


def test_a_camera_does_not_hold_up_the_others(camera, tmp_path, monkeypatch):
    """One falls silent, within a limit that is never reached here; the other goes on to its last frame."""
    monkeypatch.setattr(streams, "_GRACE", 0.05)
    (tmp_path / "cams.streams").write_text(f"{camera(30, falls_silent=True)}\n{camera(60, falls_silent=True)}\n")
    with load_source(tmp_path / "cams.streams", stream_buffer=True, timeout=60) as source:
        for batch in source:
            if batch[-1].index == 1 and batch[-1].frame == 60:
                break
        assert not source.skipped


def test_a_camera_that_never_answers_does_not_use_up_the_time_of_the_others(camera, tmp_path):
    """OpenCV opens one after the other: the second has to wait until the first is given up."""
    with socket.create_server(("127.0.0.1", 0)) as dead:
        address = f"rtsp://127.0.0.1:{dead.getsockname()[1]}/live"
        (tmp_path / "cams.streams").write_text(f"{address}\n{camera(30)}\n")
        source = load_source(tmp_path / "cams.streams", stream_buffer=True, timeout=1)
        frames, reason = _until_lost(source)
    assert [frame.frame for frame in frames] == list(range(1, 31))
    assert f"'{address}' has sent no frame for 1 seconds" in reason
    assert "broke off after 30 frames" in reason


def test_closing_does_not_wait_for_a_silent_camera(camera, monkeypatch):
    monkeypatch.setattr(streams, "_GRACE", 0.05)
    source = load_source(camera(50, falls_silent=True), timeout=60)
    assert any(batch[0].frame == 50 for batch in source)
    source.close()
    assert any(thread.name == "read-ahead" for thread in threading.enumerate())


def test_frames_that_come_after_the_silence_are_too_late():
    """OpenCV gives up on a server and then still hands out what its decoder held back."""
    capture = SimpleNamespace(
        get=lambda _: 0.0,
        grab=lambda: time.sleep(0.02) or True,
        retrieve=lambda: (True, np.zeros((2, 2, 3), "u1")),
    )
    with pytest.raises(ImageError, match="'rtsp://a' has sent no frame"):
        next(VideoReader(capture, "rtsp://a", 0.01).frames(stride=1, channels=3))


def test_a_camera_that_goes_away_is_an_error_after_its_frames(camera):
    frames, reason = _until_lost(load_source(camera(4), stream_buffer=True, timeout=5))
    assert [frame.frame for frame in frames] == [1, 2, 3, 4]
    assert "broke off after 4 frames" in reason


def test_a_camera_that_falls_silent_is_an_error_after_its_frames(camera):
    batches = iter(load_source(camera(4, falls_silent=True), stream_buffer=True, timeout=0.5))
    assert [next(batches)[0].frame for _ in range(4)] == [1, 2, 3, 4]
    with pytest.raises(SourceError, match=r"has sent no frame for 0\.5 seconds"):
        next(batches)


def test_a_silent_stream_is_an_error_that_names_it():
    """A server that takes the call and says nothing."""
    before = threading.active_count()
    with socket.create_server(("127.0.0.1", 0)) as server:
        source = _stream(f"http://me:secret@127.0.0.1:{server.getsockname()[1]}/live", timeout=0.3)
        with pytest.raises(SourceError, match=r"'http://127.* (has sent no frame for 0\.3 seconds|cannot be opened)"):
            list(source)
    assert threading.active_count() <= before
