from __future__ import annotations

import logging
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ultralytics.cfg import INERT, OPTIONS
from ultralytics.cfg.validate import check_options, coerce, describe
from ultralytics.errors import ConfigError


@pytest.fixture
def warnings(caplog):
    caplog.set_level(logging.WARNING, logger="ultralytics")
    return lambda: [record.getMessage() for record in caplog.records]


@pytest.mark.parametrize(
    ("name", "given", "value"),
    [
        ("imgsz", "640", 640),
        ("imgsz", [480, 640], [480, 640]),
        ("imgsz", (640,), 640),
        ("batch", "-1", -1),
        ("batch", "auto", -1),
        ("batch", 0.7, 0.7),
        ("batch", 8.0, 8),
        ("device", 0, "0"),
        ("device", [0, 1], "0,1"),
        ("device", "[0, 1]", "0,1"),
        ("device", "CPU", "cpu"),
        ("device", torch.device("cpu"), "cpu"),
        ("device", "none", None),
        ("classes", 3, [3]),
        ("classes", "[0, 2]", [0, 2]),
        ("optimizer", "adamw", "AdamW"),
        ("cache", "ram", "ram"),
        ("cache", "true", True),
        ("quantize", "fp16", 16),
        ("quantize", "w8a8", 8),
        ("quantize", "w8a16", "w8a16"),
        ("quantize", 32, 32),
        ("blend", "none", "none"),
        ("probs", "none", None),
        ("class_weights", "auto", "auto"),
        ("class_weights", [1, 2.5], [1.0, 2.5]),
        ("freeze", "10", 10),
        ("freeze", "[0,1]", [0, 1]),
        ("scale", "[0.5, 1.5]", [0.5, 1.5]),
        ("name", 7, "7"),
        ("epochs", "3", 3),
        ("fraction", 1, 1.0),
    ],
)
def test_values_are_read_as_their_option_takes_them(name, given, value):
    assert coerce(name, given) == value
    assert type(coerce(name, given)) is type(value)


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("epochs", 0),
        ("epochs", True),
        ("epochs", 2.5),
        ("epochs", "many"),
        ("epochs", None),
        ("imgsz", 0),
        ("imgsz", [1, 2, 3]),
        ("imgsz", [640, -1]),
        ("imgsz", "640x480"),
        ("batch", 0),
        ("batch", -2),
        ("batch", 2.5),
        ("batch", True),
        ("hsv_h", math.nan),
        ("hsv_h", "inf"),
        ("hsv_h", 1.01),
        ("fraction", 0),
        ("overlap", 0.95),
        ("time", 0),
        ("classes", -1),
        ("classes", "road"),
        ("cache", "tape"),
        ("quantize", 4),
        ("quantize", "int4"),
        ("resolution", "output"),
        ("save", "maybe"),
        ("device", True),
        ("mode", "fly"),
    ],
)
def test_values_that_are_not_allowed_are_refused_by_name(name, given):
    with pytest.raises(ConfigError, match=f"'{name}' takes ") as caught:
        coerce(name, given)
    assert str(caught.value).startswith(f"{name}=")


def test_the_message_says_what_is_allowed():
    with pytest.raises(ConfigError) as caught:
        coerce("epochs", "abc")
    assert str(caught.value) == "epochs=abc is not allowed: 'epochs' takes a whole number (at least 1)."
    assert describe(OPTIONS["cache"]) == "true, false, 'ram' or 'disk'"
    assert describe(OPTIONS["conf"]) == "a number or none (at least 0, at most 1)"


@pytest.mark.parametrize("option", OPTIONS.values(), ids=lambda option: option.name)
def test_a_list_of_lists_fits_no_option(option):
    if option.name not in {"source", "device"}:
        with pytest.raises(ConfigError):
            coerce(option.name, [[["x"]]])


@given(st.floats())
def test_a_range_is_what_it_says(value):
    inside = 0 <= value <= 1
    if inside:
        assert coerce("mosaic", value) == value
    else:
        with pytest.raises(ConfigError):
            coerce("mosaic", value)


@pytest.mark.parametrize(("typo", "meant"), [("epoch", "epochs"), ("imgsize", "imgsz"), ("mosiac", "mosaic")])
def test_an_unknown_name_gets_the_nearest_ones_only(typo, meant):
    with pytest.raises(ConfigError, match=f"Unknown option '{typo}'.*'{meant}'.*yolo cfg") as caught:
        check_options({typo: 1})
    assert len(str(caught.value)) < 200


def test_a_key_that_is_not_a_text_is_unknown():
    with pytest.raises(ConfigError, match="Unknown option 'True'"):
        check_options({True: 1})


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"half": True}, {"quantize": 16}),
        ({"half": "False"}, {}),
        ({"int8": True}, {"quantize": 8}),
        ({"int8": True, "half": False}, {"quantize": 8}),
        ({"half": False, "quantize": 32}, {"quantize": 32}),
        ({"hide_labels": True}, {"show_labels": False}),
        ({"hide_conf": False}, {"show_conf": True}),
        ({"boxes": False}, {"show_boxes": False}),
        ({"line_thickness": "2"}, {"line_width": 2}),
        ({"end2end": True}, {"nms": False}),
        ({"end2end": None}, {}),
    ],
)
def test_older_names_are_translated_with_a_warning(old, new, warnings):
    assert check_options(old) == new
    assert len(warnings()) == len(old.keys() - OPTIONS.keys())


def test_an_older_name_beside_the_new_one_is_refused():
    with pytest.raises(ConfigError, match="'quantize', which is given too"):
        check_options({"half": True, "quantize": 8})
    with pytest.raises(ConfigError, match="'quantize', which is given too"):
        check_options({"half": True, "int8": True})


def test_an_older_name_checks_its_value():
    with pytest.raises(ConfigError, match="'half' takes true, false or none"):
        check_options({"half": 3})


@pytest.mark.parametrize("name", ["label_smoothing", "save_hybrid", "crop_fraction", "keras"])
def test_removed_options_say_so(name):
    with pytest.raises(ConfigError, match=f"'{name}' was removed"):
        check_options({name: 0.1})


def test_options_of_other_tasks_are_left_out_and_named_if_set(warnings):
    assert check_options(dict(INERT)) == {}
    assert warnings() == []
    assert check_options({"dropout": 0.3, "tracker": "mine.yaml", "epochs": 2}) == {"epochs": 2}
    assert [message.split()[0] for message in warnings()] == ["'dropout'", "'tracker'"]
