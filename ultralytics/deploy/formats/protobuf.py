"""Just enough of the protocol-buffer wire format for the metadata of ONNX and Core ML files, without their libraries.

A message is a sequence of fields, each a tag (number and wire type) and a value; what is not of interest is copied as
it is. https://protobuf.dev/programming-guides/encoding
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_ONNX_TEXTS = (14,)
"""Path of fields: ModelProto.metadata_props, a repeated { key = 1, value = 2 }."""
_COREML_TEXTS = (2, 100, 100)
"""Model.description.metadata.userDefined, entries of the same kind."""


def onnx_metadata(model: bytes) -> dict[str, str]:
    """Read the texts that an ONNX model carries.

    Raises:
        ValueError: the bytes are not a message.
    """
    return _texts(model, _ONNX_TEXTS)


def with_onnx_metadata(model: bytes, entries: Mapping[str, str]) -> bytes:
    """Return the model with these texts; others of other keys stay."""
    return _with_texts(model, _ONNX_TEXTS, entries)


def coreml_metadata(model: bytes) -> dict[str, str]:
    """Read the texts that a Core ML specification carries; see `onnx_metadata`."""
    return _texts(model, _COREML_TEXTS)


def with_coreml_metadata(model: bytes, entries: Mapping[str, str]) -> bytes:
    """Return the specification with these texts; others of other keys stay."""
    return _with_texts(model, _COREML_TEXTS, entries)


def contents(message: bytes | memoryview, path: Sequence[int]) -> Iterator[memoryview]:
    """Yield the contents of the fields at the end of a path of field numbers, through the messages on the way."""
    for number, _, content in fields(message):
        if number == path[0]:
            if len(path) == 1:
                yield content
            else:
                yield from contents(content, path[1:])


def _texts(message: bytes | memoryview, path: Sequence[int]) -> dict[str, str]:
    entries = {}
    for entry in contents(message, path):
        pair = {key: bytes(text).decode("utf-8", "replace") for key, _, text in fields(entry)}
        entries[pair.get(1, "")] = pair.get(2, "")
    return entries


def _with_texts(message: bytes | memoryview, path: Sequence[int], entries: Mapping[str, str]) -> bytes:
    rest = b"".join(bytes(whole) for number, whole, _ in fields(message) if number != path[0])
    if len(path) > 1:
        inner = b"".join(bytes(content) for content in contents(message, path[:1]))
        return rest + _field(path[0], _with_texts(inner, path[1:], entries))
    kept = {key: text for key, text in _texts(message, path).items() if key not in entries}
    return rest + b"".join(
        _field(path[0], _field(1, key.encode()) + _field(2, text.encode())) for key, text in {**kept, **entries}.items()
    )


def fields(message: bytes | memoryview) -> Iterator[tuple[int, memoryview, memoryview]]:
    """Yield the number of each field, all of its bytes, and its content where that has a length (else nothing)."""
    view, position = memoryview(message), 0
    while position < len(view):
        start = position
        tag, position = _varint(view, position)
        wire, content = tag & 7, view[:0]
        if wire == _VARINT:
            _, position = _varint(view, position)
        elif wire == _BYTES:
            length, position = _varint(view, position)
            content, position = view[position : position + length], position + length
        elif wire in {_FIXED64, _FIXED32}:
            position += 8 if wire == _FIXED64 else 4
        else:
            raise ValueError(f"wire type {wire} at byte {start} does not exist")
        if position > len(view):
            raise ValueError(f"the field at byte {start} is cut off")
        yield tag >> 3, view[start:position], content


def _varint(view: memoryview, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(view):
            raise ValueError("a number is cut off")
        byte = view[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise ValueError("a number has more than ten bytes")


def _field(number: int, content: bytes) -> bytes:
    return _encoded(number << 3 | _BYTES) + _encoded(len(content)) + content


def _encoded(value: int) -> bytes:
    parts = bytearray()
    while value >= 0x80:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])
