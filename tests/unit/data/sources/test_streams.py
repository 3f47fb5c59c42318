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


def test_a_silent_stream_is_an_error_that_names_it():
    """A server that takes the call and says nothing."""
    before = threading.active_count()
    with socket.create_server(("127.0.0.1", 0)) as server:
        source = _stream(f"http://me:secret@127.0.0.1:{server.getsockname()[1]}/live", timeout=0.3)
        with pytest.raises(SourceError, match=r"'http://127.* (has sent no frame for 0\.3 seconds|cannot be opened)"):
            list(source)
    assert threading.active_count() == before
