"""An export from the first option to the last file, with converters that behave and others that do not."""

from __future__ import annotations

import json
import os
import platform
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from torch import nn

from ultralytics.cfg import get_cfg
from ultralytics.deploy import FORMATS, Format
from ultralytics.deploy.base import PROBE_INPUTS, PROBE_OUTPUTS, ExportJob
from ultralytics.deploy.formats import torchscript
from ultralytics.engine import exporter
from ultralytics.engine.exporter import Exporter
from ultralytics.errors import ConfigError, ExportError, RuntimeUnavailable
from ultralytics.nn.checkpoint import Checkpoint, save_checkpoint
from ultralytics.nn.tasks import SemanticSegmentationModel
from ultralytics.tasks import get_task

FRAGILE = "model.1"
ARCHITECTURE = {
    "nc": 3,
    "backbone": [[-1, 1, "Conv", [8, 3, 2]] for _ in range(4)],
    "head": [[[2, 3], 1, "SemanticSegment", ["nc"]]],
}


class Shifted(nn.Module):
    """A network that calls every class by the name of the next one."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return (self.network(images) + 1) % 3


def honest(job: ExportJob) -> None:
    _trace(job.network(), job)


def wrong(job: ExportJob) -> None:
    _trace(Shifted(job.network()), job)


def _trace(network: nn.Module, job: ExportJob) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch announces a successor
        torch.jit.trace(network, job.example(), check_trace=False).save(str(job.artefact))


def wrong_in_8_bits(job: ExportJob) -> None:
    """Convert well only where the fragile layer is kept out of the quantisation."""
    return wrong(job) if job.options.bits == 8 and FRAGILE not in job.options.keep else honest(job)


@pytest.fixture
def checkpoint() -> Checkpoint:
    """A small network; one layer's outputs differ so much in size that 8 bits do not hold them."""
    torch.manual_seed(0)
    network = SemanticSegmentationModel(ARCHITECTURE).eval()
    with torch.no_grad():
        network.model[1].bn.weight[0] *= 1000
        network.model[2].conv.weight[:, 0] = 0
    network.names = {0: "ground", 1: "disc", 2: "bar"}
    return Checkpoint.of_model(network, task="semantic")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the weights; the current one is another."""
    here, weights = tmp_path / "here", tmp_path / "gewichte für 测试"
    here.mkdir()
    weights.mkdir()
    monkeypatch.chdir(here)
    return weights


@pytest.fixture
def make(checkpoint: Checkpoint, folder: Path) -> Callable[..., Exporter]:
    """Make the exporter of a call with options."""

    def build(source: Path | None = folder / "best one.pt", **options: object) -> Exporter:
        options = {"format": "sham", "imgsz": 64, "device": "cpu", **options}
        if source is not None:
            save_checkpoint(source, checkpoint)
        name = source.stem if source else "tiny"
        return Exporter(
            get_cfg(options, mode="export"), set(options), get_task("semantic"), checkpoint, source=source, name=name
        )

    return build


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Add the format "sham", whose artefacts are TorchScript; its converter is the test's."""

    def add(convert: Callable, *, backend: type = torchscript.Backend, **fields: object) -> None:
        module = ModuleType("sham_format")
        module.convert, module.embed, module.Backend = convert, torchscript.embed, backend
        monkeypatch.setitem(sys.modules, "sham_format", module)
        row = Format(name="sham", title="Sham", suffix=".sham", module="sham_format", dynamic=True, **fields)
        monkeypatch.setattr(exporter, "FORMATS", (*FORMATS, row))

    return add


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_save_dir_says_where_the_artefact_goes(register, make, tmp_path):
    register(honest)
    target = tmp_path / "aus [1]" / "here"
    assert make(save_dir=str(target))() == target / "best one.sham"
    assert _names(target) == ["best one.sham", "best one.sham.report.json"]


@pytest.mark.parametrize("option", ["project", "exist_ok"])
def test_options_of_a_run_folder_are_refused(register, make, option):
    register(honest)
    with pytest.raises(ConfigError, match=option):
        make(**{option: "a" if option == "project" else True})


def test_the_artefact_lies_beside_the_checkpoint_with_its_report(register, make, folder):
    register(honest)
    export = make()
    assert export() == folder / "best one.sham"
    assert _names(folder) == ["best one.pt", "best one.sham", "best one.sham.report.json"]
    report = json.loads((folder / "best one.sham.report.json").read_text(encoding="utf-8"))
    assert report["artefact"] == "best one.sham"
    assert (report["format"], report["bits"], report["images"], report["passed"]) == ("sham", 32, 16, True)
    assert report["data"] == "drawn scenes"
    assert report["figures"]["equal_pixels"] >= 0.995
    assert set(report["milliseconds"]) == {"artefact", "torch"}
    for phases in report["milliseconds"].values():
        assert set(phases) == {"preprocess", "inference", "postprocess", "total"}
        assert phases["total"] == pytest.approx(sum(phases.values()) / 2)
    assert report["megabytes"]["artefact"] > 0
    assert min(export.seconds["convert"], export.seconds["prove"]) > 0
    assert {"machine", "cpu", "python"} <= set(report["runtime"])
    metadata = torchscript.Backend(folder / "best one.sham").metadata
    assert metadata.names == {0: "ground", 1: "disc", 2: "bar"}
    assert metadata.parity == export.report.figures
    assert metadata.source["name"] == "best one.pt"


