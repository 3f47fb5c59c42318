"""Predictions of GeoTIFFs: at their place on Earth, without a class where nothing was measured."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ultralytics.data.imread import read_picture
from ultralytics.engine.results import Results, SemanticMask
from ultralytics.tasks.semantic.georeferenced import place, without_missing

rasterio = pytest.importorskip("rasterio")

TRANSFORM = (0.5, 0.0, 500000.0, 0.0, -0.5, 5000000.0)


def predicted(file: Path, nodata: float | None) -> Results:
    """Write a GeoTIFF whose first row was not measured and whose second lacks a band, and a result for it."""
    pixels = np.full((3, 4, 6), 90, np.uint8)
    pixels[:, 0] = pixels[0, 1] = 0 if nodata is None else nodata
    facts = {"driver": "GTiff", "width": 6, "height": 4, "count": 3, "dtype": "uint8", "crs": "EPSG:32633"}
    with rasterio.open(file, "w", transform=rasterio.Affine(*TRANSFORM), nodata=nodata, **facts) as dataset:
        dataset.write(pixels)
    return Results(pixels.transpose(1, 2, 0), str(file), ["a", "b"], semantic_mask=np.ones((4, 6), np.uint8))


@pytest.mark.parametrize(
    ("nodata", "num_ids", "expected", "told"),
    [(200, 2, 200, False), (0, 2, 255, True), (0, 300, 65535, True), (None, 2, None, False)],
)
def test_pixels_that_were_not_measured_have_no_class(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, nodata: int | None, num_ids: int, expected: int | None, told: bool
) -> None:
    result = predicted(tmp_path / "field.tif", nodata)
    place(result, read_picture(result.path).missing, num_ids=num_ids)
    assert result.geo.transform == TRANSFORM
    assert result.geo.nodata == expected
    ids = result.semantic_mask.numpy().data
    assert (ids[1:] == 1).all()
    assert (ids[0] == (1 if expected is None else expected)).all()
    assert ("cannot mark missing pixels" in caplog.text) == told
    with rasterio.open(result.save_mask(tmp_path / "map.tif")) as dataset:
        assert dataset.nodata == expected
        assert np.array_equal(dataset.read(1), ids)
        assert tuple(dataset.transform)[:6] == TRANSFORM


def test_other_files_stay_as_they_are() -> None:
    result = Results(np.zeros((4, 6, 3), np.uint8), "image0", ["a"], semantic_mask=np.ones((4, 6), np.uint8))
    mask = result.semantic_mask
    place(result, None, num_ids=2)
    assert result.geo is None
    assert result.semantic_mask is mask


def test_what_comes_with_the_ids_is_kept() -> None:
    sure = np.full((2, 2), 0.5, np.float32)
    mask = SemanticMask(np.ones((2, 2), np.uint8), confidence=sure, names={0: "a", 1: "b"})
    marked = without_missing(mask, np.array([[True, False], [False, False]]), 255)
    assert marked.numpy().data.tolist() == [[255, 1], [1, 1]]
    assert marked.area() == {1: 3}
    assert marked.confidence is sure
