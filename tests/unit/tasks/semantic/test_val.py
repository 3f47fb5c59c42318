"""The validator: figures that only the model and the data decide."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ultralytics.cfg import get_cfg
from ultralytics.data.build import build_dataloader
from ultralytics.data.description.spec import DatasetSpec
from ultralytics.errors import DatasetError
from ultralytics.tasks.semantic.metrics import SemanticMetrics
from ultralytics.tasks.semantic.val import SemanticValidator

COLORS = np.array([[30, 60, 90], [200, 40, 40], [40, 180, 220]], np.uint8)


class NearestColor(nn.Module):
    """A network whose logits say which class's colour a cell of the image is nearest to."""

    def __init__(self, stride: int, classes: int = 3, offset: float = 0.0) -> None:
        super().__init__()
        self.stride, self.classes, self.offset = stride, classes, offset
        self.register_buffer("colors", torch.from_numpy(COLORS[:, ::-1].copy()).float() / 255)

    def forward(self, image: Tensor) -> Tensor:
        cells = nn.functional.avg_pool2d(image, self.stride)
        distance = (cells[:, None] - self.colors[None, :, :, None, None]).square().sum(2)
        distance[:, 0] += self.offset
        return -distance if self.classes > 1 else distance[:, :1] - distance[:, 1:2]


def paint(root: Path, number: int, shape: tuple[int, int], values: list[int], classes: int) -> None:
    """Write an image of a disc and a bar in their colours, and its mask with these values."""
    ids = np.zeros(shape, np.uint8)
    cv2.circle(ids, (10 + 5 * number, 14), 7, 1, -1)
    if classes > 2:
        ids[:, 40 + number : 45 + number] = 2
    mask = np.array(values, np.uint8)[ids]
    mask[-4:, -6:] = 255
    for kind, array in (("images", COLORS[ids]), ("masks", mask)):
        file = root / kind / "val" / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(cv2.imencode(".png", array)[1].tobytes())


@pytest.fixture
def make_split(tmp_path: Path) -> Callable[..., Path]:
    """Make a split of four images and return its YAML."""

    def make(
        yaml: str = "names: [ground, disc, bar]",
        *,
        shape: tuple[int, int] = (64, 96),
        values: list[int] | None = None,
        classes: int = 3,
    ) -> Path:
        for number in range(4):
            paint(tmp_path / "data", number, shape, values or [0, 1, 2], classes)
        file = tmp_path / "data" / "data.yaml"
        file.write_text(f"train: images/val\nval: images/val\n{yaml}\n", encoding="utf-8")
        return file

    return make


def validate(data: Path, folder: Path, model: nn.Module | None = None, **options: Any) -> SemanticMetrics:
    config = get_cfg(
        overrides={"mode": "val", "data": str(data), "imgsz": 96, "batch": 2, "plots": False, "rect": False, **options}
    )
    dataset = SemanticValidator.build_dataset(config, DatasetSpec.load(config.data))
    with build_dataloader(dataset, int(config.batch), workers=0, shuffle=False, seed=0) as loader:
        validator = SemanticValidator(config, loader, torch.device("cpu"), save_dir=folder)
        return validator(model or NearestColor(8), plots=config.plots, final=True)


def test_nothing_but_model_and_data_decides_the_figures(make_split: Callable[..., Path], tmp_path: Path) -> None:
    data = make_split()
    options = {"boundary": True, "cldice": True}
    plain = validate(data, tmp_path / "plain", **options)
    assert 0.3 < plain.miou < 1
    for extra in ({"batch": 1}, {"batch": 3}, {"plots": True}, {"save_json": True}, {"report": True}):
        other = validate(data, tmp_path / "other", **options, **extra)
        assert torch.equal(other.matrix, plain.matrix), extra
        assert other.figures == plain.figures
        assert other.image_iou == plain.image_iou
        assert other.table(verbose=True) == plain.table(verbose=True)
    assert not (tmp_path / "plain").exists()
    assert (tmp_path / "other" / "report.html").is_file()
    assert (tmp_path / "other" / "val_batch0_pred.jpg").is_file()
    assert (tmp_path / "other" / "confusion_matrix.png").is_file()


