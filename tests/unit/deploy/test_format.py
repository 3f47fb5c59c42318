"""Formats: found by word and by ending, listed without loading anything that belongs to them."""

from __future__ import annotations

import dataclasses
import re
import sys
from pathlib import Path

import pytest

from ultralytics.deploy import FORMATS, Format, Packages, find_format, get_format
from ultralytics.deploy.capabilities import here
from ultralytics.errors import ConfigError, ModelError
from ultralytics.utils.tables import text_table

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[3]
ABSENT = Packages(name="alien", imports=("no_such_package",), pins=("no-such-package==1",), megabytes=12)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("runs/best.pt", "pytorch"),
        ("best.onnx", "onnx"),
        ("best_qnn.onnx", "qnn"),
        ("best.tflite", "tflite"),
        ("best_edgetpu.tflite", "edgetpu"),
        ("C:\\models\\best_openvino_model\\", "openvino"),
        ("best_openvino_model/", "openvino"),
    ],
)
def test_a_format_is_found_by_the_longest_ending_that_fits(path: str, name: str) -> None:
    assert find_format(path, FORMATS).name == name


def test_an_unknown_ending_names_the_known_ones() -> None:
    with pytest.raises(ModelError, match=r"best\.xyz.*\.onnx.*\.pt"):
        find_format("best.xyz", FORMATS)


def test_a_format_is_found_by_its_word_and_its_aliases() -> None:
    assert get_format("LiteRT", FORMATS) is get_format("tflite", FORMATS)
    with pytest.raises(ConfigError, match="Did you mean 'onnx'"):
        get_format("onx", FORMATS)


def test_there_are_nineteen_formats_besides_checkpoints_and_no_word_or_ending_twice() -> None:
    assert len(FORMATS) == 20
    assert len({row.suffix for row in FORMATS}) == 20
    words = [word for row in FORMATS for word in (row.name, *row.aliases)]
    assert len(set(words)) == len(words)


@pytest.mark.parametrize("row", [row for row in FORMATS if row.module], ids=lambda row: row.name)
def test_names_in_a_row_resolve(row: Format) -> None:
    for name in ("convert", "embed", "Backend"):
        assert callable(row.resolve(name))
    if row.via is not None:
        assert get_format(row.via, FORMATS) is not row


def test_environments_of_one_name_hold_the_same() -> None:
    named: dict[str, tuple[str, ...]] = {}
    for row in FORMATS:
        for packages in (row.convert, row.run):
            if packages is not None and packages.pins:
                assert named.setdefault(packages.name, packages.pins) == packages.pins, packages.name


def test_the_table_tells_what_can_be_made_and_run_here() -> None:
    row = dataclasses.replace(FORMATS[1], name="alien", convert=ABSENT, run=ABSENT, needs="a spaceship")
    mac = dataclasses.replace(row, run=FORMATS[1].run, platforms=frozenset({"no such system"}))
    lines = text_table([here(FORMATS[1]), here(row), here(mac)]).splitlines()
    assert lines[1].endswith("yes      yes") or lines[1].split()[-2:] == ["yes", "yes"]
    assert "toolchain, 12 MB" in lines[2]
    assert lines[3].endswith("needs a spaceship")
    assert sys.platform not in mac.platforms


def test_the_extra_of_a_row_brings_the_packages_of_the_row() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    for row in FORMATS:
        for packages in (row.convert, row.run):
            if packages is not None and packages.extra:
                brought = {re.split(r"[<>=]", line)[0].lower() for line in extras[packages.extra]} | {"torch"}
                assert {name.lower() for name in packages.imports} <= brought, row.name
