"""Facts about the process and the machine."""

from __future__ import annotations

import mmap
import os
import subprocess
import sys

import pytest

import ultralytics
from ultralytics.utils import env


def test_the_root_is_the_package() -> None:
    assert str(env.ROOT / "__init__.py") == ultralytics.__file__


@pytest.mark.parametrize(("rank", "expected"), [(None, "True"), ("0", "True"), ("1", "False")])
def test_the_first_process_of_a_run_is_the_main_one(rank: str | None, expected: str) -> None:
    variables = {name: value for name, value in os.environ.items() if name != "RANK"}
    variables |= {"RANK": rank} if rank else {}
    code = "from ultralytics.utils.env import is_main_process; print(is_main_process())"
    variables["PYTHONPATH"] = str(env.ROOT.parent)
    said = subprocess.run([sys.executable, "-c", code], env=variables, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == expected


def test_no_standard_error_is_not_interactive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)  # as under pythonw
    assert not env.is_interactive()


def test_the_machine_is_plausible() -> None:
    assert 1 <= env.num_cores() <= (os.cpu_count() or 1)
    assert env.cpu_name()
    total, free = env.memory_total(), env.memory_available()
    assert (total is None) == (free is None)
    assert total is None or 0 < free <= total


@pytest.mark.skipif(not env.LINUX, reason="reads /proc")
def test_the_peak_of_memory_does_not_fall_and_holds_children() -> None:
    before = env.memory_peak() or 0
    block = bytearray(before)  # as much again
    block[:: mmap.PAGESIZE] = b"1" * len(range(0, before, mmap.PAGESIZE))
    grown = env.memory_peak() or 0
    del block
    assert grown > 1.5 * before
    program = "print(flush=True); input()"
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        child.stdout.readline()
        assert (env.memory_peak() or 0) > grown
        child.communicate(b"\n")
    assert 0.9 * grown < (env.memory_peak() or 0) < 1.5 * grown  # the kernel's counters are a little late
