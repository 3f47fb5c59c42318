"""A toolkit that exists nowhere else, as wheels made on the spot; and jobs of a small network for the real ones."""

from __future__ import annotations

import base64
import hashlib
import os
import sys
import zipfile
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from ultralytics.deploy import FORMATS, get_format
from ultralytics.deploy.base import ExportJob
from ultralytics.deploy.format import Packages
from ultralytics.deploy.metadata import ModelMetadata
from ultralytics.deploy.options import ExportOptions
from ultralytics.deploy.sandbox.environments import find_uv
from ultralytics.errors import MissingDependency
from ultralytics.nn.checkpoint import Checkpoint, save_checkpoint
from ultralytics.nn.tasks import SemanticSegmentationModel
from ultralytics.tasks.semantic.outputs import CLASS_MAP, OUTPUTS

TOOLKIT = Path(__file__).with_name("tiny_toolkit.py")


def _write_wheel(folder: Path, name: str, version: str, tag: str, files: dict[str, bytes]) -> None:
    info = f"{name}-{version}.dist-info"
    files = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: false\nTag: {tag}\n".encode(),
    }
    record = "".join(f"{path},sha256={_hash(content)},{len(content)}\n" for path, content in files.items())
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    with zipfile.ZipFile(folder / f"{name}-{version}-{tag}.whl", "w") as wheel:
        for path, content in files.items():
            wheel.writestr(path, content)


def _hash(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def _repack(folder: Path, name: str) -> None:
    """Make a wheel of a package that is installed here."""
    found = metadata.distribution(name)
    tag = next(line for line in (found.read_text("WHEEL") or "").splitlines() if line.startswith("Tag:"))[4:].strip()
    kept = [
        file
        for file in found.files or ()
        if not {"..", "__pycache__"} & set(file.parts) and ".dist-info" not in str(file)
    ]
    _write_wheel(folder, name, found.version, tag, {file.as_posix(): file.locate().read_bytes() for file in kept})


@pytest.fixture(scope="session")
def uv() -> str:
    """The program that makes environments."""
    try:
        return find_uv()
    except MissingDependency as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def wheels(uv: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of wheels: the tiny toolkit, and shells of what every environment has."""
    folder = tmp_path_factory.mktemp("wheels")
    _write_wheel(folder, "tiny_toolkit", "1.0", "py3-none-any", {"tiny_toolkit.py": TOOLKIT.read_bytes()})
    for name in ("numpy", "pyyaml"):
        _write_wheel(folder, name, "0.0.1", "py3-none-any", {f"shell_of_{name}.py": b""})
    return folder


@pytest.fixture(scope="session")
def real_wheels(wheels: Path) -> Path:
    """The same folder, with what every environment has as it is installed here."""
    for name in ("numpy", "pyyaml"):
        _repack(wheels, name)
    return wheels


@pytest.fixture
def offline(wheels: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let uv see those wheels and nothing else."""
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_", "YOLO_TOOLCHAIN"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("UV_FIND_LINKS", str(wheels))
    monkeypatch.setenv("UV_PYTHON", sys.executable)
    monkeypatch.setenv("UV_NO_CONFIG", "1")
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path_factory.getbasetemp() / "uv-cache"))


@pytest.fixture
def shell_packages(offline: None) -> Packages:
    """Packages whose environment is made in no time and cannot do anything."""
    return Packages(
        name="Tiny toolkit",
        imports=("tiny_toolkit",),
        pins=("tiny-toolkit==1.0", "numpy==0.0.1", "PyYAML==0.0.1"),
        megabytes=7,
        extra="tiny",
    )


@pytest.fixture
def packages(real_wheels: Path, offline: None) -> Packages:
    """Packages whose environment works; it is made once a session."""
    pins = ("tiny-toolkit==1.0", f"numpy=={np.__version__}", f"pyyaml=={yaml.__version__}")
    return Packages(name="tiny", imports=("tiny_toolkit",), pins=pins, megabytes=70)


@pytest.fixture
def job(tmp_path: Path) -> ExportJob:
    """A job whose folder is written."""
    folder = tmp_path / "jöb"
    folder.mkdir()
    job = ExportJob(
        folder=folder,
        artefact=folder / "model.tiny",
        options=ExportOptions(imgsz=(32, 64)),
        metadata=ModelMetadata(task="any", names={0: "ground", 1: "disc"}, stride=32, imgsz=(32, 64)),
        weights=tmp_path / "best.pt",
        graph="tiny_toolkit:network",
    )
    job.save()
    return job


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of three classes whose logits vary over an image."""
    torch.manual_seed(0)
    network = SemanticSegmentationModel("yolo26n-sem.yaml", nc=3).train()
    with torch.no_grad():
        for _ in range(3):  # the statistics of its normalisations become those of images
            network(_smooth_images(4, seed=1))
        last = network.eval().head.classifier[-1]
        scale = 5 / network(_smooth_images(4, seed=1)).abs().max()
        last.weight.mul_(scale)
        last.bias.mul_(scale)
    path = tmp_path_factory.mktemp("weights") / "best.pt"
    save_checkpoint(path, Checkpoint.of_model(network, task="semantic"))
    return path


def _smooth_images(count: int, seed: int) -> torch.Tensor:
    coarse = torch.rand(count, 3, 8, 8, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(coarse, (64, 64), mode="bilinear")


@pytest.fixture
def images() -> np.ndarray:
    """Four inputs of 64×64."""
    return _smooth_images(4, seed=2).numpy()


@pytest.fixture
def make_job(weights: Path, tmp_path: Path, images: np.ndarray) -> Callable[..., ExportJob]:
    """Make a job of one format at 64×64 with the options, and the intermediate artefact it needs."""

    def make(name: str, **given: object) -> ExportJob:
        row, options = get_format(name, FORMATS), ExportOptions(imgsz=(64, 64), **{"output": CLASS_MAP, **given})
        folder = tmp_path / f"jöb {name}"
        folder.mkdir()
        source = None
        if row.via is not None:
            between = make(row.via, **{**given, "bits": 32})
            get_format(row.via, FORMATS).resolve("convert")(between)
            source = between.artefact
        np.save(folder / "calibration.npy", images)
        tensors = next(kind.tensors for kind in OUTPUTS if kind.name == options.output)
        described = {key: getattr(options, key) for key in ("imgsz", "batch", "bits", "dynamic", "output", "pipeline")}
        names = {0: "ground", 1: 'a "disc"', 2: "Straße"}
        return ExportJob(
            folder=folder,
            artefact=folder / f"model{row.suffix}",
            options=options,
            metadata=ModelMetadata(task="semantic", names=names, stride=32, outputs=tensors, **described),
            weights=weights,
            graph="ultralytics.tasks.semantic.export:build_graph",
            source=source,
            calibration=folder / "calibration.npy",
        )

    return make


@pytest.fixture
def answer() -> Callable[[ExportJob, np.ndarray], np.ndarray]:
    """Ask the network itself."""

    def run(job: ExportJob, images: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return job.network()(torch.from_numpy(images)).numpy()

    return run
