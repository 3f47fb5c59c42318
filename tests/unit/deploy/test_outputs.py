"""Kinds of output: what a target can return, what it returns unasked, and what its tensors look like."""

from __future__ import annotations

import numpy as np
import pytest

from ultralytics.deploy import FORMATS
from ultralytics.deploy.outputs import CAPABILITIES, OutputKind, OutputTensor, choose_output
from ultralytics.errors import ConfigError

_BOXES = OutputTensor("boxes", ("batch", "boxes", "xyxy"))
_MASKS = OutputTensor("masks", ("batch", "boxes", "rows", "columns"))
KINDS = (
    OutputKind(name="both", tensors=(_BOXES, _MASKS), needs=frozenset({"topk"})),
    OutputKind(name="boxes", tensors=(_BOXES,), needs=frozenset({"topk"})),
    OutputKind(name="raw", tensors=(_BOXES,)),
)


@pytest.mark.parametrize(
    ("can", "expected"),
    [(CAPABILITIES, "both"), (frozenset({"topk"}), "boxes"), (frozenset(), "raw")],
    ids=["everything", "one output", "nothing"],
)
def test_the_first_kind_that_the_target_can_return_is_chosen(can: frozenset[str], expected: str) -> None:
    assert choose_output(None, KINDS, can, "Target").name == expected


def test_a_kind_that_the_target_cannot_return_is_refused_with_those_it_can() -> None:
    with pytest.raises(ConfigError, match="raw") as error:
        choose_output("boxes", KINDS, frozenset(), "Target")
    assert "both" not in str(error.value)


def test_an_unknown_kind_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="'boxes'"):
        choose_output("boxen", KINDS, CAPABILITIES, "Target")


def test_classes_are_the_axis_that_never_opens() -> None:
    assert OutputTensor("o", ("batch", "classes", "rows", "columns")).open_axes == {0: "batch", 2: "rows", 3: "columns"}


@pytest.mark.parametrize(("classes", "expected"), [(2, np.uint8), (256, np.uint8), (257, np.int32)])
def test_ids_are_bytes_as_long_as_they_fit(classes: int, expected: type) -> None:
    assert OutputTensor("ids", ("batch", "rows", "columns"), "ids").numpy_dtype(classes) == expected
    assert OutputTensor("p", ("batch", "rows", "columns")).numpy_dtype(classes) == np.float32


@pytest.mark.parametrize("row", FORMATS, ids=lambda row: row.name)
def test_a_row_speaks_of_known_capabilities(row) -> None:
    assert row.can <= CAPABILITIES
    assert row.costly <= row.can
