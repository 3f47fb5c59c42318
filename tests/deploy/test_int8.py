"""Eight bits that lose too much, for once in earnest: real toolkits, a network that per-tensor integers do not hold."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import pytest
import torch

from ultralytics import YOLO
from ultralytics.deploy import FORMATS, get_format

pytestmark = pytest.mark.filterwarnings("ignore")  # toolkits announce their own future

SIZE = [64, 96]
SPREAD, FLAT = "model.3", 1e4
READERS = {"model.4", "model.7", "model.8"}
"""The next layer; and, through the concatenation, the one of the head."""


@pytest.fixture
def spread(best: Path, tmp_path: Path) -> YOLO:
    """A network one of whose layers has a channel that is 10,000 everywhere and that nobody reads.

    Its answers do not depend on that; but 256 steps between 0 and 10,000 leave nothing of the layer's other channels.
    """
    model = YOLO(best)
    layers = model.model.model
    after, joined = layers[4].conv.weight, layers[8].cv1.conv.weight[:, -layers[3].conv.out_channels :]
    with torch.no_grad():
        unread = int((after.abs().sum((0, 2, 3)) + joined.abs().sum((0, 2, 3))).argmin())
        after[:, unread], joined[:, unread] = 0, 0
        layers[3].bn.weight[unread], layers[3].bn.bias[unread] = 0, FLAT
    model.save(tmp_path / "spread.pt")
    return YOLO(tmp_path / "spread.pt")


@pytest.mark.parametrize(
    "format",
    ["onnx", pytest.param("openvino", marks=pytest.mark.slow), pytest.param("executorch", marks=pytest.mark.slow)],
)
def test_what_eight_bits_do_not_hold_is_kept_out_of_them(format: str, spread: YOLO, dataset: Path) -> None:
    row = get_format(format, FORMATS)
    if not (row.convert.here and row.run is not None and row.run.here):
        pytest.skip(f'{row.title} is not installed: pip install -e ".[formats]"')
    expected = spread.val(data=str(dataset), imgsz=96, rect=False, plots=False, verbose=False).miou
    assert expected > 0.7, "the network is none that could lose anything"

    path = Path(spread.export(format=format, imgsz=SIZE, data=str(dataset), quantize=8, toolchain="never"))

    report = json.loads(path.with_name(f"{path.name}.report.json").read_text(encoding="utf-8"))
    first, *others = report["candidates"]
    assert first["kept"] == []
    assert first["drop"] > 1
    assert report["passed"] is True
    assert report["kept"] == others[-1]["kept"]
    assert {SPREAD, *READERS} <= set(report["kept"])
    assert others[-1]["drop"] == pytest.approx(100 * report["figures"]["miou_drop"])
    assert others[-1]["drop"] <= 1
    assert max(report["sensitivity"], key=report["sensitivity"].get) == SPREAD
    assert {"artefact", "torch", "fp32"} <= set(report["milliseconds"])
    artefact = YOLO(path)
    assert artefact.val(data=str(dataset), plots=False, verbose=False).miou == pytest.approx(expected, abs=0.02)
    picture = cv2.imread(str(dataset.parent / "images" / "val" / "0.png"))
    ids, wanted = (one.predict(picture, imgsz=SIZE, verbose=False)[0].semantic_mask.data for one in (artefact, spread))
    assert (ids == wanted).float().mean() > 0.97