@pytest.mark.parametrize("resolution", ["input", "source"])
def test_a_perfect_network_scores_exactly_one(make_split: Callable[..., Path], tmp_path: Path, resolution: str) -> None:
    data = make_split("names: [ground, disc, bar]\nlabel_mapping: {7: 0, 24: 1, 33: 2}", values=[7, 24, 33])
    metrics = validate(data, tmp_path / "run", NearestColor(1), resolution=resolution, save_json=True, boundary=True)
    assert metrics.miou == metrics.pixel_accuracy == metrics.figures["mean boundary IoU"] == 1
    assert metrics.confusion.counts.sum() == 4 * (64 * 96 - 24)
    written = sorted((tmp_path / "run" / "results").rglob("*.png"))
    assert [file.name for file in written] == ["0.png", "1.png", "2.png", "3.png"]
    ids = cv2.imdecode(np.frombuffer(written[0].read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
    assert ids.shape == (64, 96)
    assert set(np.unique(ids)) == {7, 24, 33}


def test_at_the_source_every_pixel_of_the_file_counts(make_split: Callable[..., Path], tmp_path: Path) -> None:
    data = make_split(shape=(50, 75))
    at_source = validate(data, tmp_path / "run", resolution="source", report=True)
    assert at_source.confusion.counts.sum() == 4 * (50 * 75 - 24)
    assert "each image's own size" in at_source.policy
    assert (tmp_path / "run" / "report.html").is_file()
    at_input = validate(data, tmp_path / "run")
    assert at_input.confusion.counts.sum() > at_source.confusion.counts.sum()


@pytest.mark.parametrize("shape", [(50, 75), (96, 64), (20, 80)])
def test_in_tiles_images_keep_their_size_and_every_pixel_of_the_file_counts(
    make_split: Callable[..., Path], tmp_path: Path, shape: tuple[int, int]
) -> None:
    data = make_split(shape=shape)
    perfect = validate(data, tmp_path / "run", NearestColor(1), tile=32, boundary=True)
    assert perfect.miou == perfect.figures["mean boundary IoU"] == 1
    assert perfect.confusion.counts.sum() == 4 * (shape[0] * shape[1] - 24)
    assert "each image's own size" in perfect.policy
    coarse = [
        validate(data, tmp_path / "run", NearestColor(8), tile=tile, overlap=0.5, blend="none", **extra)
        for tile, extra in ((128, {}), (32, {}), (32, {"batch": 1, "resolution": "source", "save_json": True}))
    ]
    assert 0.3 < coarse[0].miou < 1
    assert all(torch.equal(one.matrix, coarse[0].matrix) for one in coarse)


class Sharp(NearestColor):
    """The same answer, with other confidence."""

    def __init__(self, stride: int, classes: int = 3, factor: float = 1.0) -> None:
        super().__init__(stride, classes)
        self.factor, self.calibration = factor, {}

    def forward(self, image: Tensor) -> Tensor:
        return super().forward(image) * self.factor


@pytest.mark.parametrize("options", [{}, {"resolution": "source"}, {"tile": 32}, {"tta": "flip"}])
def test_the_calibration_error_says_how_confidence_and_truth_differ(
    make_split: Callable[..., Path], tmp_path: Path, options: dict[str, Any]
) -> None:
    data = make_split(shape=(50, 75))
    timid, sure = (validate(data, tmp_path / "run", Sharp(1, factor=factor), **options) for factor in (1e-6, 1e4))
    # Every pixel is right but the few that a resize mixed: with a confidence of a third, and of one.
    assert timid.figures["expected calibration error"] == pytest.approx(timid.pixel_accuracy - 1 / 3, abs=0.02)
    assert sure.figures["expected calibration error"] == pytest.approx(1 - sure.pixel_accuracy, abs=0.02)
    labelled = 1 - 24 / (50 * 75)
    assert int(sure.calibration.counts[0].sum()) == pytest.approx(4 * 4096 * labelled, rel=0.02)


def test_the_calibration_error_is_that_of_probabilities_at_the_temperature(
    make_split: Callable[..., Path], tmp_path: Path
) -> None:
    data, folder = make_split(), tmp_path / "run"
    plain, sharp = (validate(data, folder, Sharp(8, factor=factor)).calibration for factor in (1.0, 4.0))
    network = Sharp(8, factor=4.0)
    network.calibration = {"temperature": 4.0}
    assert not torch.equal(plain.counts, sharp.counts)
    assert torch.equal(validate(data, folder, network).calibration.counts, plain.counts)


def test_an_image_is_sampled_alike_in_any_company(make_split: Callable[..., Path], tmp_path: Path) -> None:
    data, folder = make_split(), tmp_path / "run"
    four, one = (validate(data, folder, batch=batch, seed=batch).calibration.counts for batch in (4, 1))
    assert torch.equal(one, four)
    for number in (0, 2):
        (data.parent / "images" / "val" / f"{number}.png").unlink()
    two = validate(data, folder).calibration.counts
    assert (two <= four).all()
    assert 0.45 < two[0].sum() / four[0].sum() < 0.55


def test_a_model_that_answers_class_maps_has_no_calibration_error(
    make_split: Callable[..., Path], tmp_path: Path
) -> None:
    class Map(NearestColor):
        output = "classmap"

        def forward(self, image: Tensor) -> Tensor:
            return super().forward(image).argmax(1).to(torch.uint8)

    metrics = validate(make_split(), tmp_path / "run", Map(1), report=True)
    assert metrics.miou == 1
    assert "expected calibration error" not in metrics.figures
    assert np.isnan(metrics.calibration_error)
    assert "expected calibration error – (no probabilities)" in metrics.table(verbose=True)


def test_a_validation_within_a_training_leaves_the_calibration_error_out(
    make_split: Callable[..., Path], tmp_path: Path
) -> None:
    config = get_cfg(overrides={"mode": "val", "data": str(make_split()), "imgsz": 96, "batch": 2, "rect": False})
    dataset = SemanticValidator.build_dataset(config, DatasetSpec.load(config.data))
    with build_dataloader(dataset, 2, workers=0, shuffle=False, seed=0) as loader:
        validator = SemanticValidator(config, loader, torch.device("cpu"), save_dir=tmp_path)
        assert validator(NearestColor(8), final=False).calibration is None


class Largest(TorchDispatchMode):
    """Notes the bytes of the largest tensor that an operation of this thread makes."""

    nbytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        made = [leaf.untyped_storage().nbytes() for leaf in tree_leaves(result) if isinstance(leaf, Tensor)]
        self.nbytes = max([self.nbytes, *made])
        return result


@pytest.fixture
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.usefixtures("_one_thread")
def test_logits_are_never_as_large_as_the_image(make_split: Callable[..., Path], tmp_path: Path) -> None:
    class Unsure(nn.Module):
        def forward(self, image: Tensor) -> Tensor:
            shape = (len(image), 150, *(side // 8 for side in image.shape[2:]))
            return torch.randn(shape, generator=torch.Generator().manual_seed(0))

    data = make_split(f"names: {[f'class{i}' for i in range(150)]}", shape=(600, 800))
    for number in (1, 2, 3):
        (data.parent / "images" / "val" / f"{number}.png").unlink()
    with Largest() as largest:
        metrics = validate(data, tmp_path / "run", Unsure(), resolution="source")
    assert metrics.confusion.counts.sum() == 600 * 800 - 24
    assert 600 * 800 <= largest.nbytes < 32 * 2**20  # 150 logits of each pixel would take 275 MiB


def test_padding_has_no_part_in_boundaries(make_split: Callable[..., Path], tmp_path: Path) -> None:
    data = make_split(shape=(48, 96))
    square, fitting = (validate(data, tmp_path / "run", NearestColor(1), rect=rect, boundary=True, cldice=True)
                       for rect in (False, True))  # fmt: skip
    assert square.figures == fitting.figures
    assert np.array_equal(square.boundary.iou_counts, fitting.boundary.iou_counts)
    assert np.array_equal(square.boundary.f1_counts, fitting.boundary.f1_counts)


def test_a_network_of_one_class(make_split: Callable[..., Path], tmp_path: Path) -> None:
    data = make_split("names: [disc]", classes=2)
    metrics = validate(data, tmp_path / "run", NearestColor(1, classes=1), boundary=True, save_json=True)
    assert metrics.miou == 1
    assert metrics.confusion.counts.shape == (2, 3)
    metrics = validate(data, tmp_path / "run", NearestColor(1, classes=1, offset=-9.0))
    assert metrics.miou == 0
    sure = validate(data, tmp_path / "run", Sharp(1, classes=1, factor=1e4))
    assert sure.figures["expected calibration error"] == pytest.approx(0, abs=1e-3)
    timid = validate(data, tmp_path / "run", Sharp(1, classes=1, factor=1e-6))
    assert timid.figures["expected calibration error"] == pytest.approx(1 / 2, abs=1e-3)


def test_absent_classes_are_listed_and_labels_all_ignored_are_said(
    make_split: Callable[..., Path], tmp_path: Path
) -> None:
    metrics = validate(make_split("names: [ground, disc, bar]", classes=2), tmp_path / "run", NearestColor(1))
    assert metrics.absent == ["bar"]
    assert metrics.miou == 1
    ignored = validate(make_split(values=[255, 255, 255]), tmp_path / "run", plots=True, boundary=True)
    assert "no valid pixels" in ignored.table(verbose=True)
    assert np.isnan(ignored.miou)


def test_forgotten_masks_are_named_before_the_classes_that_they_add(make_split):
    file = make_split()
    (file.parent / "masks").rename(file.parent / "annotations")
    config = get_cfg({"data": str(file)}, mode="val")
    names = {0: "ground", 1: "disc", 2: "bar"}
    with pytest.raises(DatasetError, match="masks_dir: annotations"):
        SemanticValidator.build_dataset(config, DatasetSpec.load(file), names)
