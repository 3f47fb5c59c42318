"""Fixtures of the source tests: small videos, and a web server on this machine."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np
import pytest


@pytest.fixture
def write_video() -> Callable[..., Path]:
    """Write a video whose frame number n is grey level 10 n, from 1."""

    def write(path: Path, count: int, *, shape: tuple[int, int] = (24, 32), fps: float = 10.0) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), fps, shape[::-1])
        for number in range(1, count + 1):
            writer.write(np.full((*shape, 3), 10 * number % 256, np.uint8))
        writer.release()
        return path

    return write


class _Quiet(SimpleHTTPRequestHandler):
    extensions_map: ClassVar = {**SimpleHTTPRequestHandler.extensions_map, ".jpeg-without-suffix": "image/jpeg"}

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """Serve a folder; give the folder and its address."""
    folder = tmp_path / "site"
    folder.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield folder, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


class _Camera(BaseHTTPRequestHandler):
    """A network camera: grey frames 10 n as multipart JPEG, until it falls silent or ends."""

    def __init__(self, *args: object, frames: int, broken: set[int], silent: threading.Event | None) -> None:
        self.frames, self.broken, self.silent = frames, broken, silent
        super().__init__(*args)  # answers the request

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        for number in range(1, self.frames + 1):
            data = cv2.imencode(".jpg", np.full((24, 32, 3), 10 * number % 256, np.uint8))[1].tobytes()
            if number in self.broken:
                data = data[: len(data) // 3] + bytes(100)
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
            try:
                self.wfile.write(head.encode() + data + b"\r\n")
                self.wfile.flush()
            except OSError:  # nobody looks any more
                return
        if self.silent is not None:
            self.silent.wait(10)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def camera() -> Iterator[Callable[..., str]]:
    """Start network cameras; each call gives the address of one that sends so many frames."""
    over = threading.Event()
    with ExitStack() as stack:
        stack.callback(over.set)

        def start(frames: int, broken: tuple[int, ...] = (), *, falls_silent: bool = False) -> str:
            silent = over if falls_silent else None
            handler = partial(_Camera, frames=frames, broken=set(broken), silent=silent)
            server = stack.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), handler))
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
            thread.start()
            for step in (thread.join, server.shutdown, over.set):
                stack.callback(step)
            return f"http://127.0.0.1:{server.server_port}/live"

        yield start
