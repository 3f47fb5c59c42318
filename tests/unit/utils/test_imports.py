"""Names in tables become objects; missing packages become a line to type."""

from __future__ import annotations

import sys

import pytest

from ultralytics.errors import MissingDependency
from ultralytics.utils.imports import available, load, require


def test_a_target_is_imported() -> None:
    assert load("json:dumps")([1]) == "[1]"
    with pytest.raises(AttributeError):
        load("json:dump_all")
    with pytest.raises(ImportError):
        load("no_such_package_here:x")


def test_looking_for_a_package_does_not_import_it() -> None:
    sys.modules.pop("this", None)
    assert available("this")
    assert "this" not in sys.modules
    assert not available("no_such_package_here")


def test_an_installed_package_is_returned() -> None:
    assert require("json") is sys.modules["json"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "'no_such' is needed. Install it: pip install no_such"),
        (
            {"extra": "geo", "why": "read GeoTIFF"},
            "'no_such' is needed to read GeoTIFF. Install it: pip install \"ultralytics-semantic[geo]\"",
        ),
    ],
)
def test_a_missing_package_is_told_how_to_install(options: dict, message: str) -> None:
    with pytest.raises(MissingDependency) as caught:
        require("no_such", **options)
    assert str(caught.value) == message
