"""Starting from weights that fit in part."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import nn

from ultralytics.errors import CheckpointError
from ultralytics.nn.checkpoint import Checkpoint
from ultralytics.nn.model import GraphModel
from ultralytics.nn.transfer import transfer

MODEL = {
    "nc": 3,
    "backbone": [[-1, 1, "Conv", [8, 3, 2]], [-1, 1, "Conv", [16, 3, 2]], [-1, 1, "Conv", [16, 3, 2]]],
    "head": [[[-1, 1], 1, "SemanticSegment", ["nc"]]],
}


def network(names: Sequence[str], seed: int = 0) -> GraphModel:
    torch.manual_seed(seed)
    model = GraphModel(MODEL, nc=len(names))
    model.names = dict(enumerate(names))
    return model


def classifiers(model: GraphModel) -> list[nn.Conv2d]:
    return [module for module in model.head.modules() if isinstance(module, nn.Conv2d) and module.bias is not None]


def test_same_network_loads_whole() -> None:
    source, target = network("abc", seed=1), network("abc", seed=2)
    report = transfer(target, Checkpoint.of_model(source, task="t"))
    assert len(report.loaded) == len(target.state_dict())
    assert (report.remapped, report.skipped) == ([], {})
    assert all(torch.equal(value, source.state_dict()[name]) for name, value in target.state_dict().items())
    assert report.text() == f"Transferred {len(report.loaded)} of {len(report.loaded)} tensors."


def test_rows_follow_their_class_names() -> None:
    source = network(["road", "sky", "Tree "], seed=1)
    target = network(["pole", "tree", "road", "wall"], seed=2)
    fresh = [layer.weight.clone() for layer in classifiers(target)]
    report = transfer(target, Checkpoint.of_model(source, task="t"))
    assert len(report.remapped) == 4  # weight and bias of the main and the auxiliary classifier
    assert report.classes == ["tree", "road"]
    for before, here, there in zip(fresh, classifiers(target), classifiers(source), strict=True):
        assert torch.equal(here.weight[1], there.weight[2])
        assert torch.equal(here.weight[2], there.weight[0])
        assert torch.equal(here.bias[[1, 2]], there.bias[[2, 0]])
        assert torch.equal(here.weight[[0, 3]], before[[0, 3]])
    assert report.skipped == {}
    assert "4 classifier tensors were matched by name for 2 classes: tree, road" in report.text()


def test_reordered_classes_of_the_same_number() -> None:
    source, target = network(["a", "b", "c"], seed=1), network(["c", "a", "b"], seed=2)
    transfer(target, Checkpoint.of_model(source, task="t"))
    for here, there in zip(classifiers(target), classifiers(source), strict=True):
        assert torch.equal(here.weight, there.weight[[2, 0, 1]])


def test_without_common_names_the_position_counts_if_the_number_fits() -> None:
    source = network(["road", "sky", "tree"], seed=1)
    unnamed = network("012", seed=2)
    assert transfer(unnamed, Checkpoint.of_model(source, task="t")).skipped == {}
    assert torch.equal(classifiers(unnamed)[0].weight, classifiers(source)[0].weight)
    fewer = network(["x", "y"], seed=2)
    report = transfer(fewer, Checkpoint.of_model(source, task="t"))
    assert len(report.skipped) == 4
    assert all(reason.startswith("3") and "2" in reason for reason in report.skipped.values())
    assert "4 keep their initial values" in report.text()


def test_remapping_can_be_switched_off() -> None:
    source, target = network(["a", "b", "c"], seed=1), network(["c", "a", "b"], seed=2)
    report = transfer(target, Checkpoint.of_model(source, task="t"), remap_classes=False)
    assert report.remapped == []
    assert torch.equal(classifiers(target)[0].weight, classifiers(source)[0].weight)


def test_plain_tensors_with_names_given() -> None:
    source, target = network(["a", "b"], seed=1), network(["b"], seed=2)
    report = transfer(target, source.state_dict(), source_names=source.names)
    assert report.classes == ["b"]
    assert torch.equal(classifiers(target)[0].weight[0], classifiers(source)[0].weight[1])


def test_other_layers_with_as_many_outputs_as_classes_are_not_remapped() -> None:
    names = [f"class {index}" for index in range(16)]  # the backbone's convolutions have 16 outputs too
    source, target = network(names, seed=1), network(names[::-1], seed=2)
    report = transfer(target, Checkpoint.of_model(source, task="t"))
    assert all(name.startswith("model.3.") for name in report.remapped)
    assert torch.equal(target.model[1].conv.weight, source.model[1].conv.weight)


def test_another_architecture_is_refused_and_nothing_changes() -> None:
    target = network("abc")
    before = {name: value.clone() for name, value in target.state_dict().items()}
    wider = {
        **MODEL,
        "backbone": [[-1, 1, "Conv", [8, 3, 2]], [-1, 1, "Conv", [64, 3, 2]], [-1, 1, "Conv", [64, 3, 2]]],
    }
    with pytest.raises(CheckpointError, match=r"Only 232 of the backbone's [\d,]+ parameters"):
        transfer(target, Checkpoint.of_model(GraphModel(wider, nc=3), task="t"))
    assert all(torch.equal(value, before[name]) for name, value in target.state_dict().items())


def test_fused_weights_are_refused() -> None:
    source = Checkpoint.of_model(network("abc").fuse(), task="t")
    with pytest.raises(CheckpointError, match="fused"):
        transfer(network("abc"), source)


def of_bands(channels: int, seed: int, first: Sequence[int] = (8, 3, 2)) -> GraphModel:
    torch.manual_seed(seed)
    backbone = [[-1, 1, "Conv", list(first)], [-1, 1, "Conv", [16, 3, 2]], [-1, 1, "Conv", [32, 3, 2]]]
    model = GraphModel({**MODEL, "backbone": backbone}, nc=3, ch=channels)
    model.names = dict(enumerate("abc"))
    return model


@pytest.mark.parametrize(
    ("given", "wanted", "told"),
    [(3, 5, "inflated from 3 to 5 bands"), (3, 1, "reduced from 3 to 1 bands"), (1, 3, "inflated from 1 to 3 bands")],
)
def test_filters_of_another_number_of_bands_answer_equal_bands_alike(given: int, wanted: int, told: str) -> None:
    source, target = of_bands(given, seed=1), of_bands(wanted, seed=2)
    report = transfer(target, Checkpoint.of_model(source, task="t"))
    assert report.skipped == {}
    assert f"model.0.conv.weight was {told}." in report.text()
    assert f"Transferred {len(report.loaded)} of {len(report.loaded) + 1} tensors." in report.text()
    grey = torch.rand(1, 1, 32, 32)
    with torch.inference_mode():
        before, after = (
            model.eval().model[0](grey.expand(-1, bands, -1, -1))
            for model, bands in ((source, given), (target, wanted))
        )
    torch.testing.assert_close(after, before)
    filters = target.model[0].conv.weight
    assert torch.equal(filters, filters[:, :1].expand_as(filters))


def test_other_layers_and_other_kernels_are_not_inflated() -> None:
    source, target = of_bands(3, seed=1), of_bands(5, seed=2, first=(8, 5, 2))
    report = transfer(target, Checkpoint.of_model(source, task="t"))
    assert report.adapted == {}
    assert list(report.skipped) == ["model.0.conv.weight"]
    source, target = of_bands(3, seed=1), of_bands(3, seed=2, first=(16, 3, 2))  # the next sees 16 channels, not 8
    report = transfer(target, Checkpoint.of_model(source, task="t"))
    assert report.adapted == {}
    assert "model.1.conv.weight" in report.skipped
