"""Quantisation of ONNX graphs: which nodes a layer's name means."""

from __future__ import annotations

from ultralytics.deploy.qdq import kept_nodes

NAMES = [
    "/network/network/model.2/conv/Conv",
    "/network/network/model.22/conv/Conv",
    "/network/model.2.cv1/Conv",
    "Resize",
]


def test_a_layer_is_its_nodes_and_no_others():
    assert kept_nodes(NAMES, ("model.2",)) == [NAMES[0], NAMES[2]]


def test_nothing_is_kept_unless_asked():
    assert kept_nodes(NAMES, ()) == []
