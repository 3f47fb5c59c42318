"""Downloads over a server on this machine, and archives that must not be trusted."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ultralytics.errors import DownloadError, MissingFile
from ultralytics.utils import downloads
from ultralytics.utils.downloads import OFFICIAL_WEIGHTS, download, find_weights

DATA = bytes(range(256)) * 4000
DIGEST = hashlib.sha256(DATA).hexdigest()


@dataclass
class Site:
    """What a small server offers, how it misbehaves, and what it was asked."""

    url: str = ""
    data: bytes = DATA
    etag: str | None = '"one"'
    cuts: list[int] = field(default_factory=list)  # bytes after which each next answer breaks off
    errors: list[int] = field(default_factory=list)  # status of each next answer
    ranges: list[str | None] = field(default_factory=list)
    redirect: str | None = None
    knows_ranges: bool = True

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        self.ranges.append(request.headers.get("Range"))
        if self.errors:
            request.send_error(self.errors.pop(0))
            return
        if self.redirect:
            request.send_response(302)
            request.send_header("Location", self.redirect)
            request.end_headers()
            return
        start = self.start(request)
        if start >= len(self.data):
            request.send_error(416)
            return
        request.send_response(206 if start else 200)
        request.send_header("Content-Length", str(len(self.data) - start))
        if self.etag:
            request.send_header("ETag", self.etag)
        request.end_headers()
        end = start + self.cuts.pop(0) if self.cuts else len(self.data)
        request.wfile.write(self.data[start:end])

    def start(self, request: BaseHTTPRequestHandler) -> int:
        wanted = request.headers.get("Range")
        same = request.headers.get("If-Range") in {None, self.etag}
        return int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and same and self.knows_ranges else 0


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    site = Site()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.answer(self)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    site.url = f"http://127.0.0.1:{server.server_port}/"
    monkeypatch.setattr(downloads, "_PAUSE", 0.01)
    monkeypatch.delenv("YOLO_OFFLINE", raising=False)
    yield site
    server.shutdown()
    server.server_close()
    thread.join()


def test_whole_download(site: Site, tmp_path: Path) -> None:
    target = tmp_path / "new" / "file.bin"
    assert download(site.url + "file.bin", target, sha256=DIGEST.upper(), size=len(DATA)) == target
    assert target.read_bytes() == DATA
    assert [file.name for file in target.parent.iterdir()] == ["file.bin"]


def test_goes_on_where_it_broke_off(site: Site, tmp_path: Path) -> None:
    site.cuts = [300_000, 400_000]
    download(site.url, tmp_path / "a", sha256=DIGEST)
    assert (tmp_path / "a").read_bytes() == DATA
    assert site.ranges == [None, "bytes=300000-", "bytes=700000-"]


def test_goes_on_in_a_later_call(site: Site, tmp_path: Path) -> None:
    (tmp_path / "a.part").write_bytes(DATA[:1000])
    (tmp_path / "a.part.etag").write_text('"one"')
    download(site.url, tmp_path / "a")
    assert site.ranges == ["bytes=1000-"]
    assert (tmp_path / "a").read_bytes() == DATA


@pytest.mark.parametrize("known", [True, False])
def test_starts_over_if_the_file_has_changed(site: Site, tmp_path: Path, known: bool) -> None:
    (tmp_path / "a.part").write_bytes(b"old" * 100)
    if known:
        (tmp_path / "a.part.etag").write_text('"before"')
    download(site.url, tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == DATA


def test_server_without_ranges(site: Site, tmp_path: Path) -> None:
    site.knows_ranges, site.cuts = False, [5000]
    download(site.url, tmp_path / "a", sha256=DIGEST)
    assert (tmp_path / "a").read_bytes() == DATA


def test_partial_file_longer_than_the_real_one(site: Site, tmp_path: Path) -> None:
    (tmp_path / "a.part").write_bytes(DATA + b"more")
    download(site.url, tmp_path / "a", sha256=DIGEST)
    assert (tmp_path / "a").read_bytes() == DATA


def test_passing_server_errors_are_waited_out(site: Site, tmp_path: Path) -> None:
    site.errors = [503, 500, 429]
    assert download(site.url, tmp_path / "a", sha256=DIGEST).stat().st_size == len(DATA)


def test_gives_up_at_last_and_keeps_the_part(site: Site, tmp_path: Path) -> None:
    download_part = tmp_path / "a.part"
    download_part.write_bytes(DATA[:100])
    site.errors = [503] * 10
    with pytest.raises(DownloadError, match=r"503.*put the file of .* at '.*a'"):
        download(site.url, tmp_path / "a", sha256=DIGEST)
    assert site.ranges == ["bytes=100-"] * 5
    assert download_part.read_bytes() == DATA[:100]
    assert not (tmp_path / "a").exists()


def test_missing_file_is_not_asked_for_twice(site: Site, tmp_path: Path) -> None:
    site.errors = [404]
    with pytest.raises(DownloadError, match="404"):
        download(site.url, tmp_path / "a")
    assert len(site.ranges) == 1


def test_wrong_checksum_leaves_nothing(site: Site, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=f"has SHA-256 {DIGEST}"):
        download(site.url, tmp_path / "a", sha256="0" * 64)
    assert list(tmp_path.iterdir()) == []


def test_wrong_size_is_seen_before_the_body(site: Site, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=r"1,024,000 bytes, 77 were expected"):
        download(site.url, tmp_path / "a", size=77)
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("elsewhere", ["file:///etc/hostname", "ftp://127.0.0.1/x"])
def test_redirects_to_other_kinds_of_address_are_refused(site: Site, tmp_path: Path, elsewhere: str) -> None:
    site.redirect = elsewhere
    with pytest.raises(DownloadError, match=r"not a safe address|is not allowed"):
        download(site.url, tmp_path / "a")


@pytest.mark.parametrize("url", ["file:///etc/hostname", "ftp://127.0.0.1/x", "bash script.sh", "data:,x"])
def test_only_web_addresses(tmp_path: Path, url: str) -> None:
    with pytest.raises(DownloadError, match="only http and https"):
        download(url, tmp_path / "a")


def test_no_server_says_where_to_put_the_file(site: Site, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=r"put the file of 'http://127.0.0.1:9/x' at"):
        download("http://127.0.0.1:9/x", tmp_path / "a")


def test_offline_by_choice(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YOLO_OFFLINE", "true")
    with pytest.raises(DownloadError, match=r"YOLO_OFFLINE.*put the file of"):
        download(site.url, tmp_path / "a")
    assert site.ranges == []


def test_official_weights_are_fetched_once_and_recorded(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(downloads, "WEIGHTS_URL", site.url)
    caplog.set_level("INFO", logger="ultralytics")
    path = find_weights("yolo26n-sem.pt", tmp_path)
    assert path == tmp_path / "yolo26n-sem.pt"
    assert "AGPL-3.0" in caplog.text
    record = json.loads((tmp_path / "yolo26n-sem.pt.json").read_text())
    assert (record["size"], record["sha256"]) == (len(DATA), DIGEST)
    assert find_weights("yolo26n-sem.pt", tmp_path) == path
    assert len(site.ranges) == 1

    path.write_bytes(b"tampered")
    with pytest.raises(DownloadError, match="not the file that was downloaded"):
        find_weights("yolo26n-sem.pt", tmp_path)
    path.unlink()
    site.data = DATA[::-1]
    with pytest.raises(DownloadError, match="SHA-256"):
        find_weights("yolo26n-sem.pt", tmp_path)


def test_weights_offline_say_what_to_put_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YOLO_OFFLINE", "1")
    with pytest.raises(DownloadError) as caught:
        find_weights("yolo26s-sem-ade20k.pt", tmp_path)
    assert "releases/download/v8.4.0/yolo26s-sem-ade20k.pt" in str(caught.value)
    assert str(tmp_path / "yolo26s-sem-ade20k.pt") in str(caught.value)


def test_weights_by_path_come_first(tmp_path: Path) -> None:
    mine = tmp_path / "mine.pt"
    mine.write_bytes(b"x")
    assert find_weights(str(mine), tmp_path / "weights") == mine
    assert find_weights("mine.pt", tmp_path) == mine


def test_unknown_weights_name_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(MissingFile, match=r"'yolo26n-sem\.pt' or 'yolo26") as caught:
        find_weights("yolo26n-semm.pt", tmp_path)
    assert str(caught.value).count("yolo26") == 4
    with pytest.raises(MissingFile, match=r"'folder/yolo26n-sem\.pt' does not exist.* such as 'yolo26n-sem\.pt'"):
        find_weights("folder/yolo26n-sem.pt", tmp_path)
    with pytest.raises(MissingFile, match=r"such as 'yolo26n-sem\.pt'\.$"):
        find_weights("runs/best_of_all", tmp_path)


def test_official_names() -> None:
    assert len(OFFICIAL_WEIGHTS) == 10 + 15 + 2
    assert {"yolo26x-sem-ade20k.pt", "yolov8m-seg.pt", "yolov9c-seg.pt"} <= OFFICIAL_WEIGHTS
