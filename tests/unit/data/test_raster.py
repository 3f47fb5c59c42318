"""Rasters: any window of a file reads as the decoded picture does, and maps go back to where they came from."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from ultralytics.data import raster, raster_writer
from ultralytics.data.georeference import GeoReference, georeference, is_georeferenced
from ultralytics.data.imread import read_ids, read_image
from ultralytics.data.raster import open_raster
from ultralytics.data.raster_writer import writing_raster
from ultralytics.engine.results import Results
from ultralytics.engine.results.writers import write_class_raster
from ultralytics.errors import ConfigError, ImageError, MissingDependency, MissingFile

OPAQUE = np.array([0, 0, 0, 255], np.uint8)
WINDOW = (slice(5, 33), slice(40, 61))


def noise(*shape: int, dtype: type = np.uint8) -> np.ndarray:
    return np.random.default_rng(1).integers(0, np.iinfo(dtype).max + 1, shape, dtype=dtype)


@pytest.fixture
def without_rasterio(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the package impossible to import, as where it is not installed."""
    monkeypatch.setitem(sys.modules, "rasterio", None)


@pytest.fixture
def rio() -> object:
    return pytest.importorskip("rasterio", reason="rasterio is not installed (extra: geo)")


def geotiff(path: Path, samples: np.ndarray, **profile: object) -> Path:
    """Write (H, W, bands) samples in UTM zone 33N, 0.5 m per pixel."""
    rasterio = pytest.importorskip("rasterio", reason="rasterio is not installed (extra: geo)")
    height, width, count = samples.shape
    options = {"crs": "EPSG:32633", "transform": rasterio.Affine(0.5, 0, 400_000, 0, -0.5, 5_800_000), **profile}
    with rasterio.open(
        path, "w", driver="GTiff", height=height, width=width, count=count, dtype=samples.dtype.name, **options
    ) as dataset:
        dataset.write(samples.transpose(2, 0, 1))
    return path


