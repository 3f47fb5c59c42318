from __future__ import annotations

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ultralytics.cfg.argv import split_arguments
from ultralytics.errors import ConfigError


@pytest.mark.parametrize(
    ("argv", "words", "pairs"),
    [
        ([], [], {}),
        (["train", "epochs=3"], ["train"], {"epochs": "3"}),
        (["epochs", "=", "3"], [], {"epochs": "3"}),
        (["epochs=", "3"], [], {"epochs": "3"}),
        (["epochs", "=3"], [], {"epochs": "3"}),
        (["imgsz=[480,", "640]", "save"], ["save"], {"imgsz": "[480,640]"}),
        (["imgsz", "=", "[480", ",", "640]"], [], {"imgsz": "[480,640]"}),
        (["classes=(0,", "1,", "2)"], [], {"classes": "(0,1,2)"}),
        (["--epochs=3,", "-v"], ["v"], {"epochs": "3"}),
        (["batch=-1"], [], {"batch": "-1"}),
        (["batch", "=", "-1"], [], {"batch": "-1"}),
        (["source=http://a.b/c?d=e&f=[g"], [], {"source": "http://a.b/c?d=e&f=[g"}),
        (["source=a b.jpg"], [], {"source": "a b.jpg"}),
        (["name=(", "epochs=3"], [], {"name": "(", "epochs": "3"}),
        (["source=(1) a.jpg", "show"], ["show"], {"source": "(1) a.jpg"}),
        (["source=[1].jpg", "show"], ["show"], {"source": "[1].jpg"}),
    ],
)
def test_a_line_is_taken_apart(argv, words, pairs):
    assert split_arguments(argv) == (words, pairs)


@pytest.mark.parametrize("argv", [["epochs="], ["=3"], ["epochs=", "imgsz=3"], ["="]])
def test_half_a_pair_is_refused(argv):
    with pytest.raises(ConfigError, match="half an option"):
        split_arguments(argv)


def test_what_is_corrected_is_said(caplog):
    caplog.set_level(logging.WARNING, logger="ultralytics")
    assert split_arguments(["--epochs=3", "epochs=4,", "--help"]) == (["help"], {"epochs": "4"})
    assert [record.getMessage().split(":")[0] for record in caplog.records] == [
        "'--epochs=3' is read as 'epochs=3'.",
        "'epochs=4,' is read as 'epochs=4'.",
        "'epochs' is given twice; the last counts",
    ]


keys = st.text("abcdefgh_", min_size=1, max_size=8)
values = st.text("abc012./_:=", min_size=1, max_size=8).filter(
    lambda text: not text.startswith("=") and text[-1] != "="
)


@given(st.dictionaries(keys, values))
def test_plain_pairs_pass_through(pairs):
    assert split_arguments([f"{key}={value}" for key, value in pairs.items()]) == ([], pairs)
