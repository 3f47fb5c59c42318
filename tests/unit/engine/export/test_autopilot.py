"""Quantisation on request: which layers suffer, what is done about it, and what is said."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from ultralytics.deploy.base import ExportJob
from ultralytics.deploy.metadata import ModelMetadata
from ultralytics.deploy.options import ExportOptions
from ultralytics.deploy.verify import Report
from ultralytics.engine.export.autopilot import Attempt, advice, layer_readers, layer_sensitivity, spare_worst_layers
from ultralytics.nn.tasks import SemanticSegmentationModel
from ultralytics.tasks.semantic.compare import SemanticComparison


class Graph(nn.Module):
    """Four layers with weights and one without, wrapped as exported networks are."""

    def __init__(self, num_classes: int = 3) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.network = nn.Module()
        self.network.model = nn.Sequential(
            nn.Conv2d(3, 6, 3, padding=1),
            nn.Sequential(nn.Conv2d(6, 6, 1), nn.ReLU()),
            nn.Upsample(scale_factor=2),
            nn.Conv2d(6, 6, 1),
            nn.Conv2d(6, num_classes, 1),
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.network.model(images)


@pytest.fixture
def images() -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.rand(2, 3, 16, 16, generator=generator) for _ in range(2)]


def _widen(graph: Graph, layer: int) -> None:
    """Give a layer one output a thousand times larger than the others, which the next layer ignores."""
    convolution, following = graph.network.model[layer], graph.network.model[layer + 1]
    with torch.no_grad():
        convolution.weight[0] *= 1000
        following.weight[:, 0] = 0


@pytest.mark.parametrize("num_classes", [1, 3])
def test_a_layer_whose_outputs_differ_in_size_is_the_worst(images, num_classes):
    graph = Graph(num_classes).eval()
    _widen(graph, 3)
    ranking = layer_sensitivity(graph, images, SemanticComparison.divergence)
    assert ranking[0][0] == "model.3"
    assert {name for name, _ in ranking} == {"model.0", "model.1", "model.3", "model.4"}
    errors = [error for _, error in ranking]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] >= 0
    assert errors[0] > 10 * errors[1]


def test_the_network_is_left_as_it_was(images):
    graph = Graph().eval()
    before = {name: tensor.clone() for name, tensor in graph.state_dict().items()}
    answer = graph(images[0])
    layer_sensitivity(graph, images, SemanticComparison.divergence)
    assert torch.equal(graph(images[0]), answer)
    assert all(torch.equal(tensor, before[name]) for name, tensor in graph.state_dict().items())


def test_layers_that_eight_bits_hold_exactly_do_not_suffer(images):
    graph = Graph().eval()
    with torch.no_grad():
        for layer in (0, 1, 3, 4):
            for parameter in graph.network.model[layer].parameters():
                parameter.zero_()
    assert [error for _, error in layer_sensitivity(graph, images, SemanticComparison.divergence)] == [0, 0, 0, 0]


def _attempt(drop: float, kept: tuple[str, ...] = ()) -> Attempt:
    size = (32, 32)
    job = ExportJob(
        folder=Path(),
        artefact=Path("a.onnx"),
        options=ExportOptions(imgsz=size, bits=8, keep=kept),
        metadata=ModelMetadata(task="any", names={0: "a"}, stride=32, imgsz=size),
        weights=Path("a.pt"),
        graph="",
    )
    report = Report(artefact="a.onnx", format="onnx", bits=8, drop=drop, passed=drop <= 1)
    return Attempt(job=job, report=report)


RANKING = [(f"model.{number}", 1 / (1 + number)) for number in (4, 2, 0, 1, 3, 5, 6, 7, 8)]
READERS: dict[str, set[str]] = {name: set() for name, _ in RANKING}


def test_the_worst_layers_are_kept_until_the_gate_is_met():
    losses = {1: 3.0, 2: 1.5, 4: 0.5}
    best = spare_worst_layers(_attempt(5.0), RANKING, READERS, lambda kept: _attempt(losses[len(kept)], kept))
    assert best.job.options.keep == ("model.4", "model.2", "model.0", "model.1")
    assert best.report.passed
    assert best.report.sensitivity == dict(RANKING)
    assert [(len(tried["kept"]), tried["drop"]) for tried in best.report.candidates] == [
        (0, pytest.approx(5.0)),
        (1, pytest.approx(3.0)),
        (2, pytest.approx(1.5)),
        (4, pytest.approx(0.5)),
    ]


def test_a_layer_is_kept_with_those_that_read_it():
    readers = {**READERS, "model.4": {"model.5", "model.2"}, "model.2": {"model.3"}}
    made = []
    spare_worst_layers(
        _attempt(5.0), RANKING, readers, lambda kept: made.append(kept) or _attempt(5.0 - len(made), kept)
    )
    assert made[0] == ("model.4", "model.2", "model.5")
    assert made[1] == ("model.4", "model.2", "model.5", "model.3")


def test_readers_are_found_through_layers_without_weights():
    convolution = ["Conv", [8, 3, 2]]
    architecture = {
        "nc": 3,
        "backbone": [[-1, 1, *convolution], [-1, 1, *convolution], [-1, 1, *convolution]],
        "head": [
            [-1, 1, "nn.Upsample", ["None", 2, "nearest"]],
            [[-1, 1], 1, "Concat", [1]],
            [-1, 1, *convolution],
            [[-1, 2], 1, "SemanticSegment", ["nc"]],
        ],
    }
    readers = layer_readers(nn.Sequential(SemanticSegmentationModel(architecture)))
    assert readers["model.0"] == {"model.1"}
    assert readers["model.1"] == {"model.2", "model.4", "model.5"}
    assert readers["model.2"] == {"model.3", "model.4", "model.5", "model.6"}
    assert readers["model.6"] == set()


def test_it_gives_up_at_half_of_the_layers_with_what_lost_least():
    losses = {1: 3.0, 2: 1.5, 4: 2.0}
    best = spare_worst_layers(_attempt(5.0), RANKING, READERS, lambda kept: _attempt(losses[len(kept)], kept))
    assert not best.report.passed
    assert best.job.options.keep == ("model.4", "model.2")
    assert len(best.report.candidates) == 4


@pytest.mark.parametrize(
    ("milliseconds", "megabytes", "line"),
    [
        (
            {"artefact": 15.1, "fp16": 12.3, "torch": 20.0},
            {"artefact": 1.9, "fp16": 3.2},
            "fp16 is faster here: 12.3 ms against 15.1 ms; int8 is smaller (1.9 against 3.2 MB)",
        ),
        (
            {"artefact": 10.0, "fp16": 12.3},
            {"artefact": 3.3, "fp16": 3.2},
            "int8 is faster here: 10.0 ms against 12.3 ms of fp16; int8 is not smaller (3.3 against 3.2 MB)",
        ),
        (
            {"artefact": 10.0, "fp16": 10.4},
            {"artefact": 1.9, "fp16": 3.2},
            "int8 and fp16 take about the same time here: 10.0 and 10.4 ms; int8 is smaller (1.9 against 3.2 MB)",
        ),
        (
            {"artefact": 80.0, "fp16": 130.0, "fp32": 60.0},
            {"artefact": 1.9, "fp16": 3.2, "fp32": 6.3},
            "fp32 is faster here: 60.0 ms against 80.0 ms; int8 is smaller (1.9 against 6.3 MB)",
        ),
    ],
)
def test_the_faster_one_is_named_plainly(milliseconds, megabytes, line):
    split = {
        name: {"inference": 0.1, "postprocess": total - 0.1, "total": total} for name, total in milliseconds.items()
    }
    assert advice(split, megabytes) == line