# Reading -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    "name", ["grey.tif", "colour.tif", "alpha.tif", "packed.tif", "deep.tif", "deep-colour.tif", "photo.png"]
)
@pytest.mark.parametrize("rasterio", [True, False])
def test_a_window_reads_as_the_decoded_picture(
    tmp_path: Path, name: str, channels: int, rasterio: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if rasterio:
        pytest.importorskip("rasterio", reason="rasterio is not installed (extra: geo)")
    else:
        monkeypatch.setattr(raster, "available", lambda name: False)
    file = tmp_path / name
    if name == "deep.tif":
        Image.fromarray(noise(50, 70, dtype=np.uint16)).save(file)
    elif name == "deep-colour.tif":
        file.write_bytes(cv2.imencode(".tif", noise(50, 70, 3, dtype=np.uint16), (cv2.IMWRITE_TIFF_COMPRESSION, 1))[1])
    else:
        mode = {"grey.tif": noise(50, 70), "alpha.tif": noise(50, 70, 4) | OPAQUE}.get(name, noise(50, 70, 3))
        Image.fromarray(mode).save(file, **({"compression": "tiff_lzw"} if name == "packed.tif" else {}))
    expected = read_image(file, channels)
    with open_raster(file, channels) as opened:
        assert opened.shape == (50, 70)
        assert opened.channels == channels
        part = opened.read(WINDOW)
        assert part.dtype == (np.uint16 if name.startswith("deep") and channels == 1 else np.uint8)
        assert np.array_equal(part, expected[WINDOW])
        assert opened.read((slice(0, 50), slice(0, 70)), step=4).shape == (13, 18, channels)
        assert opened.missing(WINDOW) is None


@pytest.mark.parametrize("shape", [(50, 70, 5), (50, 70, 3), (50, 70)])
def test_an_array_file_is_mapped(tmp_path: Path, shape: tuple[int, ...]) -> None:
    samples = noise(*shape, dtype=np.uint16 if shape[-1] == 5 else np.uint8)
    np.save(tmp_path / "bands.npy", samples)
    channels = shape[2] if len(shape) == 3 else 1
    with open_raster(tmp_path / "bands.npy", channels) as opened:
        part = opened.read(WINDOW)
        assert np.array_equal(part, samples.reshape(50, 70, channels)[WINDOW])
        assert np.array_equal(opened.read(WINDOW, step=3), part[::3, ::3])
        assert part.flags.owndata


def test_bands_of_a_tiled_planar_geotiff(tmp_path: Path, rio: object) -> None:
    samples = noise(300, 280, 6, dtype=np.uint16)
    file = geotiff(tmp_path / "bands.tif", samples, tiled=True, blockxsize=128, blockysize=128, compress="deflate")
    with open_raster(file, 6) as opened:
        assert np.array_equal(opened.read((slice(100, 300), slice(7, 280))), samples[100:300, 7:280])


def test_uncompressed_bands_are_mapped_without_rasterio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    samples = noise(60, 50, 6, dtype=np.uint16)
    file = geotiff(tmp_path / "bands.tif", samples, interleave="pixel")
    monkeypatch.setattr(raster, "available", lambda name: False)
    with open_raster(file, 6) as opened:
        assert np.array_equal(opened.read((slice(10, 60), slice(7, 50))), samples[10:60, 7:50])
        assert opened.geo is None
    assert is_georeferenced(file)


def test_a_rotated_tiff_and_one_with_a_palette_are_read_as_pictures(tmp_path: Path) -> None:
    turned, coloured = tmp_path / "turned.tif", tmp_path / "coloured.tif"
    Image.fromarray(noise(50, 70, 3)).save(turned, tiffinfo={274: 6})
    Image.fromarray(noise(50, 70)).convert("P").save(coloured)
    for file, shape in ((turned, (70, 50)), (coloured, (50, 70))):
        with open_raster(file) as opened:
            assert opened.shape == shape
            assert np.array_equal(opened.read((slice(0, 50), slice(0, 50))), read_image(file)[:50, :50])


def test_what_cannot_be_read_says_why(tmp_path: Path) -> None:
    with pytest.raises(MissingFile, match=r"gone\.tif"):
        open_raster(tmp_path / "gone.tif")
    (tmp_path / "empty.tif").touch()
    with pytest.raises(ImageError, match=r"empty\.tif"):
        open_raster(tmp_path / "empty.tif")
    np.save(tmp_path / "float.npy", np.zeros((4, 4, 3), np.float32))
    with pytest.raises(ImageError, match="float32"):
        open_raster(tmp_path / "float.npy")
    np.save(tmp_path / "bands.npy", np.zeros((4, 4, 5), np.uint8))
    with pytest.raises(ImageError, match=r"5 channels, but 3"):
        open_raster(tmp_path / "bands.npy")
    np.save(tmp_path / "planes.npy", np.zeros((5, 40, 64), np.uint8))
    with pytest.raises(ImageError, match=r"64 channels, but 5 .* looks like \(C, H, W\)"):
        open_raster(tmp_path / "planes.npy", 5)


def test_pixels_that_were_not_measured_are_marked(tmp_path: Path, rio: object) -> None:
    samples = np.full((20, 30, 3), 9, np.uint8)
    samples[:4, 5] = 0
    samples[7, 7] = (0, 1, 0)
    with open_raster(geotiff(tmp_path / "field.tif", samples, nodata=0)) as opened:
        missing = opened.missing((slice(0, 20), slice(0, 30)))
    assert missing is not None
    assert np.array_equal(np.argwhere(missing), [[0, 5], [1, 5], [2, 5], [3, 5]])


# Where it lies -------------------------------------------------------------------------------------------------------


def test_the_place_of_a_picture(tmp_path: Path, rio: object) -> None:
    file = geotiff(tmp_path / "field.tif", noise(20, 30, 3), nodata=255)
    geo = georeference(file, (20, 30))
    assert geo is not None
    assert geo.crs_name == "EPSG:32633"
    assert geo.transform == (0.5, 0, 400_000, 0, -0.5, 5_800_000)
    assert geo.nodata == 255
    assert georeference(file, (10, 15)) is None  # a resized picture of that name is not at that place
    plain = tmp_path / "plain.tif"
    Image.fromarray(noise(20, 30, 3)).save(plain)
    assert georeference(plain, (20, 30)) is None
    assert not is_georeferenced(plain)


def test_pixels_four_times_as_large() -> None:
    geo = GeoReference("wkt", "EPSG:1", (0.5, 0.1, 100, 0.2, -0.5, 200), None).scaled(2, 4)
    assert geo.transform == (2.0, 0.2, 100, 0.8, -1.0, 200)


@pytest.mark.parametrize(
    ("nodata", "num_ids", "expected"),
    [
        (None, 3, None), (255, 3, 255), (0, 3, 255), (3, 3, 3), (-9999, 3, 255), (0.5, 3, 255), (float("nan"), 3, 255),
        (255, 300, 65535), (300, 300, 300), (300, 3, 255), (65535, 300, 65535),
    ],
)  # fmt: skip
def test_nodata_is_never_a_class(nodata: float | None, num_ids: int, expected: float | None) -> None:
    assert GeoReference(nodata=nodata).for_ids(num_ids).nodata == expected


# Writing -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(700, 300), (256, 10), (1, 1), (3, 500)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_map_written_row_by_row_reads_back(tmp_path: Path, shape: tuple[int, int], dtype: type) -> None:
    ids = noise(*shape, dtype=dtype)
    with writing_raster(tmp_path / "new" / "map.tif", shape, dtype) as writer:
        for top in range(0, shape[0], 100):
            writer.write(ids[top : top + 100])
    assert np.array_equal(read_ids(tmp_path / "new" / "map.tif"), ids)


def test_a_map_of_more_than_4_gib_is_a_big_tiff(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raster_writer, "_CLASSIC_LIMIT", 1000)
    ids = noise(600, 40)
    with writing_raster(tmp_path / "map.tif", ids.shape) as writer:
        writer.write(ids)
    assert (tmp_path / "map.tif").read_bytes()[:4] == b"II\x2b\x00"
    assert np.array_equal(read_ids(tmp_path / "map.tif"), ids)


def begin_map(path: Path, error: type[BaseException] | None) -> None:
    with writing_raster(path, (500, 20)) as writer:
        writer.write(noise(300, 20))
        if error is not None:
            raise error


def test_a_map_that_is_not_finished_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        begin_map(tmp_path / "map.tif", KeyboardInterrupt)
    with pytest.raises(ImageError, match="300 rows were written"):
        begin_map(tmp_path / "map.tif", None)
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_written_says_why(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"ends in \.tif"), writing_raster(tmp_path / "map.png", (2, 2)):
        pass
    with pytest.raises(ImageError, match="int32"), writing_raster(tmp_path / "map.tif", (2, 2), np.int32):
        pass
    with pytest.raises(ConfigError, match="0 to 65535"):
        write_class_raster(tmp_path / "map.tif", np.array([[-1]]))


def test_coordinates_are_not_dropped_where_rasterio_is_missing(tmp_path: Path, without_rasterio: None) -> None:
    with pytest.raises(MissingDependency, match=r"ultralytics-semantic\[geo\]"):
        write_class_raster(tmp_path / "map.tif", noise(4, 4), GeoReference("wkt", "EPSG:32633"))
    assert list(tmp_path.iterdir()) == []


def test_a_result_goes_back_to_its_place(tmp_path: Path, rio: object) -> None:
    source = geotiff(tmp_path / "field.tif", noise(20, 30, 3), nodata=255)
    ids = np.zeros((20, 30), np.uint8)
    ids[2:4, 10:16] = 1
    result = Results(np.zeros((20, 30, 3), np.uint8), str(source), {0: "soil", 1: "barn"}, semantic_mask=ids)
    result.geo = georeference(source, (20, 30))
    with rio.open(result.save_mask(tmp_path / "map.tif")) as saved, rio.open(source) as original:  # type: ignore[attr-defined]
        assert saved.crs == original.crs
        assert saved.transform == original.transform
        assert saved.nodata == original.nodata
        assert saved.shape == original.shape
        assert saved.dtypes == ("uint8",)
        assert np.array_equal(saved.read(1), ids)
    collection = json.loads(result[0].to_geojson())
    barn = next(feature for feature in collection["features"] if feature["properties"]["name"] == "barn")
    assert collection["crs"]["properties"]["name"] == "EPSG:32633"
    corners = np.array(barn["geometry"]["coordinates"][0])
    assert corners.min(0).tolist() == [400_005.0, 5_799_998.0]
    assert corners.max(0).tolist() == [400_008.0, 5_799_999.0]
    assert "crs" not in json.loads(result.to_geojson(transform=(1, 0, 0, 0, 1, 0)))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
@pytest.mark.parametrize("name", ["a.tif", "a.npy", "a.png"])
def test_a_pipe_is_never_opened(tmp_path, name):
    os.mkfifo(tmp_path / name)
    with pytest.raises(ImageError, match="pipe, socket or device"), open_raster(tmp_path / name):
        pass
