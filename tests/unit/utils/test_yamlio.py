"""YAML as plain data, with errors that name file and line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ultralytics.errors import ConfigError, MissingFile
from ultralytics.utils.yamlio import YAML

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=12)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(TEXT, PLAIN, max_size=4))
def test_what_is_dumped_is_read_back(data: dict) -> None:
    assert YAML.parse(YAML.dump(data)) == data


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings_editors_write_are_understood(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "é.yaml"
    file.write_text("name: Straße\n", encoding=encoding)
    assert YAML.load(file) == {"name": "Straße"}


def test_keys_keep_their_order_and_words_stay_words(tmp_path: Path) -> None:
    YAML.save(tmp_path / "x.yaml", {"z": "no", "a": "测试", "m": "007"})
    text = (tmp_path / "x.yaml").read_text(encoding="utf-8")
    assert "测试" in text
    assert list(YAML.load(tmp_path / "x.yaml").items()) == [("z", "no"), ("a", "测试"), ("m", "007")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a: 1\nb: [1,\n", r"x\.yaml' is not valid YAML, line 3"),
        (b"a: !!python/object/apply:os.getcwd []\n", "not valid YAML, line 1"),
        (b"a: 1\n\tb: 2\n", "line 2"),
        (b"- 1\n", "holds a list, not a mapping"),
        (b"", "holds a NoneType, not a mapping"),
        (b"a: \xff\xfa\n", r"not text in UTF-8 or UTF-16 \(byte 3\)"),
        (b"a: 2024-99-99\n", "not valid YAML"),
        (b"a: &x 1\nb: [" + b"*x," * 65 + b"]\n", "65 aliases"),
    ],
)
def test_what_is_no_description_is_refused_by_name(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "x.yaml").write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        YAML.load(tmp_path / "x.yaml")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFile, match="nowhere"):
        YAML.load(tmp_path / "nowhere.yaml")


def test_an_enormous_file_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "x.yaml").open("wb") as file:
        file.truncate((16 << 20) + 1)
    with pytest.raises(ConfigError, match="larger than"):
        YAML.load(tmp_path / "x.yaml")


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("a: 1\nb: 2\na: 3\n", "lines 1 and 3"),
        ("names:\n  0: road\n  1: car\n  0: sky\n", "lines 2 and 4"),
        ("a: {b: 1, b: 1}\n", "line 1"),
        ("a: [{b: 1,\n b: 2}]\n", "lines 1 and 2"),
    ],
)
def test_a_key_that_occurs_twice_is_an_error_with_both_lines(text: str, where: str) -> None:
    for as_text in (False, True):
        with pytest.raises(ConfigError, match=f"is given twice, in {where}"):
            YAML.parse(text, as_text=as_text)


def test_keys_that_a_merge_overrides_are_not_given_twice() -> None:
    assert YAML.parse("a: &a {x: 1, y: 2}\nb: {<<: *a, x: 3}\n")["b"] == {"x": 3, "y": 2}
