"""The wire format: hand-made messages, and whatever Hypothesis thinks of."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ultralytics.deploy.formats.protobuf import fields, onnx_metadata, with_onnx_metadata

# ir_version (1) = 8; producer_name (2) = "us"; metadata_props (14) = {key (1) "a", value (2) "bc"}
MODEL = b"\x08\x08" + b"\x12\x02us" + b"\x72\x07" + b"\x0a\x01a\x12\x02bc"

texts = st.dictionaries(st.text(), st.text(), max_size=5)


def test_the_texts_of_a_model_are_read():
    assert onnx_metadata(MODEL) == {"a": "bc"}


def test_every_kind_of_field_is_passed_over():
    message = b"\x08\x96\x01" + b"\x11" + bytes(8) + b"\x1a\x03abc" + b"\x25" + bytes(4)
    assert [(number, bytes(whole), bytes(content)) for number, whole, content in fields(message)] == [
        (1, b"\x08\x96\x01", b""),
        (2, b"\x11" + bytes(8), b""),
        (3, b"\x1a\x03abc", b"abc"),
        (4, b"\x25" + bytes(4), b""),
    ]


def test_texts_are_written_as_the_format_says():
    assert with_onnx_metadata(b"\x08\x08", {"a": "bc"}) == b"\x08\x08" + b"\x72\x07\x0a\x01a\x12\x02bc"


def test_a_long_text_has_a_long_length():
    assert with_onnx_metadata(b"", {"a": "x" * 300}) == b"\x72\xb2\x02\x0a\x01a\x12\xac\x02" + b"x" * 300


@given(texts, texts)
def test_texts_replace_those_of_the_same_key(first, second):
    model = with_onnx_metadata(with_onnx_metadata(MODEL, first), second)
    assert onnx_metadata(model) == {"a": "bc", **first, **second}
    assert model.startswith(MODEL[:6])
    assert with_onnx_metadata(model, second) == model


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (b"\x0a\x05abc", "byte 0 is cut off"),
        (b"\x08\x80", "cut off"),
        (b"\x0b", "wire type 3"),
        (b"\x08" + b"\xff" * 11, "ten bytes"),
    ],
    ids=repr,
)
def test_what_is_no_message_says_why(message, words):
    with pytest.raises(ValueError, match=words):
        list(fields(message))


@given(st.binary())
def test_any_bytes_are_read_or_refused(content):
    try:
        found = b"".join(bytes(whole) for _, whole, _ in fields(content))
    except ValueError:
        return
    assert found == content
