"""TensorRT on a real GPU: engines of each precision answer as torch does."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from ultralytics.deploy.base import ExportJob
from ultralytics.deploy.formats.tensorrt import Backend, convert, embed
from ultralytics.deploy.metadata import ModelMetadata
from ultralytics.deploy.options import ExportOptions
from ultralytics.errors import ModelError
from ultralytics.tasks.semantic.outputs import CLASS_MAP, OUTPUTS

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]
pytest.importorskip("tensorrt")
pytest.importorskip("onnx")

SIZE = (64, 96)


class _Network(nn.Module):
    """Two convolutions at half the size, logits at the whole, and ids if they are wanted."""

    def __init__(self, output: str, *, half: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        layers = nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1), nn.SiLU(), nn.Conv2d(16, 5, 3, 1, 1)).eval()
        self.layers = layers.half() if half else layers
        self.output, self.half_precision = output, half

    def forward(self, images: Tensor) -> Tensor:
        logits = self.layers(images.half()).float() if self.half_precision else self.layers(images)
        logits = functional.interpolate(logits, scale_factor=2, mode="bilinear", align_corners=False)
        return logits.argmax(1).to(torch.uint8) if self.output == CLASS_MAP else logits


def _images(count: int = 1, size: tuple[int, int] = SIZE) -> np.ndarray:
    return np.random.default_rng(1).random((count, 3, *size), dtype=np.float32)


def _job(folder: Path, **chosen) -> ExportJob:
    options = ExportOptions(imgsz=SIZE, **{"output": CLASS_MAP, **chosen})
    kind = next(kind for kind in OUTPUTS if kind.name == options.output)
    names = {index: f"class {index}" for index in range(5)}
    metadata = ModelMetadata(
        task="any",
        names=names,
        stride=32,
        imgsz=SIZE,
        batch=options.batch,
        output=kind.name,
        outputs=kind.tensors,
        bits=options.bits,
    )
    source, calibration = folder / "source.onnx", folder / "images.npy"
    np.save(calibration, _images(16))
    axes = {"images": {0: "b", 2: "h", 3: "w"}, "output": kind.tensors[0].open_axes}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            _Network(options.output, half=options.bits == 16),
            (torch.from_numpy(_images(options.batch)),),
            str(source),
            opset_version=17,
            dynamo=False,
            input_names=["images"],
            output_names=["output"],
            dynamic_axes=axes if options.dynamic else None,
        )
    return ExportJob(
        folder=folder,
        artefact=folder / "a.engine",
        options=options,
        metadata=metadata,
        weights=folder / "a.pt",
        graph="none:none",
        source=source,
        calibration=calibration,
    )


def _open(job: ExportJob) -> Backend:
    metadata = convert(job)
    embed(job.artefact, replace(metadata, parity={"equal_pixels": 1.0}))
    backend = Backend(job.artefact, device="cuda:0")
    assert backend.metadata.parity == {"equal_pixels": 1.0}
    assert {"tensorrt", "gpu"} <= set(backend.metadata.tools)
    return backend


def _expected(images: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        return _Network("logits", half=False)(torch.from_numpy(images)).numpy()


@pytest.mark.parametrize(("bits", "tolerance"), [(32, 5e-3), (16, 2e-2), (8, 0.2)])
def test_logits_are_those_of_torch(bits, tolerance, tmp_path):
    if bits == 8:
        pytest.importorskip("onnxruntime")
    backend = _open(_job(tmp_path, bits=bits, output="logits", batch=2))
    images = _images(2)
    (logits,) = backend.infer(images)
    assert logits.dtype == np.float32
    np.testing.assert_allclose(logits, _expected(images), atol=tolerance)
    backend.close()


def test_class_maps_are_small_integers(tmp_path):
    backend = _open(_job(tmp_path, output="classmap"))
    images = _images()
    (ids,) = backend.infer(images)
    assert (ids.dtype, ids.shape) == (np.uint8, (1, *SIZE))
    assert (ids == _expected(images).argmax(1)).mean() > 0.99
    backend.close()


def test_dynamic_engines_take_several_sizes(tmp_path):
    backend = _open(_job(tmp_path, output="logits", dynamic=True, batch=2))
    for images in (_images(2), _images(1, (128, 64)), _images(2)):
        (logits,) = backend.infer(images)
        np.testing.assert_allclose(logits, _expected(images), atol=5e-3)
    with pytest.raises(ModelError, match=r"from \(1, 3, 32, 32\) to \(2, 3, 128, 192\)"):
        backend.infer(_images(1, (256, 64)))
    backend.close()


def test_engines_of_one_size_refuse_others(tmp_path):
    backend = _open(_job(tmp_path, output="logits", workspace=1.0))
    with pytest.raises(ModelError, match=r"takes images of shape \(1, 3, 64, 96\)"):
        backend.infer(_images(1, (32, 32)))
    backend.close()
