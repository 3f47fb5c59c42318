from __future__ import annotations

import json
import logging

import numpy as np
import pytest

from ultralytics.cfg import DEFAULT_CFG, Config, dump, get_cfg, read_options
from ultralytics.errors import ConfigError, MissingFile
from ultralytics.utils import YAML


@pytest.fixture
def write(tmp_path):
    def _write(text: str, name: str = "Prüfung.yaml"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return _write


def test_nothing_given_is_the_list_itself():
    assert get_cfg() == Config() == DEFAULT_CFG


def test_each_layer_beats_the_one_below(write):
    file = write("lr0: 0.3\nmomentum: 0.5\n")
    base = {"rect": False, "batch": 4, "lr0": 0.1, "nbs": 32}
    config = get_cfg({"cfg": str(file), "momentum": "0.6"}, base=base, mode="predict")
    assert config.epochs == 100  # the list
    assert config.nbs == 32  # the base
    assert (config.batch, config.rect, config.save) == (1, True, False)  # the mode
    assert config.lr0 == 0.3  # the file
    assert config.momentum == 0.6  # what is given
    assert config.mode == "predict"


@pytest.mark.parametrize(
    ("mode", "batch", "rect", "save"),
    [("train", 16, False, True), ("val", 16, True, True), ("predict", 1, True, False), ("export", 1, False, True)],
)
def test_modes_have_defaults_of_their_own(mode, batch, rect, save):
    config = get_cfg(mode=mode)
    assert (config.mode, config.batch, config.rect, config.save) == (mode, batch, rect, save)


def test_what_is_given_beats_the_mode():
    assert get_cfg({"batch": 8, "rect": False}, mode="val").batch == 8


def test_a_config_can_be_the_base():
    base = get_cfg({"epochs": 7, "classes": [1]})
    assert get_cfg({"seed": 2}, base=base) == base.replace(seed=2)


def test_the_method_called_decides_the_mode(write):
    assert get_cfg({"mode": "train", "cfg": str(write("mode: export"))}, mode="val").mode == "val"
    with pytest.raises(ConfigError, match="'mode' takes"):
        get_cfg(mode="fly")


def test_a_dumped_config_is_read_back(tmp_path):
    config = get_cfg({"imgsz": [480, 640], "name": "007", "time": 1e-5, "class_weights": [1, 2], "source": "ä.png"})
    dump(config, tmp_path / "new" / "args.yaml")
    assert get_cfg(read_options(tmp_path / "new" / "args.yaml")) == config


def test_objects_are_not_written(tmp_path):
    dump(get_cfg({"source": [np.zeros(2)]}), tmp_path / "args.yaml")
    assert YAML.load(tmp_path / "args.yaml")["source"] is None


def test_null_in_a_file_says_nothing(write):
    assert read_options(write("data: null\ncfg: other.yaml\nepochs: 3")) == {"epochs": 3}


@pytest.mark.parametrize(
    ("text", "message"),
    [("epoch: 3", "Unknown option 'epoch'"), ("epochs: -3", "epochs=-3"), ("a: [", "line"), ("- 1", "not a mapping")],
)
def test_a_bad_file_is_named(write, text, message):
    file = write(text)
    with pytest.raises(ConfigError, match=message) as caught:
        get_cfg({"cfg": str(file)})
    assert file.name in str(caught.value)


def test_a_missing_file_is_named():
    with pytest.raises(MissingFile, match=r"nowhere\.yaml"):
        get_cfg({"cfg": "nowhere.yaml"})


def test_the_list_of_the_reference_loads_without_a_word(recorded, write, caplog):
    """A run's args.yaml of the reference holds all its options at once."""
    caplog.set_level(logging.WARNING, logger="ultralytics")
    facts = json.loads((recorded / "cfg.json").read_text(encoding="utf-8"))["arguments"]
    options = read_options(write(YAML.dump({name: fact["default"] for name, fact in facts.items()})))
    assert get_cfg(options).replace(task=None) == Config()
    assert caplog.records == []
