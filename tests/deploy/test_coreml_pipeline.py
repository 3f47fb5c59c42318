"""A whole prediction as a Core ML package: its program, run operation by operation, as nothing but macOS runs it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest

from ultralytics import YOLO
from ultralytics.deploy import FORMATS, get_format
from ultralytics.deploy.sandbox.toolchain import ensure
from ultralytics.utils.ops.letterbox import LetterboxGeometry, letterbox

pytestmark = [pytest.mark.formats, pytest.mark.filterwarnings("ignore")]

IMGSZ = (64, 96)
SIZES = [(64, 96), (33, 41), (77, 151), (1, 1), (300, 7), (719, 1281)]


@pytest.mark.parametrize(("bits", "agreement"), [(32, 1.0), (16, 0.99), (8, 0.9)])
def test_pictures_of_any_size_give_the_map_of_a_prediction(
    bits: int, agreement: float, best: Path, dataset: Path, tmp_path: Path
) -> None:
    model = YOLO(best)
    made = Path(
        model.export(format="coreml", imgsz=IMGSZ, pipeline=True, quantize=bits, data=str(dataset), toolchain="auto")
    )
    picture = cv2.imread(str(dataset.parent / "images" / "val" / "0.png"))
    pictures = {f"{height}x{width}": cv2.resize(picture, (width, height)) for height, width in SIZES}
    if bits == 32:  # where divisions in floats would make one of its values wrong
        pictures["noise"] = np.random.default_rng(2).integers(0, 256, (168, 256, 3), dtype=np.uint8)[..., ::-1]
    given, answers = tmp_path / "pictures.npz", tmp_path / "answers.npz"
    np.savez(given, **{name: image[..., ::-1] for name, image in pictures.items()})
    python = ensure(get_format("coreml", FORMATS).convert, "auto")
    evaluator = Path(__file__).with_name("mil.py")
    subprocess.run([python, "-B", evaluator, made, given, answers], check=True, capture_output=True, timeout=500)
    found = np.load(answers)
    assert found["largest"].min() >= 8192
    for name, image in pictures.items():
        seen = letterbox(image, LetterboxGeometry.fit(image.shape[:2], IMGSZ))[..., ::-1].transpose(2, 0, 1)
        assert np.array_equal(np.rint(255 * found[f"{name}_input"][0].astype(np.float64)), seen)
        wanted = model.predict(image, imgsz=IMGSZ, rect=False, verbose=False)[0].semantic_mask.data.numpy()
        assert found[name].shape == (1, *wanted.shape)
        assert found[name].dtype == np.int32
        assert (found[name][0] == wanted).mean() >= agreement
    compile(made.with_name(f"{made.name}.py").read_text(encoding="utf-8"), "script", "exec")
