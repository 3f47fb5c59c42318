"""Architecture files: found, scaled, checked."""

from __future__ import annotations

import copy
import logging
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ultralytics.nn.modules  # noqa: F401  (registers the modules)
from ultralytics.errors import MissingFile, ModelError
from ultralytics.nn.graph import (
    IMAGE,
    LayerSpec,
    finished_outputs,
    head_name,
    load_architecture,
    named_outputs,
    parse_layers,
)

SMALL = {
    "nc": 2,
    "backbone": [
        [-1, 1, "Conv", [8, 3, 2]],
        [-1, 1, "Conv", [16, 3, 2]],
        [-1, 2, "C2f", [16, True]],
    ],
    "head": [
        [-1, 1, "nn.Upsample", ["None", 2, "nearest"]],
        [[-1, 0], 1, "Concat", [1]],
        [[4, 2], 1, "SemanticSegment", ["nc"]],
    ],
}


def small(**changes):
    return copy.deepcopy(SMALL) | changes


def layers_of(**changes):
    return parse_layers(load_architecture(small(**changes)))


@pytest.mark.parametrize("letter", "nsmlx")
def test_a_packaged_architecture_is_found_at_every_scale(letter):
    architecture = load_architecture(f"yolo26{letter}-sem.yaml")
    assert architecture["scale"] == letter
    assert architecture["yaml_file"] == f"yolo26{letter}-sem.yaml"
    assert (architecture["nc"], architecture["channels"]) == (19, 3)
    assert head_name(architecture) == "SemanticSegment"


def test_without_a_letter_the_first_scale_is_taken_and_said(caplog):
    with caplog.at_level(logging.WARNING, logger="ultralytics"):
        assert load_architecture("yolo26-sem.yaml")["scale"] == "n"
    assert "names no scale of n, s, m, l, x: 'n' is taken" in caplog.text


def test_a_loaded_architecture_is_complete(caplog):
    once = load_architecture("yolo26m-sem.yaml", num_classes=5, channels=4)
    assert load_architecture(once) == once
    assert (once["nc"], once["channels"], once["scale"]) == (5, 4, "m")
    assert not caplog.records


def test_what_is_passed_in_stays_as_it_is():
    given_ = small()
    load_architecture(given_, num_classes=7)["backbone"][0][0] = 99
    assert given_ == SMALL


@pytest.mark.parametrize(
    ("stored", "asked", "scale"),
    [
        ("yolo9-sem.yaml", "yolo9s-sem.yaml", "s"),
        ("yolov3.yml", "yolov3l.yml", "l"),
        ("yolo9s-sem.yaml", "yolo9s-sem.yaml", "s"),
        ("YOLO9-größe.yaml", "YOLO9L-größe.yaml", "l"),
    ],
)
def test_a_users_file_is_found_with_a_letter_in_its_name(tmp_path, stored, asked, scale):
    text = "nc: 2\nscales:\n  s: [1.0, 0.5, 64]\n  l: [1.0, 1.0, 64]\n"
    rows = "backbone:\n  - [-1, 1, Conv, [8, 3, 2]]\nhead:\n  - [-1, 1, nn.Identity, []]\n"
    (tmp_path / stored).write_text(text + rows, encoding="utf-8")
    assert load_architecture(tmp_path / asked)["scale"] == scale


def test_a_word_after_the_number_is_not_a_scale():
    with pytest.raises(MissingFile, match="yolo26sem"):
        load_architecture("yolo26sem.yaml")


def test_a_scale_may_be_named_in_the_file():
    scales = {"a": [1.0, 1.0, 64], "b": [1.0, 2.0, 64]}
    assert load_architecture(small(scales=scales, scale="b"))["scale"] == "b"
    assert layers_of(scales=scales, scale="b")[0].out_channels == 16


def test_a_missing_file_names_what_there_is():
    with pytest.raises(MissingFile, match=r"'yolo27n-sem\.yaml'.*Did you mean 'yolo26-sem\.yaml'\?"):
        load_architecture("yolo27n-sem.yaml")


def test_only_architecture_files_are_read():
    with pytest.raises(ModelError, match=r"\.yaml or \.yml"):
        load_architecture("yolo26n-sem.pt")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nc: [1,\nbackbone: }", "line 2"),
        ("- 1\n- 2\n", "not a mapping"),
        ("nc: 2\n", "no 'backbone'"),
        ("nc: 2\nbackbone:\n  - [-1, 1, Conv, [8]]\n", "no 'head'"),
        ("nc: 2\nbackbone:\n  - [-1, 1, Conv]\nhead: []\n", r"row 1 of 'backbone'; a row is \[from, repeats"),
        ("backbone:\n  - [-1, 1, Conv, [8]]\nhead:\n  - [-1, 1, Conv, [8]]\n", "says nc: None"),
    ],
)
def test_a_file_that_is_no_architecture_is_refused_by_name(tmp_path, text, message):
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ModelError, match=message) as caught:
        load_architecture(path)
    assert "mine.yaml" in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"nc": 0}, "nc: 0.*positive integer"),
        ({"nc": "many"}, "nc: many"),
        ({"nc": True}, "nc: True"),
        ({"channels": -3}, "channels: -3"),
        ({"scales": {"n": [1, 2]}}, r"scale 'n' as \[1, 2\]; it must be \[depth, width, max_channels\]"),
        ({"scales": {"n": [1, 0, 64]}}, "all positive"),
        ({"scales": [1, 2]}, "must map letters"),
        ({"scales": {"n": [1, 1, 64]}, "scale": "q"}, "Unknown scale 'q'. Known: n"),
    ],
)
def test_wrong_settings_of_an_architecture_are_named(changes, message):
    with pytest.raises(ModelError, match=message):
        load_architecture(small(**changes))


