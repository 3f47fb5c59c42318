"""GraphDef: its side file, and where a graph begins and ends."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from ultralytics.deploy.formats import graphdef
from ultralytics.deploy.metadata import ModelMetadata, read_side_file
from ultralytics.errors import ModelError

METADATA = ModelMetadata(task="semantic", names={0: 'a "disc"', 1: "Straße"}, stride=32, imgsz=(64, 96))


def node(name, op, *inputs):
    return SimpleNamespace(name=name, op=op, input=list(inputs))


def test_metadata_lie_beside_the_file_and_are_replaced(tmp_path):
    path = tmp_path / "best.pb"
    path.write_bytes(b"graph")
    graphdef.embed(path, METADATA)
    graphdef.embed(path, replace(METADATA, parity={"equal_pixels": 0.5}))
    assert path.read_bytes() == b"graph"
    assert (tmp_path / "best.pb.metadata.yaml").is_file()
    assert read_side_file(path) == replace(METADATA, parity={"equal_pixels": 0.5})


def test_a_file_without_its_side_file_says_so(tmp_path):
    path = tmp_path / "best.pb"
    path.write_bytes(b"graph")
    with pytest.raises(ModelError, match=r"needs its side file 'best\.pb\.metadata\.yaml'"):
        graphdef.Backend(path)


def test_a_graph_begins_at_its_placeholder_and_ends_at_what_nobody_takes_in():
    nodes = [
        node("images", "Placeholder"),
        node("weights", "Const"),
        node("conv", "Conv2D", "images", "weights:0"),
        node("checked", "NoOp", "^conv"),
        node("Identity", "Identity", "conv", "^checked"),
    ]
    assert graphdef.ends(SimpleNamespace(node=nodes)) == ("images", "Identity")


def test_a_graph_with_two_ends_is_refused():
    nodes = [node("images", "Placeholder"), node("a", "Relu", "images"), node("b", "Relu", "images")]
    with pytest.raises(ValueError, match="1 and 2"):
        graphdef.ends(SimpleNamespace(node=nodes))
