"""The map of an image is the same alone, beside images of other sizes, and in validation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from ultralytics import YOLO

SHAPES = ((40, 100), (100, 40), (40, 100), (64, 64), (37, 91), (80, 200))


@pytest.fixture
def data(make_dataset: Callable[..., Path], write_image: Callable[[Path, np.ndarray], Path]) -> Path:
    file = make_dataset(shapes=SHAPES, counts=(1, len(SHAPES)))
    rng = np.random.default_rng(1)
    for number, (height, width) in enumerate(SHAPES):
        coarse = rng.integers(0, 256, (height // 8, width // 8, 3), dtype=np.uint8)
        write_image(file.parent / f"images/val/{number}.png", cv2.resize(coarse, (width, height)))
    return file


def maps(model: YOLO, source: object, **options: object) -> list[np.ndarray]:
    results = model.predict(source, imgsz=96, verbose=False, stream=False, **options)
    return [np.asarray(result.semantic_mask.data) for result in results]


def differing(found: list[np.ndarray], expected: list[np.ndarray]) -> float:
    """Largest share of pixels that differ; sums in another order may tip a pixel that is on the edge."""
    return max(float((one != other).mean()) for one, other in zip(found, expected, strict=True))


def files(data: Path) -> list[Path]:
    return sorted((data.parent / "images" / "val").iterdir())


@pytest.mark.parametrize("options", [{}, {"rect": False}, {"augment": True}, {"tile": 64}, {"two_step": True}])
def test_a_batch_of_mixed_sizes_gives_the_maps_of_single_images(model: YOLO, data: Path, options: dict) -> None:
    alone = [maps(model, file, **options)[0] for file in files(data)]
    assert len(np.unique(np.concatenate([ids.ravel() for ids in alone]))) == 3
    for batch in (2, 6):
        assert differing(maps(model, files(data), batch=batch, **options), alone) < 1e-3


@pytest.mark.parametrize("options", [{}, {"rect": False}, {"tile": 64}, {"augment": True}, {"imgsz": [64, 96]}])
def test_validation_gives_the_maps_of_prediction(model: YOLO, data: Path, tmp_path: Path, options: dict) -> None:
    how = {"imgsz": 96, **options}
    predicted = [np.asarray(model.predict(file, verbose=False, **how)[0].semantic_mask.data) for file in files(data)]
    for batch in (1, 4):
        save = tmp_path / str(batch)
        model.val(
            data=str(data), batch=batch, save_json=True, resolution="source", plots=False, workers=0, verbose=False,
            project=str(save), name="run", **how,
        )  # fmt: skip
        written = [cv2.imread(str(file), cv2.IMREAD_UNCHANGED) for file in sorted(save.rglob("results/**/*.png"))]
        assert differing(written, predicted) < 1e-3


@pytest.mark.parametrize("format_", ["torchscript", "onnx"])
@pytest.mark.parametrize(("dynamic", "output"), [(True, "classmap"), (True, "logits_lowres"), (False, "logits_lowres")])
def test_an_artefact_gives_the_maps_of_single_images(
    model: YOLO, data: Path, tmp_path: Path, format_: str, dynamic: bool, output: str
) -> None:
    if format_ == "onnx":
        pytest.importorskip("onnx")
        pytest.importorskip("onnxruntime")
    own = YOLO(model.save(tmp_path / "small.pt") or tmp_path / "small.pt")
    artefact = YOLO(own.export(format=format_, imgsz=96, dynamic=dynamic, batch=2, verify=False, output=output))
    alone = [maps(artefact, file)[0] for file in files(data)]
    assert differing(maps(artefact, files(data), batch=4), alone) < 1e-3
    expected = [maps(model, file, rect=dynamic)[0] for file in files(data)]
    assert output == "classmap" or differing(alone, expected) < 1e-3  # ids cannot be interpolated