def test_an_architecture_is_exported_into_the_current_folder(register, make):
    register(honest)
    assert make(source=None, verify=False)() == Path.cwd() / "tiny.sham"
    assert _names(Path.cwd()) == ["tiny.sham"]


def test_a_folder_that_cannot_be_written_to_is_not(register, make, folder, monkeypatch):
    register(honest)
    real = os.access  # the superuser may write everywhere
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != folder and real(path, mode))
    assert make(verify=False)() == Path.cwd() / "best one.sham"
    assert _names(folder) == ["best one.pt"]


def test_a_batch_is_proved_in_whole_batches(register, make, folder):
    register(honest, options=frozenset({"batch"}))
    export = make(batch=3)
    export()
    assert export.report.images == 18
    assert torchscript.Backend(folder / "best one.sham").metadata.batch == 3


def wrong_beside_a_file(job: ExportJob) -> None:
    wrong(job)
    job.artefact.with_name(f"{job.artefact.name}.metadata.yaml").write_text("{}")


def test_wrong_answers_are_refused_and_the_artefact_is_kept_aside(register, make, folder):
    register(wrong_beside_a_file)
    (folder / "best one.sham").write_text("of yesterday")
    with pytest.raises(ExportError, match=r"best one-failed\.sham.*verify=False"):
        make()()
    assert _names(folder) == [
        "best one-failed.sham",
        "best one-failed.sham.metadata.yaml",
        "best one-failed.sham.report.json",
        "best one.pt",
        "best one.sham",
    ]
    assert (folder / "best one.sham").read_text() == "of yesterday"
    report = json.loads((folder / "best one-failed.sham.report.json").read_text(encoding="utf-8"))
    assert report["passed"] is False
    assert report["figures"]["equal_pixels"] == 0


def test_without_verification_they_are_delivered_and_no_old_report_stays(register, make, folder):
    register(wrong)
    (folder / "best one.sham.report.json").write_text("{}")
    export = make(verify=False)
    export()
    assert _names(folder) == ["best one.pt", "best one.sham"]
    assert export.seconds["convert"] > 0
    assert export.seconds["prove"] == 0


def _fail(error: BaseException) -> Callable[[ExportJob], None]:
    def convert(job: ExportJob) -> None:
        job.artefact.write_text("half")
        os.chdir(job.folder)
        raise error

    return convert


@pytest.mark.parametrize(
    ("error", "raised"),
    [(ValueError("a hole in the graph"), ExportError), (KeyboardInterrupt(), KeyboardInterrupt)],
    ids=["failure", "interrupt"],
)
def test_a_conversion_that_ends_early_leaves_nothing(register, make, folder, error, raised):
    register(_fail(error))
    (folder / "best one.sham").write_text("of yesterday")
    before = Path.cwd()
    with pytest.raises(raised) as caught:
        make()()
    if raised is ExportError:
        assert "ValueError: a hole in the graph" in str(caught.value)
    assert Path.cwd() == before
    assert _names(folder) == ["best one.pt", "best one.sham"]
    assert (folder / "best one.sham").read_text() == "of yesterday"
    assert _names(before) == []


def test_a_converter_that_makes_nothing_is_told_of(register, make):
    register(lambda job: None)
    with pytest.raises(ExportError, match=r"produced no 'best one\.sham'"):
        make()()


def test_a_folder_replaces_a_folder(register, make, folder):
    def convert(job: ExportJob) -> None:
        job.artefact.mkdir()
        (job.artefact / "new").write_text("")

    class Elsewhere(torchscript.Backend):
        def __init__(self, path: Path, *, device: str = "cpu", threads: int = 1) -> None:
            raise RuntimeUnavailable("It needs a chip.")

    register(convert, backend=Elsewhere)
    sys.modules["sham_format"].embed = lambda artefact, metadata: None
    (folder / "best one.sham").mkdir()
    (folder / "best one.sham" / "old").write_text("")
    export = make()
    assert _names(export()) == ["new"]
    assert export.report.passed is None
    assert "It needs a chip." in export.report.reason
    assert "numerics not checked here" in export.report.text()


def test_a_toolkit_that_simulates_answers_while_it_converts(register, make):
    def convert(job: ExportJob) -> None:
        honest(job)
        images = torch.from_numpy(np.load(job.folder / PROBE_INPUTS))
        with torch.inference_mode():
            np.save(job.folder / PROBE_OUTPUTS, torch.cat([job.network()(part) for part in images.split(2)]).numpy())

    register(convert, run=None, needs="a chip", options=frozenset({"batch"}))
    export = make(batch=2)
    export()
    assert export.report.passed is True
    assert export.report.images == 16
    assert "simulator" in export.report.reason
    assert "artefact" not in export.report.milliseconds


