"""Every payload moves, indexes, draws, lists and describes itself in the same way."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest
import torch

from ultralytics.engine.results import Payload, Results, SemanticMask, Style
from ultralytics.utils.plotting import Annotator, default_palette

NAMES = {0: "road", 1: "car", 2: "sky"}


def class_map() -> SemanticMask:
    ids = np.array([[0, 0, 1, 255], [2, 2, 1, 0], [2, 2, 2, 0]], np.uint8)
    return SemanticMask(torch.from_numpy(ids), (3, 4), confidence=torch.full((3, 4), 0.5), names=NAMES)


def binary_map() -> SemanticMask:
    return SemanticMask(np.array([[0, 1, 1, 0]], np.uint8), (1, 4), names={0: "crack"})


PAYLOADS = [pytest.param(make, id=make.__name__) for make in (class_map, binary_map)]


@pytest.fixture(params=PAYLOADS)
def payload(request: pytest.FixtureRequest) -> Payload:
    make: Callable[[], Payload] = request.param
    return make()


def same(left: Payload, right: Payload) -> bool:
    return np.array_equal(left.numpy().data, right.numpy().data)


def test_moving_keeps_the_values_and_makes_a_new_payload(payload: Payload) -> None:
    before = np.array(payload.numpy().data)
    assert isinstance(payload.to("cpu").data, torch.Tensor)
    assert isinstance(payload.numpy().data, np.ndarray)
    for moved in (payload.to("cpu"), payload.cpu(), payload.numpy()):
        assert type(moved) is type(payload)
        assert moved.orig_shape == payload.orig_shape
        assert np.array_equal(moved.numpy().data, before)


def test_a_float_dtype_never_reaches_ids(payload: Payload) -> None:
    assert not payload.to(torch.float16).data.is_floating_point()
    assert same(payload.to(torch.float16), payload)


@pytest.mark.parametrize("index", [0, -1, slice(None), slice(0, 1), [0], np.array([True]), torch.tensor([True])])
def test_indices_that_select_the_first_item_keep_it(payload: Payload, index: object) -> None:
    first = payload[index]
    assert len(first) == 1
    assert first.orig_shape == payload.orig_shape


@pytest.mark.parametrize(
    "index", [slice(0, 0), slice(5, 9), [], np.array([False]), torch.tensor([False]), torch.tensor([])]
)
def test_an_empty_selection_is_an_empty_payload(payload: Payload, index: object) -> None:
    empty = payload[index]
    assert len(empty) == 0
    assert empty.rows(NAMES, normalize=False) == []
    assert list(empty) == []
    assert len(empty[:]) == 0


def test_an_index_out_of_range_raises(payload: Payload) -> None:
    for index in (len(payload), -len(payload) - 1, [0, 99]):
        with pytest.raises(IndexError):
            payload[index]
    with pytest.raises(IndexError):
        payload[:0][0]


def test_iterating_visits_every_item(payload: Payload) -> None:
    assert len(list(payload)) == len(payload)


def test_rows_are_plain_values(payload: Payload) -> None:
    rows = payload.rows(NAMES, normalize=True)
    assert rows
    assert json.loads(json.dumps(rows)) == rows


def test_describe_is_a_short_line(payload: Payload) -> None:
    text = payload.describe(NAMES)
    assert text
    assert "\n" not in text


def test_drawing_changes_the_canvas_only(payload: Payload) -> None:
    image = np.full((*payload.orig_shape, 3), 90, np.uint8)
    before = np.array(payload.numpy().data)
    canvas = Annotator(image)
    payload.draw(canvas, Style(names=NAMES, palette=default_palette(3)))
    assert (canvas.image != image).any()
    assert (image == 90).all()
    assert np.array_equal(payload.numpy().data, before)


def test_an_empty_payload_draws_nothing(payload: Payload) -> None:
    canvas = Annotator(np.full((*payload.orig_shape, 3), 90, np.uint8))
    payload[:0].draw(canvas, Style(names=NAMES, palette=default_palette(3)))
    assert (canvas.image == 90).all()


def test_results_ask_any_payload(payload: Payload) -> None:
    """A payload that `Results` has never heard of the inside of still makes a full result."""
    result = Results(np.zeros((*payload.orig_shape, 3), np.uint8), "a.jpg", NAMES, masks=payload)
    assert len(result) == len(payload)
    assert result.verbose() == payload.describe(NAMES)
    assert len(result.summary()) == len(payload.rows(NAMES, normalize=False))
    assert result.plot().shape == (*payload.orig_shape, 3)
    assert isinstance(result.numpy().masks.data, np.ndarray)
    assert json.loads(result.to_geojson())["type"] == "FeatureCollection"


class Score(Payload):
    """A payload of another package: one number."""

    def __init__(self, data: torch.Tensor | np.ndarray, orig_shape: tuple[int, int]) -> None:
        self.data, self.orig_shape = data, orig_shape

    def map(self, function: Callable) -> Score:
        return Score(function(self.data), self.orig_shape)

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: object) -> Score:
        return Score(np.atleast_1d(self.numpy().data[index]), self.orig_shape)

    def draw(self, canvas: Annotator, style: Style) -> None:
        canvas.image[:] = 7

    def rows(self, names: dict[int, str], *, normalize: bool) -> list[dict]:
        return [{"score": float(value)} for value in self.numpy().data]

    def describe(self, names: dict[int, str]) -> str:
        return f"score {float(self.numpy().data[0]):.1f}"


def test_results_hold_a_payload_of_another_package_under_its_own_name() -> None:
    score = Score(torch.tensor([0.5]), (2, 3))
    result = Results(np.zeros((2, 3, 3), np.uint8), "a.jpg", {}, score=score)
    assert result.score is score
    assert result.numpy().score.data[0] == 0.5
    assert result.verbose() == "score 0.5"
    assert result.summary() == [{"score": 0.5}]
    assert (result.plot() == 7).all()
    assert "score" not in result.new().payloads


def test_results_refuse_what_is_no_payload_and_names_that_are_taken() -> None:
    image = np.zeros((2, 3, 3), np.uint8)
    with pytest.raises(TypeError, match="score=float"):
        Results(image, "a.jpg", {}, score=0.5)
    with pytest.raises(TypeError, match="'plot'"):
        Results(image, "a.jpg", {}, plot=Score(np.zeros(1), (2, 3)))
