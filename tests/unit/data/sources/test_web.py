"""Images and videos behind addresses, served by this machine."""

from __future__ import annotations

import numpy as np
import pytest

from ultralytics.data.sources import load_source
from ultralytics.data.sources.streams import StreamSource
from ultralytics.data.sources.web import is_url, shown
from ultralytics.errors import DownloadError, SourceError

BGR = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)


def _frames(source, **options):
    with load_source(source, timeout=10, **options) as loaded:
        return [frame for batch in loaded for frame in batch]


def test_an_image_is_read_into_memory(site, write_image):
    folder, address = site
    write_image(folder / "a.png", BGR)
    (frame,) = _frames(f"{address}/a.png?size=large")
    np.testing.assert_array_equal(frame.image, BGR)
    assert frame.path == f"{address}/a.png?size=large"


def test_where_the_suffix_says_nothing_the_server_is_asked(site, write_image):
    folder, address = site
    write_image(folder / "a.png", BGR).rename(folder / "a.jpeg-without-suffix")
    assert _frames(f"{address}/a.jpeg-without-suffix")[0].shape == (5, 7)
    (folder / "page.html").write_text("<html>")
    with pytest.raises(SourceError, match="is a web page"):
        load_source(f"{address}/page.html")
    (folder / "live").touch()
    assert isinstance(load_source(f"{address}/live"), StreamSource)


def test_a_video_is_read_frame_by_frame(site, write_video):
    folder, address = site
    write_video(folder / "a.avi", 4)
    assert [frame.frame for frame in _frames(f"{address}/a.avi")] == [1, 2, 3, 4]


def test_a_video_that_breaks_off_is_named_after_its_frames(site, write_video):
    folder, address = site
    video = write_video(folder / "a.avi", 60)
    video.write_bytes(video.read_bytes()[: video.stat().st_size // 2])
    with load_source(f"{address}/a.avi", timeout=10) as source:
        numbers = [frame.frame for batch in source for frame in batch]
    assert numbers == list(range(1, len(numbers) + 1))
    assert source.skipped == [
        (
            f"{address}/a.avi",
            f"'{address}/a.avi' broke off after {len(numbers)} frames. Is it still running and reachable?",
        )
    ]


def test_addresses_in_lists(site, tmp_path, write_image):
    folder, address = site
    write_image(folder / "a.png", BGR)
    (tmp_path / "list.txt").write_text(f"{address}/a.png\n{address}/missing.png\n")
    with load_source(tmp_path / "list.txt") as source:
        assert len(list(source)) == 1
    ((what, why),) = source.skipped
    assert what == f"{address}/missing.png"
    assert "404" in why


def test_what_is_not_there_or_no_image_is_an_error(site):
    folder, address = site
    with pytest.raises(SourceError, match=r"missing\.jpg' cannot be read: the server says 404"):
        _frames(f"{address}/missing.jpg")
    (folder / "text.jpg").write_text("<html>")
    with pytest.raises(SourceError, match="is not an image"):
        _frames(f"{address}/text.jpg")
    with pytest.raises(SourceError, match="cannot be read"):
        _frames("http://127.0.0.1:9/a.jpg")


def test_the_network_can_be_forbidden(site, monkeypatch):
    monkeypatch.setenv("YOLO_OFFLINE", "1")
    with pytest.raises(SourceError, match="YOLO_OFFLINE forbids"):
        _frames(f"{site[1]}/a.jpg")
    with pytest.raises(DownloadError, match="YOLO_OFFLINE forbids"):
        load_source(f"{site[1]}/live")


def test_passwords_are_not_shown():
    assert shown("rtsp://me:secret@cam.local:554/a@b") == "rtsp://cam.local:554/a@b"
    assert shown("/tmp/a@b.png") == "/tmp/a@b.png"


@pytest.mark.parametrize(
    ("text", "expected"), [("RTSP://a/b", True), ("C:\\a.png", False), ("h264+tcp://a", True), ("./x", False)]
)
def test_addresses_are_told_from_paths(text, expected):
    assert is_url(text) is expected
