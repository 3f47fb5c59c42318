"""Silent as a library, plain lines on standard output for the command, nothing twice."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Iterator

import pytest

from ultralytics.utils.log import LOGGER, colorstr, show_logs


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def fresh_logger(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A process that has not logged yet."""
    monkeypatch.delenv("RANK", raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    handlers, level = LOGGER.handlers, LOGGER.level
    LOGGER.handlers = []
    yield
    LOGGER.handlers = handlers
    LOGGER.setLevel(level)


def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away the handlers that pytest adds for each test, as a host program would."""
    monkeypatch.setattr(logging.root, "handlers", [])


def test_lines_go_to_whatever_standard_output_is_now(monkeypatch: pytest.MonkeyPatch) -> None:
    alone(monkeypatch)
    show_logs()
    show_logs()
    outputs = [io.StringIO(), io.StringIO()]
    for output in outputs:
        monkeypatch.setattr(sys, "stdout", output)
        LOGGER.info("epoch 1")
        LOGGER.warning("slow")
        LOGGER.debug("detail")
    assert [output.getvalue() for output in outputs] == ["epoch 1\nWARNING slow\n"] * 2


def test_a_host_program_keeps_its_handlers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.root, "handlers", [logging.NullHandler()])
    show_logs()
    assert LOGGER.handlers == []


def test_other_ranks_say_errors_only(monkeypatch: pytest.MonkeyPatch) -> None:
    alone(monkeypatch)
    monkeypatch.setenv("RANK", "1")
    output = io.StringIO()
    monkeypatch.setattr(sys, "stdout", output)
    show_logs()
    LOGGER.warning("slow")
    LOGGER.error("broken")
    assert output.getvalue() == "ERROR broken\n"


def test_colours_are_for_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert colorstr("red", "stop") == "stop"
    monkeypatch.setattr(sys, "stdout", Terminal())
    assert colorstr("red", "stop") == "\033[31mstop\033[0m"
    assert colorstr("stop") == "\033[34m\033[1mstop\033[0m"
    monkeypatch.setenv("NO_COLOR", "1")
    assert colorstr("red", "stop") == "stop"
