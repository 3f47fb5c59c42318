"""What was not measured gets no class and changes no other: in maps, polygons, figures and the loss."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from ultralytics import YOLO
from ultralytics.cfg import get_cfg
from ultralytics.data.description.spec import DatasetSpec
from ultralytics.tasks.semantic.dataset import SemanticDataset
from ultralytics.tasks.semantic.val import SemanticValidator

SHAPE = (90, 150)
HOLE = np.zeros(SHAPE, bool)
HOLE[:, :31] = HOLE[70:] = True
PICTURE = cv2.resize(np.random.default_rng(2).integers(1, 254, (9, 15, 3), dtype=np.uint8), SHAPE[::-1])


def geotiff(path: Path, fill: float, dtype: str = "uint8", *, nodata: float | None = None, alpha: bool = False) -> Path:
    rasterio = pytest.importorskip("rasterio", reason="rasterio is not installed (extra: geo)")
    bands = PICTURE[..., ::-1].transpose(2, 0, 1).astype(dtype)
    bands[:, HOLE] = fill
    facts = {"driver": "GTiff", "height": SHAPE[0], "width": SHAPE[1], "dtype": dtype, "crs": "EPSG:32633"}
    place = rasterio.Affine(0.5, 0, 400_000, 0, -0.5, 5_800_000)
    with rasterio.open(path, "w", count=4 if alpha else 3, nodata=nodata, transform=place, **facts) as dataset:
        if alpha:
            names = ("red", "green", "blue", "alpha")
            dataset.colorinterp = [getattr(rasterio.enums.ColorInterp, name) for name in names]
            dataset.write(np.where(HOLE, 0, 255).astype(dtype), 4)
        dataset.write(bands, [1, 2, 3])
    return path


def sources(folder: Path) -> list[Path | np.ndarray]:
    """The same picture with the same hole, marked and filled in many ways."""
    made: list[Path | np.ndarray] = [
        geotiff(folder / "zero.tif", 0, nodata=0),
        geotiff(folder / "white.tif", 255, nodata=255),
        geotiff(folder / "short.tif", -9999, "int16", nodata=-9999),
        geotiff(folder / "float.tif", -9999, "float32", nodata=-9999),
        geotiff(folder / "nan.tif", np.nan, "float32", nodata=np.nan),
        geotiff(folder / "alpha.tif", 0, alpha=True),
        geotiff(folder / "over-white.tif", 255, alpha=True),
    ]
    for fill in (0, 90):
        bgra = np.dstack([PICTURE, np.where(HOLE, 0, 255)]).astype(np.uint8)
        bgra[HOLE, :3] = fill
        (folder / f"{fill}.png").write_bytes(cv2.imencode(".png", bgra)[1].tobytes())
        made += [folder / f"{fill}.png", bgra]
    return made


@pytest.mark.parametrize("options", [{}, {"tile": 64}, {"rect": False}, {"augment": True}, {"two_step": True}])
def test_the_map_does_not_depend_on_what_fills_the_hole(model: YOLO, tmp_path: Path, options: dict) -> None:
    maps = []
    for source in sources(tmp_path):
        (result,) = model.predict(source, imgsz=96, verbose=False, **options)
        maps.append(result.semantic_mask.data.numpy())
        assert (maps[-1][HOLE] == 255).all()
        assert sum(result.semantic_mask.area().values()) <= (~HOLE).sum()
    assert len(np.unique(maps[0][~HOLE])) == 3
    assert all(np.array_equal(found, maps[0]) for found in maps)


def test_a_batch_that_is_partly_measured_gives_the_maps_of_single_images(model: YOLO, tmp_path: Path) -> None:
    whole = PICTURE[::-1].copy()
    hollow = sources(tmp_path)[-1]
    alone = [model.predict(image, imgsz=96, verbose=False)[0].semantic_mask.data for image in (whole, hollow)]
    both = model.predict([whole, hollow], imgsz=96, batch=2, verbose=False)
    assert all(
        (result.semantic_mask.data != ids).float().mean() < 1e-3 for result, ids in zip(both, alone, strict=True)
    )
    assert not (both[0].semantic_mask.data == 255).any()


@pytest.mark.parametrize("tile", [None, 64])
def test_written_maps_and_regions_leave_the_hole_out(model: YOLO, tmp_path: Path, tile: int | None) -> None:
    rasterio = pytest.importorskip("rasterio", reason="rasterio is not installed (extra: geo)")
    files = [source for source in sources(tmp_path) if isinstance(source, Path) and source.suffix == ".tif"]
    model.predict(
        [str(file) for file in files], imgsz=96, tile=tile, save_mask=True, save_geojson=True, save_txt=True,
        project=str(tmp_path / "runs"), name="run", verbose=False,
    )  # fmt: skip
    regions = set()
    for file in files:
        with rasterio.open(next((tmp_path / "runs").rglob(f"masks/{file.stem}.tif"))) as written:
            assert written.nodata == 255
            assert np.array_equal(written.dataset_mask() == 0, HOLE)
        text = next((tmp_path / "runs").rglob(f"{file.stem}.geojson")).read_text()
        regions.add(text)
        assert all(feature["properties"]["class"] in {0, 1, 2} for feature in json.loads(text)["features"])
    assert len(regions) == 1


def make_dataset(folder: Path, fill: int, hidden: int) -> Path:
    """Two images that are partly transparent; `hidden` is the class of the label below the hole."""
    rng = np.random.default_rng(4)
    for split in ("train", "val"):
        for number in range(2):
            bgra = np.dstack([PICTURE[:: 1 - 2 * number], np.where(HOLE, 0, 255)]).astype(np.uint8)
            bgra[HOLE, :3] = fill
            ids = cv2.resize(rng.integers(0, 3, (9, 15), dtype=np.uint8), SHAPE[::-1], interpolation=cv2.INTER_NEAREST)
            ids[HOLE] = hidden
            for kind, array in (("images", bgra), ("masks", ids)):
                (folder / kind / split).mkdir(parents=True, exist_ok=True)
                (folder / kind / split / f"{number}.png").write_bytes(cv2.imencode(".png", array)[1].tobytes())
    (folder / "data.yaml").write_text("train: images/train\nval: images/val\nnames: [a, b, c]\n")
    return folder / "data.yaml"


@pytest.mark.parametrize("resolution", ["input", "source"])
def test_figures_do_not_count_the_hole(model: YOLO, tmp_path: Path, resolution: str) -> None:
    figures = [
        model.val(
            data=str(make_dataset(tmp_path / str(fill), fill, hidden)), imgsz=96, resolution=resolution, plots=False,
            workers=0, verbose=False, project=str(tmp_path / "runs"),
        )
        for fill, hidden in ((0, 0), (200, 2))
    ]  # fmt: skip
    assert torch.equal(figures[0].matrix, figures[1].matrix)
    if resolution == "source":
        assert figures[0].matrix.sum() == 2 * (~HOLE).sum()


@pytest.mark.parametrize("cache", [False, "ram", "disk"])
def test_what_is_trained_on_ignores_the_hole(tmp_path: Path, cache: bool | str) -> None:
    samples = []
    for fill, hidden in ((0, 0), (200, 2)):
        spec = DatasetSpec.load(make_dataset(tmp_path / f"{fill}", fill, hidden))
        samples.append(SemanticDataset(spec, "train", imgsz=SHAPE[0], train=True, cache=cache)[0])
    for sample in samples:
        assert np.array_equal(sample.targets["mask"].ids == 255, HOLE)
        assert (sample.image[HOLE] == 114).all()
        assert np.array_equal(sample.image, samples[0].image)


def test_class_counts_leave_the_hole_out(tmp_path: Path) -> None:
    spec = DatasetSpec.load(make_dataset(tmp_path, 0, 1))
    pixels = SemanticDataset(spec, "train", imgsz=96, train=True).class_pixels()
    assert pixels.sum() == 2 * (~HOLE).sum()


def test_the_validator_reads_labels_without_the_hole(tmp_path: Path) -> None:
    config = get_cfg({"mode": "val", "data": str(make_dataset(tmp_path, 0, 1)), "imgsz": 96})
    dataset = SemanticValidator.build_dataset(config, DatasetSpec.load(config.data))
    assert np.array_equal(dataset.source_ids(0) == 255, HOLE)
