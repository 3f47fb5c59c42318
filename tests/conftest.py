"""Fixtures every test may use: small datasets made on the spot, an own settings folder, no network."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from hypothesis import settings

os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # tests run side by side; threads of small operations would only wait
settings.register_profile("project", deadline=None)  # the machine's speed is not under test
settings.load_profile("project")


@pytest.fixture(scope="session")
def shared() -> Path:
    """Recorded facts and real datasets that live beside a developer's checkout, not in the repository."""
    folder = Path(__file__).resolve().parents[2] / "shared"
    if not (folder / "interop").is_dir():
        pytest.skip("the recorded reference data (../shared) is not part of a clone")
    return folder


@pytest.fixture(scope="session")
def recorded() -> Path:
    """Recorded facts that are part of the repository."""
    return Path(__file__).parent / "golden" / "recorded"


@pytest.fixture(autouse=True)
def _own_user_folders(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the user's real settings, runs and caches out of reach of the tests."""
    monkeypatch.setenv("YOLO_CONFIG_DIR", str(tmp_path_factory.getbasetemp() / "user-config"))


@pytest.fixture(autouse=True)
def _no_network(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse connections to anything but this machine."""
    if request.node.get_closest_marker("network"):
        return
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> object:
        host = address[0] if isinstance(address, tuple) else None
        if host is not None and host not in {"127.0.0.1", "localhost", "::1"}:
            pytest.fail(f"a test tried to reach {address}")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)
