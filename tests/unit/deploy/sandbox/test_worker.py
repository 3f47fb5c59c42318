"""A function in another environment: what it sees, what it may not do, and how its end is told."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import pytest

import ultralytics
from ultralytics.deploy.sandbox import toolchain
from ultralytics.deploy.sandbox.worker import refuse
from ultralytics.errors import ExportError, MissingDependency


@pytest.fixture
def run(packages, job):
    """Run a function of the tiny toolkit on the job."""

    def run(name, packages=packages, **options):
        return toolchain.run_job(f"tiny_toolkit:{name}", job.folder, packages, "auto", **options)

    return run


def test_the_artefact_is_made_and_the_answer_comes_back(run, job):
    assert run("convert") == {
        **replace(job.metadata, tools={"tiny": "1.0"}).as_dict(),
        "names": {"0": "ground", "1": "disc"},
    } | {"imgsz": [32, 64], "outputs": []}
    assert job.artefact.read_bytes() == b"made of (32, 64)"
    assert sorted(path.name for path in job.folder.iterdir()) == ["job.json", "model.tiny"]
    assert run("nothing") is None


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "fails",
            r"tiny_toolkit:fails failed: ValueError: the graph has a hole(.|\n)*last words:(.|\n)*reading the graph",
        ),
        ("leaves", r"ended with status 3 without a result(.|\n)*cannot open the graph"),
        ("no_such_function", "AttributeError.*no_such_function"),
        pytest.param(
            "dies", "was ended by SIGKILL", marks=pytest.mark.skipif(sys.platform == "win32", reason="signals")
        ),
    ],
)
def test_the_real_error_comes_back(name, message, run):
    with pytest.raises(ExportError, match=message):
        run(name)


def test_it_has_a_time_limit_that_ends_all_it_started(run, job):
    with pytest.raises(ExportError, match=r"did not end within 8 s(.|\n)*optimising for ever"):
        run("sleeps", timeout=8)
    child = int((job.folder / "child.txt").read_text())
    _wait_until_ended(child)


SCRIPT = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
import sys
from pathlib import Path
from ultralytics.deploy.sandbox import toolchain
from ultralytics.deploy.format import Packages
toolchain.run_job("tiny_toolkit:sleeps", Path(sys.argv[1]), Packages(name="tiny", pins=tuple(sys.argv[2:])), "never")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize("signal", [signal.SIGKILL, signal.SIGINT])
def test_it_ends_with_the_process_that_asked(signal, run, job, packages, tmp_path, monkeypatch):
    run("nothing")  # the environment is there
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    script = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(job.folder), *packages.pins], stderr=subprocess.DEVNULL
    )
    file = job.folder / "child.txt"
    while not (file.is_file() and file.read_text()):
        assert script.poll() is None
        time.sleep(0.05)
    script.send_signal(signal)
    assert script.wait() == -signal
    _wait_until_ended(int(file.read_text()))
    assert signal == 9 or list(temporary.iterdir()) == []


def _wait_until_ended(process):
    for _ in range(200):
        if not _alive(process):
            return
        time.sleep(0.05)
    pytest.fail("a program of the worker outlived it")


def _alive(process):
    try:
        os.kill(process, 0)
        return "Z (zombie)" not in Path(f"/proc/{process}/status").read_text()
    except OSError:
        return False


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("connects", r"PermissionError: A toolchain may not use the network; .*198\.51\.100\.7"),
        ("looks_up", r"PermissionError: A toolchain may not use the network; .*telemetry\.example"),
        ("installs_by_shell", "PermissionError: A toolchain may not install .*pip install -U telemetry"),
        ("installs_by_module", "PermissionError: A toolchain may not install .*-m pip install telemetry"),
    ],
)
def test_it_reaches_nobody_and_installs_nothing(name, message, run):
    with pytest.raises(ExportError, match=message):
        run(name)


def test_it_may_talk_to_itself(run):
    assert run("talks_to_itself") == "hello"


def test_programs_it_starts_have_no_network(run, job):
    probe = [sys.executable, "-c", "from ultralytics.deploy.sandbox.worker import cut_network; print(cut_network())"]
    if subprocess.run(probe, capture_output=True, text=True, check=True).stdout.strip() != "True":
        pytest.skip("this system takes the network from nobody who asks for that")
    with socket.create_server(("127.0.0.1", 0)) as server:
        job.weights.write_text(str(server.getsockname()[1]))
        assert run("telephones") == 1


def test_its_surroundings_are_scrubbed(run, job, monkeypatch):
    monkeypatch.setenv("SECRET_TOKEN", "x")
    monkeypatch.setenv("PYTHONPATH", str(job.folder))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    seen = run("surroundings")
    environ = seen["environ"]
    assert not [name for name in environ if name.startswith(("PIP_", "UV_", "SECRET", "PYTHONPATH"))]
    assert environ["OMP_NUM_THREADS"] == "1"
    for name in ("HOME", "TMPDIR"):
        assert Path(environ[name]) not in {Path.home(), Path(tempfile.gettempdir())}
        assert not Path(environ[name]).exists()
    assert Path(seen["folder"]) == job.folder
    assert not [
        path for path in seen["path"] if Path(path) in {Path(entry) for entry in sys.path if "site-packages" in entry}
    ]
    assert str(Path(ultralytics.__file__).parents[1]) not in seen["path"]
    assert not {"torch", "cv2", "PIL", "tqdm"} & set(seen["modules"])
    found = seen["found"]
    assert [found[name] for name in ("pip", "pip3", "uv", "curl")] == [None] * 4
    assert found["sh"]
    assert Path(found["python3"]).is_relative_to(toolchain.toolchain_folder())


def test_programs_it_needs_stay_reachable(run, packages, tmp_path, monkeypatch):
    program = tmp_path / "tools" / "tiny-program"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho hello\n")
    program.chmod(0o755)
    needing = replace(packages, programs=("tiny-program",))
    with pytest.raises(MissingDependency, match="'tiny-program' is needed"):
        run("program", needing)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    assert run("program", needing) == "hello\n"


@pytest.mark.parametrize(
    ("event", "arguments"),
    [
        ("socket.connect", (None, ("127.0.0.1", 80))),
        ("socket.connect", (None, ("::1", 80, 0, 0))),
        ("socket.connect", (None, "/run/service.socket")),
        ("socket.sendmsg", (None, None)),
        ("socket.getaddrinfo", ("localhost", 80, 0, 0, 0)),
        ("subprocess.Popen", ("/usr/bin/java", ["java", "-jar", "/opt/pip/tool.jar"], None, None)),
        ("subprocess.Popen", (None, ["lscpu"], None, {"PIP": "pip"})),
        ("open", ("pip", "r", 0)),
    ],
)
def test_what_stays_on_this_machine_is_allowed(event, arguments):
    refuse(event, arguments)


@pytest.mark.parametrize(
    ("event", "arguments"),
    [
        ("socket.connect", (None, ("10.0.0.1", 80))),
        ("socket.sendto", (None, (b"8.8.8.8", 53))),
        ("socket.gethostbyname", ("example.org",)),
        ("subprocess.Popen", ("/usr/bin/python3", ["/usr/bin/python3", "-m", "pip", "install", "x"], None, None)),
        ("subprocess.Popen", (None, "cd /tmp && pip3.11 install x", None, None)),
        ("os.system", (b"pip install -U x",)),
        ("os.posix_spawn", ("/root/.local/bin/uv", ["uv", "pip"], {})),
        ("os.spawn", (0, "C:\\Scripts\\pip.exe", ["pip.exe"], None)),
        ("os.exec", ("/usr/bin/curl", ["curl"], None)),
    ],
)
def test_what_leads_out_of_it_is_refused(event, arguments):
    with pytest.raises(PermissionError):
        refuse(event, arguments)