def test_rows_become_layers_with_final_numbers():
    head = LayerSpec(5, (4, 2), (4, 2), "SemanticSegment", (2, [24, 16]), 1, (24, 16), 2, 2.0)
    assert layers_of() == [
        LayerSpec(0, -1, (IMAGE,), "Conv", (3, 8, 3, 2), 1, (3,), 8, 2.0),
        LayerSpec(1, -1, (0,), "Conv", (8, 16, 3, 2), 1, (8,), 16, 4.0),
        LayerSpec(2, -1, (1,), "C2f", (16, 16, 2, True), 1, (16,), 16, 4.0),
        LayerSpec(3, -1, (2,), "nn.Upsample", (None, 2, "nearest"), 1, (16,), 16, 2.0),
        LayerSpec(4, (-1, 0), (3, 0), "Concat", (1,), 1, (16, 8), 24, 2.0),
        head,
    ]


def test_classes_and_channels_asked_for_reach_the_layers():
    layers = parse_layers(load_architecture(small(), num_classes=7, channels=5))
    assert layers[0].in_channels == (5,)
    assert layers[-1].args == (7, [24, 16])


def test_the_scale_acts_on_repeats_and_channels():
    layers = layers_of(scales={"t": [0.5, 2.0, 8]})
    assert [layer.out_channels for layer in layers[:3]] == [16, 16, 16]
    assert layers[2].args == (16, 16, 1, True)


@pytest.mark.parametrize(("letter", "c3k"), [("s", False), ("m", True), ("x", True)])
def test_larger_scales_use_the_larger_blocks(letter, c3k):
    rows = [[-1, 1, "C3k2", [8, False, 0.25]]]
    layers = layers_of(backbone=rows, head=[[-1, 1, "nn.Identity", []]], scales={letter: [1, 1, 64]})
    assert layers[0].args == (3, 8, 1, c3k, 0.25)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ([-1, 1, "Cnov", [8]], r"layer 3 \(row 1 of 'head': .*Unknown module 'Cnov'\. Did you mean 'Conv'\?"),
        ([-1, 0, "Conv", [8]], "repeats must be a positive integer, not 0"),
        ([-1, "two", "Conv", [8]], "not 'two'"),
        ([3, 1, "Conv", [8]], "layer 3; a row may use the image and the layers before it"),
        ([-5, 1, "Conv", [8]], "means layer -2"),
        (["last", 1, "Conv", [8]], "layer numbers, not 'last'"),
        ([[], 1, "Concat", [1]], "empty list"),
        ([-1, 1, "Conv", 8], "args must be a list, not 8"),
        ([-1, 1, "Conv", []], r"Conv needs its output channels, a positive integer, as first argument"),
        ([[-1, 0], 1, "Conv", [8]], "Conv takes one source, not 2"),
        ([[-1, 0], 1, "Concat", [1]], "Concat joins maps of different sizes: 1/4, 1/2 of the image"),
        ([[-1, 0], 1, "SemanticSegment", [80]], "in a model of 2 classes"),
    ],
)
def test_a_row_that_cannot_be_is_quoted_with_the_reason(row, message):
    with pytest.raises(ModelError, match=message):
        layers_of(head=[row])


def test_words_in_arguments_are_looked_up_and_never_evaluated():
    rows = [[-1, 1, "nn.Identity", ["None", "True", "nc", "__import__('os')", 2]]]
    assert layers_of(head=rows)[-1].args == (None, True, 2, "__import__('os')", 2)


def test_a_row_may_use_the_image_itself():
    layer = layers_of(backbone=[[-1, 1, "nn.Identity", []]], head=[[[0, -2], 1, "Concat", [1]]])[-1]
    assert (layer.sources, layer.out_channels, layer.stride) == ((0, IMAGE), 6, 1.0)


def test_the_outputs_that_rows_name_are_kept_and_let_go_after_their_last_use():
    layers = layers_of()
    assert named_outputs(layers) == [0, 2, 4]
    assert finished_outputs(layers) == [(IMAGE,), (), (1,), (), (0, 3), (2, 4)]


@given(st.data())
def test_every_output_that_is_used_is_finished_once_by_its_last_user(data):
    count = data.draw(st.integers(1, 12))
    sources = [tuple(data.draw(st.lists(st.integers(-1, i - 1), min_size=1, max_size=3))) for i in range(count)]
    layers = [LayerSpec(i, s, s, "x", (), 1, (1,) * len(s), 1, 1.0) for i, s in enumerate(sources)]
    finished = finished_outputs(layers)
    for source in range(-1, count):
        users = [i for i, names in enumerate(sources) if source in names]
        assert [i for i, done in enumerate(finished) for index in done if index == source] == users[-1:]


def test_reading_an_architecture_needs_no_torch():
    code = (
        "import sys; from ultralytics.nn.graph import load_architecture, head_name;"
        "assert head_name(load_architecture('yolo26n-sem.yaml')) == 'SemanticSegment';"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
