"""Live streams; video files stand in for cameras: to OpenCV both are captures."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from ultralytics.data.sources import load_source
from ultralytics.data.sources.streams import StreamSource
from ultralytics.errors import SourceError


def _stream(*locations, **options):
    settings = {"vid_stride": 1, "buffered": False, "channels": 3, "timeout": 5.0, **options}
    return StreamSource(locations, **settings)


@pytest.mark.parametrize("source", [0, "0", "rtsp://127.0.0.1:9/live"])
def test_cameras_and_network_streams_are_live(source):
    assert load_source(source).live


def test_a_list_of_streams(tmp_path):
    (tmp_path / "cams.streams").write_text("# front\n0\nrtsp://127.0.0.1:9/live\n")
    assert load_source(tmp_path / "cams.streams").total == 2
    (tmp_path / "none.streams").write_text("# nothing\n")
    with pytest.raises(SourceError, match="names no stream"):
        load_source(tmp_path / "none.streams")


def test_a_buffered_stream_keeps_the_order(tmp_path, write_video):
    source = _stream(str(write_video(tmp_path / "a.avi", 9)), buffered=True)
    assert [frame.frame for (frame,) in source] == list(range(1, 10))
    assert source.dropped == {str(tmp_path / "a.avi"): 0}


def test_without_a_buffer_the_latest_frame_comes_and_the_others_are_counted(tmp_path, write_video):
    source = _stream(str(write_video(tmp_path / "a.avi", 60)))
    numbers = []
    for (frame,) in source:
        numbers.append(frame.frame)
        time.sleep(0.05)
    assert numbers == sorted(set(numbers))
    assert numbers[-1] == 60
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
    assert threading.active_count() == before


def test_a_stream_that_cannot_be_opened_is_named(tmp_path):
    (tmp_path / "a.avi").write_text("no video")
    with pytest.raises(SourceError, match=r"a\.avi' cannot be opened"):
        list(_stream(str(tmp_path / "a.avi")))
    with pytest.raises(SourceError, match="camera 63' cannot be opened"):
        list(_stream(63))


def test_a_network_camera_is_read_over_a_broken_frame(camera):
    address = camera(9, broken=(3, 4))
    with load_source(address, stream_buffer=True, timeout=5) as source:
        assert source.live
        frames = [frame for (frame,) in source]
    assert [frame.frame for frame in frames] == [1, 2, 5, 6, 7, 8, 9]
    assert [round(float(frame.image.mean()), -1) for frame in frames] == [10, 20, 50, 60, 70, 80, 90]
    assert source.broken == {address: 2}


def test_two_network_cameras_at_once_of_which_one_falls_silent(camera, tmp_path):
    silent, lasting = camera(3, falls_silent=True), camera(9)
    (tmp_path / "cams.streams").write_text(f"{silent}\n{lasting}\n")
    with load_source(tmp_path / "cams.streams", stream_buffer=True, timeout=0.5) as source:
        batches = [[frame.index for frame in batch] for batch in source]
    assert batches == [[0, 1]] * 3 + [[1]] * 6
    assert [name for name, _ in source.skipped] == [silent]


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
    assert threading.active_count() == before
