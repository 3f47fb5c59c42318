"""Errors are what a caller would catch, and name the nearest thing that exists."""

from __future__ import annotations

import inspect

import pytest

from ultralytics import errors
from ultralytics.errors import UltralyticsError, UnknownSetting, unknown_name

KINDS = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if kind.__module__ == errors.__name__ and kind is not UltralyticsError
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_error_is_ours_and_a_builtin(kind):
    assert issubclass(kind, UltralyticsError)
    builtins = [base for base in kind.__mro__ if base.__module__ == "builtins"]
    assert builtins[0] not in {Exception, BaseException, object}
    assert str(kind("what was given, what to do")) == "what was given, what to do"


def test_a_setting_that_does_not_exist_is_a_key_error_without_quotes():
    assert issubclass(UnknownSetting, KeyError)
    assert str(UnknownSetting("there is no 'x'")) == "there is no 'x'"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("onx", "Unknown format 'onx'. Did you mean 'onnx'? Known: 3, onnx."),
        ("zzz", "Unknown format 'zzz'. Known: 3, onnx."),
        (4, "Unknown format '4'. Known: 3, onnx."),
    ],
)
def test_the_nearest_name_is_offered(given, message):
    assert unknown_name("format", given, ["onnx", 3]) == message


def test_an_empty_table_is_said():
    assert unknown_name("logger", "x", []) == "Unknown logger 'x'. Known: none."