def test_an_emulator_proves_numbers_and_no_speed(register, make, data):
    register(honest, emulated_on=frozenset({platform.machine().lower()}), **QUANTIZED)
    export = make(quantize=8, data=data)
    export()
    assert export.report.passed is True
    assert "simulator" in export.report.reason
    assert set(export.report.milliseconds) == {"torch"}
    assert export.report.advice == ""


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"nms": True}, r"no option 'nms'.*takes: batch, quantize"),
        ({"quantize": 4}, r"quantize"),
        ({"quantize": 16}, r"quantize=16.*Allowed: 32, 8"),
        ({"pipeline": True}, r"no option 'pipeline'"),
        ({"format": "shame"}, r"sham"),
        ({"batch": -1}, r"batch"),
        ({"epochs": 3}, r"no option 'epochs'.*as every format, conf"),
        ({"conf": 0.7}, r"threshold of a model of one class, and this one has 3"),
    ],
    ids=str,
)
def test_what_a_format_does_not_understand_is_refused(register, make, folder, options, message):
    register(honest, bits=(32, 8), options=frozenset({"batch", "quantize"}))
    with pytest.raises(ConfigError, match=message):
        make(**options)()
    assert _names(folder) == ["best one.pt"]


# Quantisation --------------------------------------------------------------------------------------------------------

QUANTIZED = {"bits": (32, 8), "options": frozenset({"quantize"})}


@pytest.fixture
def data(make_dataset: Callable[..., Path]) -> str:
    """Images whose labels are of other classes than the network's."""
    return str(make_dataset("names: [water, land, sky]"))


def test_quantisation_needs_the_users_own_images(register, make, folder):
    register(honest, **QUANTIZED)
    with pytest.raises(ConfigError, match=r"data=dataset\.yaml"):
        make(quantize=8)()
    assert _names(folder) == ["best one.pt"]


def test_a_dataset_that_is_only_remembered_may_be_gone(register, make, checkpoint):
    register(honest, **QUANTIZED)
    export = make(quantize=8, data="gone.yaml")
    export.given -= {"data"}
    with pytest.raises(ConfigError, match=r"data=dataset\.yaml"):
        export()


def test_the_fragile_layer_is_kept_and_the_rest_compared_with_more_bits(register, make, folder, data):
    register(wrong_in_8_bits, keeps=True, **QUANTIZED)
    export = make(quantize=8, data=data)
    export()
    report = json.loads((folder / "best one.sham.report.json").read_text(encoding="utf-8"))
    assert report["passed"] is True
    assert report["kept"] == [FRAGILE, "model.2"], "the fragile layer, and who reads it"
    assert report["calibration"] == f"4 images of {data} (train)"
    assert [tried["kept"] for tried in report["candidates"]] == [[], report["kept"]]
    assert report["candidates"][0]["drop"] > 1 > report["candidates"][1]["drop"]
    assert max(report["sensitivity"], key=report["sensitivity"].get) == FRAGILE
    assert set(report["milliseconds"]) == {"artefact", "torch", "fp32"}
    assert set(report["milliseconds"]["fp32"]) == set(report["milliseconds"]["artefact"])
    assert set(report["megabytes"]) == {"artefact", "fp32"}
    assert "here: " in report["advice"]
    metadata = torchscript.Backend(folder / "best one.sham").metadata
    assert metadata.bits == 8
    assert list(metadata.args["keep"]) == report["kept"]


@pytest.mark.parametrize("keeps", [False, True])
def test_a_loss_that_cannot_be_mended_fails(register, make, folder, data, keeps):
    register(wrong, keeps=keeps, **QUANTIZED)
    export = make(quantize=8, data=data)
    with pytest.raises(ExportError, match=r"best one-failed\.sham"):
        export()
    assert len(export.report.candidates) == (3 if keeps else 0)
    assert _names(folder) == ["best one-failed.sham", "best one-failed.sham.report.json", "best one.pt"]


def test_without_verification_quantisation_converts_once(register, make, folder, data):
    made = []
    register(lambda job: made.append(job) or wrong(job), keeps=True, **QUANTIZED)
    make(quantize=8, data=data, verify=False)()
    assert len(made) == 1
    assert _names(folder) == ["best one.pt", "best one.sham"]


def test_images_to_calibrate_with_come_in_whole_batches(register, make, data):
    shapes = []

    def convert(job: ExportJob) -> None:
        for images in job.calibration_images():
            shapes.append(images.shape)
            images += 1  # theirs to write to; torch warns of arrays that are not
        assert max(images.max() for images in job.calibration_images()) <= 1
        honest(job)

    register(convert, bits=(8,), options=frozenset({"batch", "quantize"}))
    make(quantize=8, batch=3, data=data)()
    assert shapes == [(3, 3, 64, 64)] * 2
