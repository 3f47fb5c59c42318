"""Checkpoints of our own: what goes in comes out, nothing else can go in, and a bad file is named."""

from __future__ import annotations

import dataclasses
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ultralytics.errors import CheckpointError, MissingFile
from ultralytics.nn.checkpoint import FORMAT, Checkpoint, load_checkpoint, save_checkpoint, strip
from ultralytics.nn.model import GraphModel


def checkpoint(**changes: Any) -> Checkpoint:
    facts = {
        "task": "semantic",
        "yaml": {"nc": 2, "backbone": [[-1, 1, "Conv", [8, 3, 2]]], "head": []},
        "names": {0: "road", 1: "sky"},
        "nc": 2,
        "stride": [32],
        "state_dict": {"model.0.weight": torch.arange(6.0).reshape(2, 3), "model.0.count": torch.tensor(7)},
        "args": {"imgsz": 64, "lr0": 0.1, "data": None, "classes": [1, 2], "rect": False},
        "metrics": {"fitness": 0.25},
        "epoch": 3,
        "licence": {"code": "Apache-2.0", "weights": None, "data": "CC0"},
        "fingerprint": {"images": 4},
        "calibration": {"temperature": 1.5},
        "palette": [[0, 0, 0], [255, 0, 9]],
    }
    return Checkpoint(**{**facts, **changes})


def test_round_trip(tmp_path: Path) -> None:
    state = {"optimizer": {"state": {0: {"step": torch.tensor(3.0)}}, "groups": [{"betas": (0.9, 0.999)}]}}
    before = checkpoint(train_state=state)
    save_checkpoint(tmp_path / "ü é.pt", before)
    after = load_checkpoint(tmp_path / "ü é.pt")
    for field in dataclasses.fields(Checkpoint):
        if field.name not in {"state_dict", "train_state"}:
            assert getattr(after, field.name) == getattr(before, field.name)
    assert list(after.state_dict) == list(before.state_dict)
    assert all(torch.equal(after.state_dict[name], value) for name, value in before.state_dict.items())
    assert after.train_state == state


def test_file_is_plain_data_for_torch(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "a.pt", checkpoint(state_dict=OrderedDict(w=torch.zeros(1))))
    content = torch.load(tmp_path / "a.pt", weights_only=True)
    assert content["format"] == FORMAT
    assert content["names"] == {0: "road", 1: "sky"}
    assert type(content["state_dict"]) is dict


def test_same_content_makes_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.pt", "b.pt"):
        save_checkpoint(tmp_path / name, checkpoint())
    assert (tmp_path / "a.pt").read_bytes() == (tmp_path / "b.pt").read_bytes()


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"metrics": {"fitness": np.float64(0.5)}}, r"checkpoint\['metrics'\]\['fitness'\] is a numpy.float64"),
        ({"args": {"project": Path("runs")}}, r"\['args'\]\['project'\] is a pathlib"),
        ({"train_state": {"rng": [1, {"x": {1, 2}}]}}, r"\['rng'\]\[1\]\['x'\] is a builtins.set"),
        ({"yaml": {("a", 1): 2}}, r"\['yaml'\] has the key \('a', 1\)"),
        ({"state_dict": {"w": torch.zeros(2, dtype=torch.complex64)}}, r"\['state_dict'\]\['w'\] is a torch.Tensor"),
        ({"calibration": {"f": len}}, r"\['f'\] is a builtins.builtin_function"),
        ({"args": {"raw": b"bytes"}}, r"\['raw'\] is a builtins.bytes"),
    ],
)
def test_anything_else_is_refused_with_its_place(tmp_path: Path, changes: dict[str, Any], where: str) -> None:
    with pytest.raises(TypeError, match=where):
        save_checkpoint(tmp_path / "a.pt", checkpoint(**changes))
    assert list(tmp_path.iterdir()) == []


def test_failed_save_keeps_the_old_file(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "a.pt", checkpoint(epoch=1))
    with pytest.raises(TypeError):
        save_checkpoint(tmp_path / "a.pt", checkpoint(epoch=2, args={"x": object()}))
    assert load_checkpoint(tmp_path / "a.pt").epoch == 1
    assert [file.name for file in tmp_path.iterdir()] == ["a.pt"]


def test_unwritable_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"file.a\.pt"):
        save_checkpoint(tmp_path / "file" / "a.pt", checkpoint())


def test_half_weights_come_back_as_float(tmp_path: Path) -> None:
    weights = {"w": torch.tensor([0.1, 2.0]).half(), "n": torch.tensor([1, 2])}
    save_checkpoint(tmp_path / "a.pt", checkpoint(state_dict=weights, train_state={"w": weights["w"]}))
    after = load_checkpoint(tmp_path / "a.pt")
    assert after.state_dict["w"].dtype == torch.float32
    assert torch.equal(after.state_dict["w"], weights["w"].float())
    assert after.state_dict["n"].dtype == torch.int64
    assert after.train_state is not None
    assert after.train_state["w"].dtype == torch.float16


