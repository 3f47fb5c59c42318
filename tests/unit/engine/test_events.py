"""Callbacks by event."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ultralytics.engine.events import EVENTS, CallbackList
from ultralytics.errors import ConfigError


def test_events_are_those_users_know(recorded: Path) -> None:
    assert list(EVENTS) == json.loads((recorded / "events.json").read_text())["all_events"]


def test_functions_run_in_order_with_the_subject() -> None:
    seen: list[tuple[str, object]] = []
    callbacks = CallbackList()
    callbacks.add("on_val_end", lambda subject: seen.append(("first", subject)))
    callbacks.add("on_val_end", lambda subject: seen.append(("second", subject)))
    callbacks.add("teardown", lambda subject: seen.append(("other", subject)))
    callbacks.run("on_val_end", 7)
    callbacks.run("on_val_start", 8)
    assert seen == [("first", 7), ("second", 7)]


def test_clear_and_reset() -> None:
    seen: list[str] = []
    callbacks = CallbackList()
    callbacks.add("on_val_end", lambda _: seen.append("val"))
    callbacks.add("teardown", lambda _: seen.append("teardown"))
    callbacks.clear("on_val_end")
    callbacks.run("on_val_end", None)
    callbacks.run("teardown", None)
    callbacks.reset()
    callbacks.run("teardown", None)
    assert seen == ["teardown"]
    assert callbacks.functions("teardown") == ()


def test_a_function_may_take_itself_off() -> None:
    seen: list[int] = []
    callbacks = CallbackList()
    callbacks.add("on_val_end", lambda _: callbacks.clear("on_val_end"))
    callbacks.add("on_val_end", lambda subject: seen.append(subject))
    callbacks.run("on_val_end", 1)
    callbacks.run("on_val_end", 2)
    assert seen == [1]


def test_an_empty_list_is_still_a_list() -> None:
    assert bool(CallbackList())


@pytest.mark.parametrize("action", ["add", "clear", "run", "functions"])
def test_unknown_events_name_the_nearest(action: str) -> None:
    arguments = {"add": (print,), "run": (None,)}.get(action, ())
    with pytest.raises(ConfigError, match="Did you mean 'on_train_end'"):
        getattr(CallbackList(), action)("on_train_edn", *arguments)
