"""Pictures of the screen, of which there is none where tests run."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from ultralytics.data.sources import load_source
from ultralytics.errors import MissingDependency, SourceError


class _Grabber:
    """Two screens; each pixel of a picture says where it is."""

    monitors = ({}, {"left": 0, "top": 0, "width": 8, "height": 6}, {"left": 8, "top": 0, "width": 4, "height": 4})

    def __enter__(self) -> _Grabber:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def grab(self, area: dict[str, int]) -> np.ndarray:
        y, x = np.mgrid[: area["height"], : area["width"]]
        return np.stack((x + area["left"], y + area["top"], x * 0, x * 0 + 255), axis=-1).astype(np.uint8)


class _NoDisplay(Exception):
    """What the package raises where it finds no screen."""


@pytest.fixture(params=["mss", "MSS"])
def screens(request, monkeypatch):
    """Put a stand-in for the package mss in its place, with the older or the newer name of its class."""
    module = ModuleType("mss")
    setattr(module, request.param, _Grabber)
    module.ScreenShotError = _NoDisplay
    monkeypatch.setitem(sys.modules, "mss", module)
    return SimpleNamespace(module=module)


def _first(text, **options):
    with load_source(text, **options) as source:
        return next(iter(source))[0]


@pytest.mark.parametrize(
    ("text", "shape", "corner"),
    [
        ("screen", (6, 8), (0, 0)),
        ("screen 1", (4, 4), (8, 0)),
        ("screen 1 2 3 4", (4, 3), (1, 2)),
        ("screen 1 1 2 3 2", (2, 3), (9, 2)),
    ],
)
def test_a_screen_or_a_part_of_it(screens, text, shape, corner):
    frame = _first(text)
    assert frame.shape == shape
    assert tuple(frame.image[0, 0, :2]) == corner
    assert frame.image.shape[2] == 3
    assert frame.frame == 1


def test_it_goes_on_and_on(screens):
    with load_source("screen", channels=1) as source:
        assert source.live
        frames = [batch[0] for batch, _ in zip(source, range(3), strict=False)]
    assert [frame.frame for frame in frames] == [1, 2, 3]
    assert frames[0].image.shape == (6, 8, 1)


def test_numbers_that_make_no_sense(screens):
    with pytest.raises(SourceError, match="has 3 numbers"):
        load_source("screen 1 2 3")
    with pytest.raises(SourceError, match="there is no screen 2; there are 2"):
        _first("screen 2")


def test_where_there_is_no_display(screens, monkeypatch):
    def fail() -> None:
        raise _NoDisplay("Cannot connect to display")

    for name in {"mss", "MSS"} & set(vars(screens.module)):
        monkeypatch.setattr(screens.module, name, fail)
    with pytest.raises(SourceError, match=r"there is no screen to take pictures of .*Cannot connect"):
        _first("screen")


@pytest.mark.skipif(importlib.util.find_spec("mss") is not None, reason="mss is installed here")
def test_without_the_package_its_name_is_told():
    with pytest.raises(MissingDependency, match=r"pip install \"ultralytics-semantic\[screen\]\""):
        load_source("screen")
