"""A backend in another process: its answers, its noise, its errors, and that nothing of it stays behind."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ultralytics.deploy.sandbox.isolated import IsolatedBackend
from ultralytics.errors import MissingDependency, ModelError, RuntimeUnavailable

IMAGES = np.arange(2 * 3 * 4 * 8, dtype=np.float32).reshape(2, 3, 4, 8)


@pytest.fixture
def load(packages, tmp_path):
    """Load an artefact of the tiny toolkit that behaves as its text says."""
    loaded = []

    def load(kind, packages=packages, **options):
        path = tmp_path / "mödel.tiny"
        path.write_text(kind)
        loaded.append(
            IsolatedBackend(path, backend="tiny_toolkit:Backend", packages=packages, policy="auto", **options)
        )
        return loaded[-1]

    yield load
    for backend in loaded:
        backend.close()


def test_it_says_what_the_artefact_says_and_passes_options_on(load):
    metadata = load("double", device="cpu", threads=3).metadata
    assert metadata.names == {0: "ground", 1: "disc"}
    assert metadata.imgsz == (32, 64)
    assert metadata.args == {"device": "cpu", "threads": 3}


def test_outputs_are_those_of_the_runtime_whatever_it_prints(load):
    backend = load("double")
    for images in (IMAGES, IMAGES[:, ::-1], IMAGES.astype(np.uint8), IMAGES[:0]):
        (output,) = backend.infer(images)
        assert output.dtype == images.dtype
        np.testing.assert_array_equal(output, images * 2)


def test_several_outputs_of_several_types(load):
    classes, swapped = load("two").infer(IMAGES)
    assert classes.dtype == np.uint8
    np.testing.assert_array_equal(classes, IMAGES.argmax(1))
    np.testing.assert_array_equal(swapped, IMAGES.transpose(0, 1, 3, 2))


def test_memory_grows_with_the_images(load):
    backend = load("double")
    for side in (8, 600, 40, 900):
        images = np.full((1, 3, side, side), side, np.float32)
        assert (backend.infer(images)[0] == 2 * side).all()


def test_outputs_stay_as_they_are_as_long_as_somebody_has_them(load):
    backend = load("double")
    kept = [backend.infer(np.full_like(IMAGES, number))[0] for number in range(8)]
    parts = [backend.infer(np.full_like(IMAGES, number))[0][0, :1] for number in range(8)]
    for number in range(8):
        assert (kept[number] == 2 * number).all()
        assert (parts[number] == 2 * number).all()
    backend.close()
    assert kept[3].sum() == 6 * IMAGES.size


def test_threads_get_their_own_answers(load):
    backend, wrong = load("double"), []

    def ask(number):
        for _ in range(10):
            if not (backend.infer(np.full_like(IMAGES, number))[0] == 2 * number).all():
                wrong.append(number)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.parametrize(
    ("kind", "error", "message"),
    [
        ("damaged", ModelError, "cut off at byte 7"),
        ("no device", RuntimeUnavailable, "a chip of the kind X"),
        ("broken", ModelError, r"mödel\.tiny.*environment 'tiny': KeyError: 'layer 7'"),
        ("dead at start", RuntimeUnavailable, r"ended with status 5\.(.|\n)*cannot find libtiny\.so"),
    ],
)
def test_an_artefact_that_does_not_load_says_why(kind, error, message, load):
    with pytest.raises(error, match=message):
        load(kind)


def test_an_error_of_the_runtime_leaves_it_usable(load):
    backend = load("fussy")
    with pytest.raises(ModelError, match="ArithmeticError: a number that is none"):
        backend.infer(IMAGES)
    np.testing.assert_array_equal(backend.infer(IMAGES)[0], IMAGES * 2)


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_the_death_of_the_runtime_is_an_error_with_its_last_words(load):
    backend = load("mortal")
    backend.infer(IMAGES)
    with pytest.raises(RuntimeUnavailable, match=r"SIGSEGV(.|\n)*out of memory"):
        backend.infer(IMAGES)
    with pytest.raises(RuntimeUnavailable, match="has ended"):
        backend.infer(IMAGES)


def test_it_can_be_closed_twice_and_not_be_used_afterwards(load):
    backend = load("double")
    backend.close()
    backend.close()
    with pytest.raises(RuntimeUnavailable, match="has ended"):
        backend.infer(IMAGES)


def test_a_program_that_is_missing_is_named(load, packages):
    needing = replace(packages, programs=("no-such-program",))
    load("double")
    with pytest.raises(MissingDependency, match="'no-such-program' is needed"):
        load("double", packages=needing)


SCRIPT = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
import json, os, sys
from pathlib import Path
import numpy as np
from ultralytics.deploy.format import Packages
from ultralytics.deploy.sandbox.isolated import IsolatedBackend
path, pins, end = sys.argv[1:]
packages = Packages(name="tiny", pins=tuple(json.loads(pins)))
backend = IsolatedBackend(Path(path), backend="tiny_toolkit:Backend", packages=packages, policy="never")
images = np.ones((1, 3, 8, 8), np.float32)
kept = None if end == "interrupt" else backend.infer(images)
print(backend._process.pid, flush=True)
if end == "interrupt":
    backend.infer(images)
if end == "kill":
    os.kill(os.getpid(), 9)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc and /dev/shm")
@pytest.mark.parametrize(("end", "kind"), [("exit", "double"), ("kill", "double"), ("interrupt", "slow")])
def test_nothing_stays_behind(end, kind, load, packages, tmp_path, monkeypatch):
    load("double").close()  # the environment is there
    path, temporary = tmp_path / "model.tiny", tmp_path / "tmp"
    path.write_text(kind)
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    command = [sys.executable, "-c", SCRIPT, str(path), json.dumps(packages.pins), end]
    script = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    runtime = int(script.stdout.readline())
    if end == "interrupt":
        time.sleep(0.5)
        script.send_signal(signal.SIGINT)
    _, said = script.communicate()
    assert script.returncode == {"exit": 0, "kill": -signal.SIGKILL, "interrupt": -signal.SIGINT}[end]
    assert said == "" if end != "interrupt" else said.strip().endswith("KeyboardInterrupt")
    _wait_for(lambda: not Path(f"/proc/{runtime}").exists())
    assert end == "kill" or list(temporary.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_shared_memory_has_no_name_once_both_have_it(load):
    backend = load("double")
    outputs = backend.infer(IMAGES)
    maps = [line for line in Path("/proc/self/maps").read_text().splitlines() if "/ultralytics-" in line]
    assert maps
    assert all(line.endswith("(deleted)") for line in maps)
    backend.close()
    assert outputs[0].sum() == 2 * IMAGES.sum()


def _wait_for(condition):
    for _ in range(200):
        if condition():
            return
        time.sleep(0.05)
    pytest.fail("it did not come to that")
