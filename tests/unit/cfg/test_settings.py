from __future__ import annotations

import json
from pathlib import Path

import pytest

from ultralytics import settings
from ultralytics.errors import ConfigError, UltralyticsError


@pytest.fixture
def file(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("YOLO_CONFIG_DIR", str(tmp_path / "Einstellungen ö"))
    return tmp_path / "Einstellungen ö" / "Ultralytics" / "settings.json"


@pytest.fixture
def write(file):
    def _write(text: str) -> None:
        file.parent.mkdir(parents=True)
        file.write_text(text, encoding="utf-8")

    return _write


def test_the_file_is_where_it_is_expected(file, tmp_path, monkeypatch):
    assert settings.file == file
    monkeypatch.delenv("YOLO_CONFIG_DIR")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    assert settings.file == tmp_path / "xdg" / "Ultralytics" / "settings.json"


def test_keys_and_types_are_those_of_the_reference(recorded, file):
    facts = json.loads((recorded / "cfg.json").read_text(encoding="utf-8"))
    assert {key: type(value).__name__ for key, value in settings.items()} == facts["settings_defaults_types"]
    assert settings["settings_version"] == facts["settings_version"]


def test_reading_writes_nothing(file):
    assert dict(settings)["sync"] is False
    assert not file.parent.parent.exists()


def test_folders_follow_the_working_folder(file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert settings["runs_dir"] == str(tmp_path / "runs")
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    assert settings["runs_dir"] == str(tmp_path / "other" / "runs")
    assert settings["datasets_dir"] == str(tmp_path / "other" / "datasets")


def test_a_change_is_kept_in_the_file(file, tmp_path):
    settings.update(runs_dir=tmp_path / "läufe", wandb=True)
    settings["datasets_dir"] = "~/data"
    stored = json.loads(file.read_text(encoding="utf-8"))
    assert stored["runs_dir"] == settings["runs_dir"] == str(tmp_path / "läufe")
    assert stored["wandb"] is True
    assert settings["datasets_dir"] == str(Path.home() / "data")
    assert [path.name for path in file.parent.iterdir()] == ["settings.json"]


def test_reset_goes_back_and_leaves_foreign_keys(write, file):
    write('{"runs_dir": "/elsewhere", "their_key": [1, 2]}')
    assert settings["runs_dir"] == str(Path("/elsewhere").absolute())
    assert "their_key" not in settings
    settings.update({"sync": True})
    settings.reset()
    stored = json.loads(file.read_text(encoding="utf-8"))
    assert stored["their_key"] == [1, 2]
    assert settings["sync"] is False
    assert settings["runs_dir"] == str(Path.cwd() / "runs")


def test_an_unknown_key_names_the_nearest(file):
    with pytest.raises(KeyError, match="Did you mean 'runs_dir'") as caught:
        _ = settings["run_dir"]
    assert isinstance(caught.value, UltralyticsError)
    assert not str(caught.value).startswith('"')
    with pytest.raises(KeyError):
        settings.update(run_dir="x")
    assert not file.exists()


def test_a_wrong_type_is_refused_and_nothing_written(file):
    with pytest.raises(TypeError, match="'sync' is 'yes'; it takes a bool"):
        settings.update(runs_dir="x", sync="yes")
    with pytest.raises(TypeError):
        settings.update(runs_dir=3)
    assert not file.exists()


@pytest.mark.parametrize("text", ["{", "[1]", "\x00", '{"runs_dir": 3}'])
def test_a_damaged_file_is_named_with_the_remedy_and_can_be_reset(write, file, text):
    write(text)
    with pytest.raises(ConfigError, match="yolo settings reset") as caught:
        _ = settings["runs_dir"]
    assert str(file) in str(caught.value)
    settings.reset()
    assert settings["runs_dir"] == str(Path.cwd() / "runs")
