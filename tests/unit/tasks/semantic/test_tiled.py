"""Pictures predicted in tiles: the same map as in one pass, in bounded memory, at the place it belongs to."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ultralytics.cfg import get_cfg
from ultralytics.data.imread import read_ids
from ultralytics.data.sources import Frame
from ultralytics.engine.predict.saving import ResultSaver
from ultralytics.errors import ConfigError
from ultralytics.nn.kernels import class_map
from ultralytics.tasks.semantic import SemanticPredictor, tiled

BLENDS = ("none", "linear", "gauss")
STRIDE = 16
RATIO = 8


class Toy(nn.Module):
    """A network of integer weights on integer pixels: its sums are exact, in whatever order they are made.

    A logit depends on pixels at most 9 away from the 8x8 block below it.
    """

    def __init__(self, num_classes: int = 3, channels: int = 3) -> None:
        super().__init__()
        self.names = {index: f"class {index}" for index in range(num_classes)}
        self.num_classes, self.channels, self.stride = num_classes, channels, STRIDE
        self.device, self.palette, self.dynamic, self.calibration = torch.device("cpu"), None, True, {}
        self.imgsz, self.output, self.pipeline = None, "logits_lowres", False
        generator = torch.Generator().manual_seed(0)
        self.layers = nn.Sequential(
            nn.Conv2d(channels, 4, 3, padding=1), nn.Conv2d(4, 4, RATIO, RATIO), nn.Conv2d(4, num_classes, 3, padding=1)
        ).requires_grad_(False)
        for parameter in self.layers.parameters():
            parameter.copy_(torch.randint(-1, 2, parameter.shape, generator=generator))
        self.inputs: list[tuple[int, ...]] = []

    def forward(self, images: Tensor) -> Tensor:
        self.inputs.append(tuple(images.shape))
        return self.layers((images * 15).round())


def picture(height: int, width: int, seed: int = 0, channels: int = 3) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 256, (height // 12 + 2, width // 12 + 2, channels), dtype=np.uint8)
    return cv2.resize(coarse, (width, height)).reshape(height, width, channels)


def predict(source: Any, model: nn.Module | None = None, **options: Any) -> Any:
    config = get_cfg({"verbose": False, "batch": 3, **options})
    return SemanticPredictor(config, model or Toy(), task="toy")(source)[0]


def whole(image: np.ndarray, model: Toy) -> np.ndarray:
    """Predict without tiles: padded at the bottom and right to the stride, one pass, one reduction."""
    height, width = image.shape[:2]
    padded = np.full((math.ceil(height / STRIDE) * STRIDE, math.ceil(width / STRIDE) * STRIDE, 3), 114, np.uint8)
    padded[:height, :width] = image
    pixels = torch.from_numpy(padded[..., ::-1].copy()).permute(2, 0, 1)[None].float().div_(255)
    return class_map(model(pixels), (height, width), region=(0, 0, height / RATIO, width / RATIO)).ids[0].numpy()


@pytest.mark.parametrize("size", [(150, 231), (64, 64), (64, 300), (65, 64), (20, 31), (1, 200), (300, 7)])
@pytest.mark.parametrize("num_classes", [1, 3])
def test_tiles_that_overlap_by_more_than_the_network_sees_give_the_whole_map(
    size: tuple[int, int], num_classes: int
) -> None:
    image, model = picture(*size), Toy(num_classes)
    result = predict(image, model, tile=64, overlap=0.5, blend="none")
    assert max(shape[0] for shape in model.inputs) <= 3
    expected = whole(image, model)
    assert np.array_equal(result.semantic_mask.numpy().data, expected)
    assert result.orig_shape == size


def test_confidence_and_entropy_are_those_of_the_whole_too() -> None:
    image, model = picture(130, 90), Toy()
    tiled = predict(image, model, tile=64, overlap=0.5, blend="none", probs="top1", entropy=True).semantic_mask
    once = predict(image, model, tile=160, probs="top1", entropy=True).semantic_mask
    assert model.inputs[-1] == (1, 3, 144, 96)
    assert torch.equal(tiled.confidence, once.confidence)
    assert torch.equal(tiled.entropy, once.entropy)
    assert torch.equal(tiled.data, once.data)


def test_all_probabilities_are_joined_too() -> None:
    image, model = picture(130, 90), Toy()
    tiled = predict(image, model, tile=64, overlap=0.5, blend="none", probs="full").semantic_mask
    once = predict(image, model, tile=160, probs="full").semantic_mask
    assert tiled.probs.shape == (3, 130, 90)
    assert torch.equal(tiled.probs, once.probs)


class Constant(Toy):
    """A network that says the same everywhere."""

    def forward(self, images: Tensor) -> Tensor:
        logits = torch.tensor([0.1, 0.3, 0.7]).view(1, 3, 1, 1)
        return logits.expand(len(images), 3, images.shape[2] // RATIO, images.shape[3] // RATIO)


@pytest.mark.parametrize("blend", BLENDS)
@pytest.mark.parametrize("overlap", [0, 0.3, 0.75])
def test_a_constant_network_shows_no_seams(blend: str, overlap: float) -> None:
    options = {"tile": 48, "overlap": overlap, "blend": blend, "probs": "top1", "entropy": True}
    mask = predict(picture(200, 170), Constant(), **options).semantic_mask
    for values, expected in ((mask.data, 2), (mask.confidence, None), (mask.entropy, None)):
        assert len(torch.unique(values)) == 1
        assert expected is None or values[0, 0] == expected


@pytest.mark.parametrize("blend", BLENDS)
def test_batches_of_tiles_make_no_difference(blend: str) -> None:
    image = picture(150, 231)
    masks = [predict(image, Toy(), tile=64, blend=blend, batch=batch).semantic_mask.data for batch in (1, 4, 100)]
    assert torch.equal(masks[0], masks[1])
    assert torch.equal(masks[0], masks[2])


def test_a_network_of_one_input_size_gets_it() -> None:
    model = Toy()
    model.dynamic = False
    result = predict(picture(40, 100), model, tile=64)
    assert {shape[2:] for shape in model.inputs} == {(64, 64)}
    assert result.semantic_mask.shape == (40, 100)


def test_bands_of_16_bits_are_read_as_they_are() -> None:
    image = (picture(90, 100, channels=5).astype(np.uint16)) * 257
    narrow = predict(picture(90, 100, channels=5), Toy(channels=5), tile=64).semantic_mask
    wide = predict(image, Toy(channels=5), tile=64).semantic_mask
    assert torch.equal(narrow.data, wide.data)


def test_a_file_that_is_read_in_windows_gives_the_same_as_the_decoded_image(tmp_path: Path) -> None:
    image = picture(150, 231)
    np.save(tmp_path / "field.npy", image)
    cv2.imwrite(str(tmp_path / "field.png"), image)
    expected = predict(image, tile=64).semantic_mask
    for name in ("field.npy", "field.png"):
        result = predict(tmp_path / name, tile=64)
        assert torch.equal(result.semantic_mask.data, expected.data)
        assert np.array_equal(result.orig_img, image)


LARGE_MAP = """
import re, sys, threading
from pathlib import Path
import numpy as np, torch
from ultralytics.cfg import get_cfg
from ultralytics.tasks.semantic import SemanticPredictor

