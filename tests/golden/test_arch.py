"""The packaged architectures: numbers that no refactoring may change, and the recorded ones of the reference.

`arch.json` lies beside this file. If a change is meant to alter it, run this file as a script and review what changed.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from ultralytics.nn.info import count_operations, model_info
from ultralytics.nn.tasks import build_model
from ultralytics.utils.env import ROOT

GOLDEN = Path(__file__).with_name("arch.json")
VARIANTS = {
    **{f"yolo26{letter}-sem": (f"yolo26{letter}-sem.yaml", 3, 19) for letter in "nsmlx"},
    "yolo26n-sem-nc1": ("yolo26n-sem.yaml", 3, 1),
    "yolo26n-sem-nc11": ("yolo26n-sem.yaml", 3, 11),
    "yolo26n-sem-nc150": ("yolo26n-sem.yaml", 3, 150),
    "yolo26n-sem-ch4": ("yolo26n-sem.yaml", 4, 19),
}
HEIGHT, WIDTH = 64, 96


def digest(model: nn.Module) -> str:
    """Hash names, shapes and order of everything a checkpoint holds."""
    lines = [f"{name} {tuple(tensor.shape)} {tensor.dtype}" for name, tensor in model.state_dict().items()]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


@torch.no_grad()
def fill(model: nn.Module) -> None:
    """Set all weights from a stream of random numbers that is the same everywhere (NEP 19 keeps RandomState's)."""
    stream = np.random.RandomState(0)
    for name, tensor in model.state_dict().items():
        if not tensor.is_floating_point():
            continue
        values = torch.from_numpy(stream.standard_normal(tuple(tensor.shape)).astype(np.float32))
        if name.endswith("running_var"):
            values = (0.25 * values).exp()
        elif tensor.ndim == 4:
            values = values * (1.5 / tensor[0].numel()) ** 0.5
        else:
            values = 0.1 * values + (1.0 if name.endswith("bn.weight") else 0.0)
        tensor.copy_(values)


@torch.no_grad()
def measure(name: str) -> dict:
    """Everything that is golden about one model."""
    cfg, channels, classes = VARIANTS[name]
    model = build_model(cfg, ch=channels, nc=classes)
    fill(model)
    image = torch.linspace(0, 1, channels * HEIGHT * WIDTH).view(1, channels, HEIGHT, WIDTH)
    logits = model.eval()(image)
    unfused = {**model_info(model)._asdict(), "state_dict": digest(model)}
    training = model.train()(torch.cat([image, image.flip(3)]))
    model.fuse()
    return {
        "unfused": unfused,
        "fused": {**model_info(model)._asdict(), "state_dict": digest(model)},
        "stride": model.stride.tolist(),
        "outputs": [list(logits.shape), *(list(output.shape) for output in training)],
        "logits": [round(value, 4) for value in (logits.mean().item(), logits.std().item())],
        "pixels": [round(value, 4) for value in logits[0, 0, ::4, ::4].flatten().tolist()],
    }


@pytest.mark.parametrize("name", VARIANTS)
def test_the_numbers_are_what_they_were(name):
    expected = json.loads(GOLDEN.read_text(encoding="utf-8"))[name]
    found = measure(name)
    for key in ("logits", "pixels"):
        np.testing.assert_allclose(found.pop(key), expected.pop(key), rtol=1e-3, atol=3e-4)
    assert found == expected


def test_every_packaged_architecture_is_golden():
    packaged = {path.name for path in (ROOT / "cfg" / "models").glob("*.yaml")}
    assert packaged == {re.sub(r"(yolo\d+)[nsmlx]", r"\1", cfg) for cfg, _, _ in VARIANTS.values()}


def facts_of(module: nn.Module) -> dict:
    """Describe a module in the words of the recordings."""
    if isinstance(module, nn.Conv2d):
        sides = {"k": module.kernel_size, "s": module.stride, "p": module.padding, "d": module.dilation}
        width = {"cin": module.in_channels, "cout": module.out_channels}
        return {**width, **{k: list(v) for k, v in sides.items()}, "g": module.groups, "bias": module.bias is not None}
    if isinstance(module, nn.BatchNorm2d):
        return {"c": module.num_features, "eps": module.eps, "momentum": module.momentum, "affine": module.affine}
    if isinstance(module, nn.MaxPool2d):
        return {"k": module.kernel_size, "s": module.stride, "p": module.padding}
    if isinstance(module, nn.Upsample):
        return {"scale": module.scale_factor, "mode": module.mode}
    names = ("c", "d", "add", "n", "num_heads", "head_dim", "key_dim", "scale", "nc", "nl", "stride")
    facts = {name: getattr(module, name) for name in names if hasattr(module, name)}
    return {k: v.tolist() if isinstance(v, torch.Tensor) else v for k, v in facts.items()}


@pytest.mark.parametrize("name", VARIANTS)
def test_the_model_is_the_recorded_one(name, shared):
    recorded = json.loads((shared / "interop" / "arch" / f"{name}.json").read_text(encoding="utf-8"))
    model = build_model(recorded["yaml"], ch=recorded["ch"], nc=recorded["nc"])
    assert [list(spec.args) for spec in model.specs] == [row["args"] for row in recorded["top_level"]]
    modules = [[path, type(module).__name__, facts_of(module)] for path, module in model.named_modules() if path]
    assert modules == recorded["modules"]
    assert model.stride.tolist() == recorded["stride"]
    assert model.save == recorded["save"]
    compare(model, recorded)
    compare(model.fuse(), recorded["fused"])


def compare(model, recorded):
    """Compare what fusing changes."""
    state = [[name, list(tensor.shape)] for name, tensor in model.state_dict().items()]
    assert state == [entry[:2] for entry in recorded["state_dict"]]
    info = model_info(model)
    assert (info.layers, info.parameters) == (recorded["layers_reported"], recorded["params"])
    assert info.gflops == pytest.approx(recorded["gflops_640"], rel=1e-9)
    large = count_operations(model, (1024, 2048)) / 1e9
    assert large == pytest.approx(recorded["gflops_1024x2048"], rel=1e-9)


def test_every_recorded_semantic_model_is_compared(shared):
    assert {path.stem for path in (shared / "interop" / "arch").glob("*-sem*.json")} == set(VARIANTS)


if __name__ == "__main__":
    lines = (f'"{name}": {json.dumps(measure(name))}' for name in VARIANTS)
    GOLDEN.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
