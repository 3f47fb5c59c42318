from __future__ import annotations

import dataclasses
import json
from itertools import pairwise

import pytest

from ultralytics.cfg import INERT, MODES, OPTIONS, Config
from ultralytics.cfg.validate import coerce


@pytest.fixture
def reference(recorded):
    return json.loads((recorded / "cfg.json").read_text(encoding="utf-8"))


def test_defaults_are_those_of_the_reference(reference):
    ours = {**{name: option.default for name, option in OPTIONS.items()}, **INERT}
    theirs = {name: facts["default"] for name, facts in reference["arguments"].items()}
    theirs["task"] = None  # the reference starts from a task this package does not have
    assert {name: ours[name] for name in theirs} == theirs
    assert {name: type(ours[name]) for name in theirs} == {name: type(value) for name, value in theirs.items()}


def test_ranges_of_the_reference_are_kept(reference):
    fractions = [name for name, facts in reference["arguments"].items() if facts["validated_as"] == "fraction [0,1]"]
    assert {OPTIONS[name].maximum for name in fractions if name in OPTIONS} == {1}
    for name, facts in reference["arguments"].items():
        if facts["minimum"] is not None:
            assert OPTIONS[name].minimum == facts["minimum"]


@pytest.mark.parametrize("option", OPTIONS.values(), ids=lambda option: option.name)
def test_an_option_is_complete_and_accepts_its_own_default(option):
    assert coerce(option.name, option.default) == option.default
    assert option.help
    assert option.group
    assert set(option.modes) <= set(MODES)
    assert option.modes


def test_options_of_a_group_stand_together():
    groups = [option.group for option in OPTIONS.values()]
    changes = sum(before != after for before, after in pairwise(groups))
    assert changes == len(set(groups)) - 1


def test_a_config_cannot_be_changed_but_copied():
    config = Config()
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.epochs = 3
    assert config.replace(epochs=3).epochs == 3
    assert config.epochs == 100
    with pytest.raises(TypeError):
        config.replace(epoch=3)
    with pytest.raises(AttributeError):
        _ = config.epoch


def test_a_config_as_a_dictionary_makes_the_same_config():
    config = Config(epochs=3, classes=[1, 2])
    assert Config(**config.as_dict()) == config
    assert list(config.as_dict()) == list(OPTIONS)