class Blocks(torch.nn.Module):
    names, num_classes, channels, stride = {0: "low", 1: "high"}, 2, 3, 32
    device, palette, dynamic, calibration = torch.device("cpu"), None, True, {}
    imgsz, output, pipeline = None, "logits_lowres", False

    def forward(self, images):
        level = torch.nn.functional.avg_pool2d(images.mean(1, keepdim=True), 8)
        return torch.cat([0.5 - level, level - 0.5], 1)

def own():
    # RssAnon leaves out the pages of the mapped file, which the system counts as resident while it has room for them.
    return int(re.search(r"RssAnon:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])

def watch():
    while not done.wait(0.005):
        peaks.append(own())

torch.set_num_threads(1)
config = get_cfg({"verbose": False, "save_mask": True, "tile": 1024, "project": sys.argv[2], "batch": 2})
predictor = SemanticPredictor(config, Blocks(), task="toy")
predictor(np.zeros((300, 300, 3), np.uint8))
before, peaks, done = own(), [], threading.Event()
watcher = threading.Thread(target=watch)
watcher.start()
result = predictor(sys.argv[1])[0]
done.set()
watcher.join()
print(max(peaks) - before, max(result.orig_img.shape), *result.orig_shape, result.mask_file)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak memory from /proc")
@pytest.mark.slow
def test_memory_does_not_grow_with_the_height_of_the_picture(tmp_path: Path) -> None:
    kilobytes = {}
    # glibc gives blocks back to the system at once: what is counted is in use, not kept for later by some thread.
    freeing = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_ARENA_MAX": "1"}
    for height in (6000, 10000):
        file = tmp_path / f"{height}.npy"
        image = np.lib.format.open_memmap(file, mode="w+", dtype=np.uint8, shape=(height, 6000, 3))
        for top in range(0, height, 500):
            image[top : top + 500] = 255 * (top // 500 % 2)
        image.flush()
        del image
        run = subprocess.run(
            [sys.executable, "-c", LARGE_MAP, str(file), str(tmp_path / str(height))],
            capture_output=True, text=True, check=False, timeout=300, env=freeing,
        )  # fmt: skip
        assert run.returncode == 0, run.stderr
        grown, longest, *shape, mask_file = run.stdout.split(maxsplit=4)
        kilobytes[height] = int(grown)
        assert int(longest) <= 2048
        assert [int(side) for side in shape] == [height, 6000]
        ids = cv2.imread(mask_file.strip(), cv2.IMREAD_UNCHANGED)
        assert ids.shape == (height, 6000)
        rows = np.arange(250, height, 500)
        assert np.array_equal(ids[rows, 3000], rows // 500 % 2)
    assert min(kilobytes.values()) > 0
    assert max(kilobytes.values()) < 400_000
    assert abs(kilobytes[10000] - kilobytes[6000]) < 40_000


def test_all_probabilities_of_a_map_too_large_to_hold_are_refused(tmp_path: Path) -> None:
    np.lib.format.open_memmap(tmp_path / "huge.npy", mode="w+", dtype=np.uint8, shape=(1, 40_000_000, 3))
    with pytest.raises(ConfigError, match="probs=top1"):
        predict(tmp_path / "huge.npy", tile=64, probs="full", save_mask=True, project=str(tmp_path / "runs"))


# Files ---------------------------------------------------------------------------------------------------------------


@pytest.fixture
def geotiff(tmp_path: Path) -> Path:
    """Write a field of 150 x 230 pixels, of which a corner was not measured."""
    rasterio = pytest.importorskip("rasterio", reason="rasterio is not installed (extra: geo)")
    pixels = np.maximum(picture(150, 230), 1)
    pixels[:20, :30] = 0
    profile = {"crs": "EPSG:32633", "transform": rasterio.Affine(0.5, 0, 400_000, 0, -0.5, 5_800_000)}
    with rasterio.open(
        tmp_path / "field.tif", "w", driver="GTiff", height=150, width=230, count=3, dtype="uint8", nodata=7, **profile
    ) as file:
        pixels[:20, :30] = 7
        file.write(pixels[..., ::-1].transpose(2, 0, 1))
    return tmp_path / "field.tif"


def test_a_geotiff_becomes_one_of_the_same_place(geotiff: Path, tmp_path: Path) -> None:
    import rasterio

    for options in ({"tile": 64}, {"imgsz": 256}):
        result = predict(geotiff, save_mask=True, project=str(tmp_path / "runs"), **options)
        assert result.mask_file.endswith("field.tif")
        with rasterio.open(result.mask_file) as saved, rasterio.open(geotiff) as source:
            assert (saved.crs, saved.transform, saved.nodata, saved.shape) == (
                source.crs, source.transform, source.nodata, source.shape,
            )  # fmt: skip
            assert np.array_equal(saved.read(1), result.semantic_mask.numpy().data)
        assert json.loads(result.to_geojson())["crs"]["properties"]["name"] == "EPSG:32633"


def test_pixels_that_were_not_measured_get_no_class(geotiff: Path) -> None:
    ids = predict(geotiff, tile=64).semantic_mask.numpy().data
    assert (ids[:20, :30] == 7).all()
    assert np.count_nonzero(ids == 7) == 600


def test_a_map_too_large_to_hold_is_written_while_it_is_made(
    geotiff: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole_map = predict(geotiff, tile=64).semantic_mask.numpy().data
    monkeypatch.setattr(tiled, "LARGE", 1000)
    monkeypatch.setattr(tiled, "PREVIEW", 60)
    options = {"tile": 64, "save": True, "save_txt": True, "project": str(tmp_path / "runs"), "probs": "top1"}
    result = predict(geotiff, save_mask=True, **options)
    assert np.array_equal(read_ids(result.mask_file), whole_map)
    assert result.orig_shape == (150, 230)
    assert result.orig_img.shape == (38, 58, 3)
    assert np.array_equal(result.semantic_mask.numpy().data, whole_map[::4, ::4])
    assert result.semantic_mask.confidence.shape == (38, 58)
    assert result.geo.transform == (2, 0, 400_000, 0, -2, 5_800_000)
    files = sorted(file.name for file in Path(result.save_dir).rglob("field.*"))
    assert files == ["field.jpg", "field.tif"]


def test_without_a_file_for_it_the_map_of_a_large_picture_is_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.save(tmp_path / "field.npy", picture(150, 230))
    whole_map = predict(tmp_path / "field.npy", tile=64).semantic_mask.data
    monkeypatch.setattr(tiled, "LARGE", 1000)
    monkeypatch.setattr(tiled, "PREVIEW", 100)
    result = predict(tmp_path / "field.npy", tile=64)
    assert torch.equal(result.semantic_mask.data, whole_map)
    assert result.orig_img.shape == result.plot().shape == (50, 77, 3)
    assert result.mask_file is None


def test_a_plain_large_picture_becomes_a_plain_tiff(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiled, "LARGE", 1000)
    monkeypatch.setattr(tiled, "PREVIEW", 100)
    image = picture(150, 230)
    result = predict(image, tile=64, save_mask=True, project=str(tmp_path / "runs"))
    assert Path(result.mask_file).name == "image0.tif"
    assert np.array_equal(read_ids(result.mask_file), predict(image, tile=64).semantic_mask.numpy().data)


def test_small_pictures_keep_their_png(tmp_path: Path) -> None:
    result = predict(picture(90, 70), tile=64, save_mask=True, project=str(tmp_path / "runs"))
    assert np.array_equal(read_ids(result.mask_file), result.semantic_mask.numpy().data)
    assert Path(result.mask_file).suffix == ".png"
    assert set(result.speed) == {"read", "preprocess", "inference", "postprocess", "write"}
    assert min(result.speed.values()) >= 0


def test_tiles_of_a_folder(tmp_path: Path) -> None:
    images = {name: picture(40 + 30 * number, 100, number) for number, name in enumerate(("a.npy", "b.png", "c.npy"))}
    for name, image in images.items():
        np.save(tmp_path / name, image) if name.endswith("npy") else cv2.imwrite(str(tmp_path / name), image)
    config = get_cfg({"verbose": False, "tile": 64})
    results = SemanticPredictor(config, Toy(), task="toy")(tmp_path)
    assert [Path(result.path).name for result in results] == list(images)
    for result, image in zip(results, images.values(), strict=True):
        assert torch.equal(result.semantic_mask.data, predict(image, tile=64).semantic_mask.data)


def test_tiles_and_copies_go_together() -> None:
    image = picture(100, 130)
    assert torch.equal(
        predict(image, tile=160, tta="flip").semantic_mask.data,
        predict(image, tile=64, overlap=0.5, blend="none", tta="flip").semantic_mask.data,
    )


def test_maps_of_large_video_frames_have_names_of_their_own(tmp_path: Path) -> None:
    config = get_cfg({"save_mask": True})
    saver = ResultSaver(config, tmp_path)
    names = [saver.map_file(Frame(path="ride.mp4", frame=number)) for number in (1, 2)]
    assert names == [tmp_path / "masks" / "ride_1.tif", tmp_path / "masks" / "ride_2.tif"]
    assert ResultSaver(config, None).map_file(Frame(path="ride.mp4")) is None
    assert ResultSaver(get_cfg({}), tmp_path).map_file(Frame(path="ride.mp4")) is None
