"""Formats: found by their ending, listed without loading anything."""

from __future__ import annotations

import pytest

from ultralytics.deploy import FORMATS, Format, find_format, format_table
from ultralytics.errors import ModelError


def test_a_format_is_found_by_its_ending():
    assert find_format("runs/best.pt", FORMATS).name == "pytorch"


def test_an_unknown_ending_names_the_known_ones():
    with pytest.raises(ModelError, match=r"best\.xyz.*\.pt"):
        find_format("best.xyz", FORMATS)


def test_the_table_tells_what_runs_here():
    missing = Format(name="alien", title="Alien", suffix=".al", packages=("no_such_package",), convertible=False)
    present, absent = format_table([*FORMATS, missing]).splitlines()[1:]
    assert present.split() == ["PyTorch", "pytorch", ".pt", "yes", "yes"]
    assert absent.split() == ["Alien", "alien", ".al", "no", "no"]