def test_a_view_is_saved_without_the_rest_of_its_storage(tmp_path: Path) -> None:
    big = torch.zeros(1_000_000)
    save_checkpoint(tmp_path / "a.pt", checkpoint(state_dict={"w": big[10:20], "t": big[:6].view(2, 3).mT}))
    assert (tmp_path / "a.pt").stat().st_size < 20_000
    assert load_checkpoint(tmp_path / "a.pt").state_dict["t"].shape == (3, 2)


def test_strip_drops_the_training_state_only(tmp_path: Path) -> None:
    file = tmp_path / "last.pt"
    weights = {"w": torch.ones(3).half()}
    save_checkpoint(file, checkpoint(state_dict=weights, train_state={"big": torch.zeros(10_000)}))
    strip(file)
    assert file.stat().st_size < 10_000
    assert torch.load(file, weights_only=True)["state_dict"]["w"].dtype == torch.float16
    after = load_checkpoint(file)
    assert after.train_state is None
    assert after.calibration == {"temperature": 1.5}


def test_strip_refuses_files_of_others(tmp_path: Path, shared: Path) -> None:
    foreign = tmp_path / "x.pt"
    foreign.write_bytes((shared / "interop/ckpt/camvid12-last.pt").read_bytes())
    with pytest.raises(CheckpointError, match="not made by this package"):
        strip(foreign)


def test_of_model_describes_the_network(tmp_path: Path) -> None:
    model = GraphModel("yolo26n-sem.yaml", ch=4, nc=3)
    model.names = {0: "a", 1: "b", 2: "c"}
    with torch.no_grad():
        model.model[0].conv.weight[0] = 1e5  # does not fit half precision
    save_checkpoint(tmp_path / "m.pt", Checkpoint.of_model(model, task="semantic", half=True, epoch=5))
    after = load_checkpoint(tmp_path / "m.pt")
    assert (after.task, after.nc, after.ch, after.stride, after.epoch) == ("semantic", 3, 4, [32], 5)
    assert after.licence["code"] == "Apache-2.0"
    assert not after.is_fused
    rebuilt = GraphModel(after.yaml)
    rebuilt.load_state_dict(after.state_dict)
    for name, value in model.state_dict().items():
        assert torch.allclose(rebuilt.state_dict()[name].float(), value.float(), rtol=1e-3, atol=1e-4), name
    assert Checkpoint.of_model(model.fuse(), task="semantic").is_fused


def broken(tmp_path: Path, **changes: Any) -> Path:
    """Write a file of ours with some entries changed; None leaves one out."""
    save_checkpoint(tmp_path / "a.pt", checkpoint())
    content = {**torch.load(tmp_path / "a.pt", weights_only=True), **changes}
    torch.save({key: value for key, value in content.items() if value is not None}, tmp_path / "a.pt")
    return tmp_path / "a.pt"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"format_version": 99}, "format 99; this version reads format 1"),
        ({"yaml": None}, "not a whole checkpoint.*'yaml'"),
        ({"names": [1, 2]}, "has a list as its 'names'"),
        ({"nc": "2"}, "has a str as its 'nc'"),
        ({"state_dict": {"w": 3}}, "something else than tensors"),
        ({"state_dict": {"a": torch.zeros(1), "b.c": torch.tensor([1.0, float("nan")])}}, "NaN in b.c"),
        ({"state_dict": {"w": torch.zeros(1).expand(10**9)}}, "room for"),
        ({"format": "other"}, "not one of our checkpoints"),
    ],
)
def test_inconsistent_files_are_refused(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(CheckpointError, match=said):
        load_checkpoint(broken(tmp_path, **changes))


def test_fields_of_later_releases_are_skipped(tmp_path: Path) -> None:
    assert load_checkpoint(broken(tmp_path, new_fact={"x": 1})).epoch == 3


@pytest.mark.parametrize("value", [torch.zeros(3), [1, 2], {"a": 1}, {}])
def test_other_plain_contents_are_described(tmp_path: Path, value: object) -> None:
    torch.save(value, tmp_path / "a.pt")
    with pytest.raises(CheckpointError, match=r"a\.pt"):
        load_checkpoint(tmp_path / "a.pt")


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("weights-empty", "empty"),
        ("weights-sklearn-like-pickle", "pickle of another program"),
        ("weights-safetensors-named-pt", "safetensors"),
        ("weights-other-state-dict", r"not one of our checkpoints.*0\.weight"),
        ("weights-torchscript", r"Rename it to 'script\.torchscript'"),
        ("weights-nan-weights", r"0\.weight.* hold NaN"),
    ],
)
def test_recorded_bad_inputs(shared: Path, case: str, said: str) -> None:
    (file,) = (shared / "bad-inputs" / case).glob("*.pt")
    with pytest.raises(CheckpointError, match=said):
        load_checkpoint(file)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(MissingFile, match=r"no\.pt"):
        load_checkpoint(tmp_path / "no.pt")
