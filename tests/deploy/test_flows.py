"""Every format goes through the same flow: refuse, convert, prove, read back, predict, validate, fail cleanly."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from tests.deploy.flows import FLOWS, Flow
from ultralytics import YOLO
from ultralytics.deploy import FORMATS, Format, get_format
from ultralytics.deploy.options import FORMAT_OPTIONS
from ultralytics.engine import exporter
from ultralytics.errors import ConfigError, ExportError, MissingDependency, RuntimeUnavailable
from ultralytics.tasks.semantic import export as semantic_export
from ultralytics.tasks.semantic.outputs import OUTPUTS

pytestmark = pytest.mark.filterwarnings("ignore")  # toolkits announce their own future

LIGHT = [flow for flow in FLOWS if not flow.heavy]
VARIANTS = [
    pytest.param(
        flow,
        variant,
        id="-".join([flow.format, *(f"{key}={value}" for key, value in variant.items())]),
        marks=[pytest.mark.formats] if flow.heavy else [],
    )
    for flow in FLOWS
    if flow.made
    for variant in flow.variants
]


@pytest.fixture
def model(best: Path, tmp_path: Path) -> YOLO:
    """The model, its checkpoint in a folder of its own with a name that is not ASCII."""
    folder = tmp_path / "Café é"
    folder.mkdir()
    return YOLO(shutil.copy(best, folder / "best.pt"))


def settle(flow: Flow) -> dict[str, Any]:
    """Options of every export here; toolchains are fetched only by the tests that are about them."""
    return {"format": flow.format, "imgsz": [64, 96], "toolchain": "auto" if flow.heavy else "never"}


def installed() -> set[tuple[str, str]]:
    """Packages of this environment, which no export may change."""
    sites = {sysconfig.get_path(name) for name in ("purelib", "platlib")}
    return {(found.name, found.version) for found in metadata.distributions(path=list(sites))}


def need(flow: Flow) -> None:
    """Skip where the packages of a format that needs no toolchain are not installed."""
    row = get_format(flow.format, FORMATS)
    wanted = [row.convert, row.run, *([get_format(row.via, FORMATS).convert] if row.via else [])]
    if not flow.heavy and not all(packages is not None and packages.here for packages in wanted):
        pytest.skip(f'{row.title} is not installed: pip install -e ".[formats]"')


def picture(dataset: Path, index: int = 0) -> np.ndarray:
    return cv2.imread(str(dataset.parent / "images" / "val" / f"{index}.png"))


def test_there_is_a_flow_for_every_format() -> None:
    assert {flow.format for flow in FLOWS} == {row.name for row in FORMATS if row.module}


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.format)
def test_options_that_mean_nothing_are_refused_with_those_that_do(flow: Flow, model: YOLO) -> None:
    row = get_format(flow.format, FORMATS)
    with pytest.raises(ConfigError) as caught:
        model.export(**settle(flow), **flow.refuses)
    for option in row.options:
        assert option in str(caught.value)
    for option in FORMAT_OPTIONS - row.options - flow.refuses.keys():
        with pytest.raises(ConfigError, match=option):
            model.export(**settle(flow), **{option: _any_value(option)})
    assert [path.name for path in Path(model.ckpt_path).parent.iterdir()] == ["best.pt"]


def _any_value(option: str) -> Any:
    return {"name": "chip", "opset": 17, "quantize": 16, "batch": 2, "workspace": 1.0}.get(option, True)


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.format)
def test_precisions_and_outputs_that_cannot_be_are_refused(flow: Flow, model: YOLO) -> None:
    row = get_format(flow.format, FORMATS)
    if "quantize" in row.options:
        for bits in {8, 16, 32} - set(row.bits):
            with pytest.raises(ConfigError, match="quantize"):
                model.export(**settle(flow), quantize=bits)
    for output in (kind.name for kind in OUTPUTS if not kind.fits(row.can)):
        with pytest.raises(ConfigError, match=output):
            model.export(**settle(flow), output=output)


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.format)
def test_a_missing_converter_is_named_with_what_to_type(
    flow: Flow, model: YOLO, dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = get_format(flow.format, FORMATS).convert
    absent = dataclasses.replace(known, imports=("no_such_toolkit",))
    if flow.format == "torchscript":
        pytest.skip("torch is always here")
    row = dataclasses.replace(get_format(flow.format, FORMATS), convert=absent, via=None)
    monkeypatch.setattr(exporter, "FORMATS", (row,))
    bits = {"quantize": 8, "data": str(dataset)} if row.bits[0] == 8 else {}
    with pytest.raises(MissingDependency) as caught:
        model.export(**{**settle(flow), "toolchain": "never"}, **bits)
    told = str(caught.value)
    assert "toolchain=auto" in told
    assert all(pin in told for pin in absent.pins)
    assert (f'pip install "ultralytics-semantic[{absent.extra}]"' in told) == bool(absent.extra)
    assert [path.name for path in Path(model.ckpt_path).parent.iterdir()] == ["best.pt"]


@dataclasses.dataclass(frozen=True)
class Exported:
    """One export of the suite and what it is compared with."""

    flow: Flow
    variant: Mapping[str, Any]
    network: YOLO
    dataset: Path
    path: Path

    @property
    def row(self) -> Format:
        return get_format(self.flow.format, FORMATS)

    @property
    def report(self) -> dict[str, Any]:
        file = self.path.with_name(f"{self.path.name}.report.json")
        return json.loads(file.read_text(encoding="utf-8"))

    @property
    def where(self) -> dict[str, Any]:
        return {"toolchain": settle(self.flow)["toolchain"]}

    @property
    def is_quantised(self) -> bool:
        return 8 in {self.variant.get("quantize"), self.row.bits[0]}


def _only_the_artefact_is_left(made: Exported) -> None:
    assert made.path.name == f"best{made.row.suffix}"
    assert not [entry for entry in made.path.parent.iterdir() if entry.name.startswith(".")]


def _it_is_proved_on_enough_images(made: Exported) -> None:
    assert made.report["passed"] is True
    assert made.report["images"] >= 16


def _it_predicts_as_the_network(made: Exported) -> None:
    options = {"verbose": False, **made.where}
    ids = YOLO(made.path).predict(picture(made.dataset), **options)[0].semantic_mask.data
    wanted = made.network.predict(picture(made.dataset), verbose=False, imgsz=[64, 96])[0].semantic_mask.data
    assert ids.shape == wanted.shape
    assert (ids == wanted).float().mean() > 0.97


def _it_knows_what_it_is(made: Exported) -> None:
    artefact = YOLO(made.path)
    artefact.predict(picture(made.dataset), verbose=False, **made.where)
    facts = artefact.model.opened.backend.metadata
    assert facts.names == made.network.names == artefact.names
    assert (facts.task, facts.stride, facts.imgsz) == (made.network.task, int(made.network.stride.max()), (64, 96))
    assert facts.source["name"] == "best.pt"
    assert facts.tools


def _it_carries_its_parity(made: Exported) -> None:
    artefact = YOLO(made.path)
    artefact.predict(picture(made.dataset), verbose=False, **made.where)
    equal = made.report["figures"]["equal_pixels"]
    assert artefact.model.opened.backend.metadata.parity["equal_pixels"] == pytest.approx(equal)


def _it_validates_as_the_network(made: Exported) -> None:
    options = {"data": str(made.dataset), "plots": False, "verbose": False}
    measured = YOLO(made.path).val(batch=3, **options, **made.where).miou
    wanted = made.network.val(imgsz=96, rect=False, **options).miou
    assert measured == pytest.approx(wanted, abs=0.02 if made.is_quantised else 0.005)


def _it_says_what_could_not_be_checked(made: Exported) -> None:
    assert made.report["passed"] is None
    assert made.report["reason"]
    assert made.report["checks"]


def _it_says_what_it_needs_to_run(made: Exported) -> None:
    with pytest.raises((RuntimeUnavailable, MissingDependency)):
        YOLO(made.path).predict(picture(made.dataset), toolchain="never", verbose=False)


def _facts(flow: Flow) -> list[Callable[[Exported], None]]:
    """List what must hold of an export: less where only the toolkit's simulator, or nothing, runs it here."""
    if not flow.runs:
        return [_only_the_artefact_is_left, _it_says_what_could_not_be_checked, _it_says_what_it_needs_to_run]
    proved = [_only_the_artefact_is_left, _it_is_proved_on_enough_images]
    if get_format(flow.format, FORMATS).run is None:
        return proved
    running = [_it_predicts_as_the_network, _it_knows_what_it_is, _it_carries_its_parity, _it_validates_as_the_network]
    return [*proved, *running]


