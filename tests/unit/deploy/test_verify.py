"""The proof: both sides go all the way from pixels to the result, and the times say so."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from ultralytics.deploy import verify
from ultralytics.deploy.metadata import ModelMetadata
from ultralytics.deploy.verify import Report, Runner, compare, race

METADATA = ModelMetadata(task="any", names={0: "ground", 1: "disc"}, stride=1, imgsz=(2, 3), output="classmap")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A clock that goes only when it is told to."""
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(verify.time, "perf_counter", lambda: clock.now)
    return clock


def _takes(clock: SimpleNamespace, *seconds: float):
    """A step that hands its input on, and takes so long at each call."""
    times = iter(seconds)

    def step(value: object, *_: object) -> object:
        clock.now += next(times)
        return value

    return step


def test_the_split_is_of_the_fastest_run_and_per_image(clock):
    runner = Runner(_takes(clock, 0.1, 0.3), _takes(clock, 0.6, 0.2), _takes(clock, 0.5, 0.1))
    images = torch.zeros(2, 3, 4, 5)
    runner(images)
    assert runner.milliseconds == pytest.approx({"preprocess": 50, "inference": 300, "postprocess": 250, "total": 600})
    runner(images)
    assert runner.milliseconds == pytest.approx({"preprocess": 150, "inference": 100, "postprocess": 50, "total": 300})


class Comparing:
    """Notes what it is given; a result is a word and the size."""

    def __init__(self) -> None:
        self.seen: list = []

    def read_network(self, outputs, size):
        return "network", size

    def read_artefact(self, outputs, size):
        return "artefact", size

    def update(self, batch, network, artefact):
        self.seen.append((network, artefact))


def _backend(pipeline: bool) -> SimpleNamespace:
    return SimpleNamespace(metadata=replace(METADATA, pipeline=pipeline), infer=lambda images: (images,))


@pytest.mark.parametrize("pipeline", [False, True])
def test_both_get_the_same_pixels_and_end_in_results_of_the_same_size(pipeline):
    pixels = torch.arange(18, dtype=torch.uint8).reshape(1, 3, 2, 3)
    comparison = Comparing()
    count, milliseconds = compare(_backend(pipeline), lambda images: images, [{"img": pixels}] * 2, comparison)
    assert count == 2
    assert set(milliseconds) == {"artefact", "torch"}
    (expected, truth), ((answer,), found) = comparison.seen[0]
    assert torch.equal(expected, pixels / 255)
    assert truth == ("network", (2, 3))
    assert found == ("artefact", (2, 3))
    wanted = pixels.permute(0, 2, 3, 1).numpy() if pipeline else (pixels / 255).numpy()
    assert answer.dtype == wanted.dtype
    assert answer.flags.c_contiguous
    assert np.array_equal(answer, wanted)


def test_rivals_take_turns():
    order = []
    step = lambda name: lambda value, *_: order.append(name) or value  # noqa: E731
    runners = {name: Runner(step(name), lambda value: value, lambda value, _: value) for name in ("a", "b")}
    assert set(race(runners, [{"img": torch.zeros(1, 3, 2, 2)}] * 2)) == {"a", "b"}
    assert order == ["a", "b", "a", "b"]


def test_the_text_has_totals_and_what_they_are_made_of():
    report = Report(artefact="a", format="any", bits=32, images=16, data="scenes", gate="some", passed=True)
    report.milliseconds = {"artefact": {"preprocess": 0.5, "inference": 10.0, "postprocess": 1.5, "total": 12.0}}
    assert "artefact 12.0 ms (preprocess 0.5 + inference 10.0 + postprocess 1.5)" in report.text()
