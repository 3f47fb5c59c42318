"""The table of converters."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import get_type_hints

import pytest

from ultralytics.data.convert import CONVERTERS
from ultralytics.utils.imports import load


@pytest.mark.parametrize("name", CONVERTERS)
def test_a_converter_can_be_called_from_the_command_line(name):
    function = load(CONVERTERS[name])
    parameters = inspect.signature(function).parameters.values()
    assert all(parameter.kind is parameter.KEYWORD_ONLY for parameter in parameters)
    hints = get_type_hints(function)
    assert hints.pop("return") is str
    assert hints["target"] is Path
    assert set(hints.values()) <= {Path, int, float, bool, list[int] | None, int | None, Path | None, int | str | None}
    assert inspect.getdoc(function)