@pytest.mark.parametrize(("flow", "variant"), VARIANTS)
def test_an_artefact_stands_for_its_network(
    flow: Flow, variant: Mapping[str, Any], model: YOLO, dataset: Path, subtests: pytest.Subtests
) -> None:
    need(flow)
    packages = installed()
    made = Exported(flow, variant, model, dataset, Path(model.export(**settle(flow), data=str(dataset), **variant)))
    assert installed() == packages, "an export changes no installed package"
    for fact in _facts(flow):
        with subtests.test(fact.__name__.strip("_").replace("_", " ")):
            fact(made)


@pytest.mark.parametrize("flow", LIGHT, ids=lambda flow: flow.format)
def test_a_converter_that_changes_the_network_is_caught(
    flow: Flow, model: YOLO, dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    need(flow)
    real = semantic_export.build_graph
    calls = []

    def swapped(weights: Path, options: Any, metadata: Any, *, half: bool = False) -> torch.nn.Module:
        graph = real(weights, options, metadata, half=half)
        calls.append(options.output)
        if len(calls) == 1:  # what is converted; what it is compared with comes later and is right
            classifier = graph.network.network.head.classifier[-1]
            with torch.no_grad():
                classifier.bias[0] += 2.0
        return graph

    monkeypatch.setattr(semantic_export, "build_graph", swapped)
    with pytest.raises(ExportError, match=r"equal_pixels.*-failed"):
        model.export(**settle(flow), data=str(dataset))
    suffix = get_format(flow.format, FORMATS).suffix
    names = {path.name for path in Path(model.ckpt_path).parent.iterdir()}
    assert {"best.pt", f"best-failed{suffix}", f"best-failed{suffix}.report.json"} <= names
    assert f"best{suffix}" not in names


@pytest.mark.parametrize("flow", LIGHT, ids=lambda flow: flow.format)
def test_a_conversion_that_fails_leaves_what_was_there(
    flow: Flow, model: YOLO, dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    need(flow)
    row = get_format(flow.format, FORMATS)
    folder = Path(model.ckpt_path).parent
    earlier = folder / f"best{row.suffix}"
    earlier.write_bytes(b"an earlier one")

    def broken(job: Any) -> None:
        job.artefact.write_bytes(b"half an art")
        raise KeyError("an operator nobody knows")

    monkeypatch.setattr(f"{row.module}.convert", broken)
    with pytest.raises(ExportError, match="an operator nobody knows"):
        model.export(**settle(flow), data=str(dataset))
    assert earlier.read_bytes() == b"an earlier one"
    assert {path.name for path in folder.iterdir()} == {"best.pt", earlier.name}


@pytest.mark.parametrize("format", ["torchscript", "onnx", "openvino"])
def test_the_script_beside_a_pipeline_gives_the_identical_map(format: str, model: YOLO, dataset: Path) -> None:
    need(next(flow for flow in FLOWS if flow.format == format))
    path = model.export(format=format, imgsz=[64, 96], data=str(dataset), pipeline=True)
    file = Path(path).with_name("street.png")
    cv2.imwrite(str(file), cv2.resize(picture(dataset), (151, 77)))
    subprocess.run([sys.executable, f"{path}.py", str(file)], check=True, capture_output=True, timeout=300)
    script = cv2.imread(str(file.with_name("street_map.png")), cv2.IMREAD_UNCHANGED)
    artefact = YOLO(path).predict(file, verbose=False)[0].semantic_mask.data.numpy()
    network = model.predict(file, imgsz=[64, 96], rect=False, verbose=False)[0].semantic_mask.data.numpy()
    assert script.shape == (77, 151)
    assert np.array_equal(script, artefact)
    assert np.array_equal(script, network)


def test_a_class_map_refuses_what_needs_logits(model: YOLO, dataset: Path) -> None:
    artefact = YOLO(model.export(format="torchscript", imgsz=64, data=str(dataset)))
    for wish in ({"probs": "top1"}, {"conf": 0.5}, {"entropy": True}, {"tta": "flip"}, {"tile": 64}):
        with pytest.raises(ConfigError, match="output=logits_lowres"):
            artefact.predict(picture(dataset), verbose=False, **wish)
    for call in (artefact.train, artefact.fuse, artefact.export, artefact.info):
        with pytest.raises(Exception, match="TorchScript"):
            call()


def test_low_resolution_logits_give_all_that_the_network_gives(model: YOLO, dataset: Path) -> None:
    options = {"format": "torchscript", "imgsz": [64, 96], "output": "logits_lowres", "dynamic": True}
    artefact = YOLO(model.export(**options, data=str(dataset)))
    wishes = {"probs": "full", "entropy": True, "conf": 0.4, "verbose": False, "imgsz": 128}
    found, wanted = (one.predict(picture(dataset), **wishes)[0].semantic_mask for one in (artefact, model))
    assert torch.equal(found.data, wanted.data)
    assert torch.allclose(found.entropy.float(), wanted.entropy.float(), atol=0.01)
    tiled = [one.predict(picture(dataset), tile=64, verbose=False)[0].semantic_mask.data for one in (artefact, model)]
    assert (tiled[0] == tiled[1]).float().mean() > 0.999


def test_what_predicts_is_the_artefact_as_it_was_opened_last(model: YOLO, dataset: Path) -> None:
    need(next(flow for flow in FLOWS if flow.format == "onnx"))
    artefact = YOLO(model.export(format="onnx", imgsz=[64, 96], data=str(dataset)))
    used = []
    for options in ({}, {"toolchain": "auto"}, {"dnn": True}, {}):
        artefact.predict(picture(dataset), verbose=False, **options)
        assert artefact.predictor.model is artefact.model.opened
        used.append(artefact.predictor.model)
    assert used[0] is used[1]
    assert [type(one.backend).__module__.rpartition(".")[2] for one in used[1:]] == ["onnx", "opencv", "onnx"]
    assert artefact.val(data=str(dataset), plots=False, verbose=False).miou > 0.7
