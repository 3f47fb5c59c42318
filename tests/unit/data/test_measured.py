"""What was not measured: one rule for files, windows of files, arrays and PIL images."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from ultralytics.data.imread import read_missing, read_picture
from ultralytics.data.measured import fill_missing, to_levels, unmeasured
from ultralytics.data.raster import open_raster
from ultralytics.data.sources import load_source
from ultralytics.errors import ImageError, SourceError

SHAPE = (40, 56)
WHOLE = (slice(0, SHAPE[0]), slice(0, SHAPE[1]))
RGB = np.random.default_rng(5).integers(3, 250, (*SHAPE, 3), dtype=np.uint8)
HOLE = np.zeros(SHAPE, bool)
HOLE[:, :9] = HOLE[33:] = True


def write(path: Path, samples: np.ndarray, *, alpha: bool = False, mask: str = "", **profile: Any) -> Path:
    """Write (H, W, bands) as a GeoTIFF, with the hole in its opacity or mask where asked for."""
    rasterio = pytest.importorskip("rasterio", reason="rasterio is not installed (extra: geo)")
    bands = np.dstack([samples, np.where(HOLE, 0, 255)]).astype(samples.dtype) if alpha else samples
    colour = {"photometric": "RGB"} if bands.dtype == np.uint8 and bands.shape[2] > 2 else {}
    facts = {"height": SHAPE[0], "width": SHAPE[1], "count": bands.shape[2], "dtype": bands.dtype.name}
    place = {"crs": "EPSG:32633", "transform": rasterio.Affine(0.5, 0, 400_000, 0, -0.5, 5_800_000)}
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=mask == "internal"),
        rasterio.open(path, "w", driver="GTiff", **{**facts, **place, **colour, **profile}) as dataset,
    ):
        if alpha:  # before anything is written, or it lands in a file of its own
            interpretation = list(dataset.colorinterp)
            interpretation[-1] = rasterio.enums.ColorInterp.alpha
            dataset.colorinterp = interpretation
        dataset.write(bands.transpose(2, 0, 1))
        if mask:
            dataset.write_mask(~HOLE)
    return path


def holed(fill: float, dtype: type = np.uint8, bands: int = 3) -> np.ndarray:
    samples = np.repeat(RGB[..., :1], bands, 2) if bands != 3 else RGB
    samples = samples.astype(dtype)
    samples[HOLE] = fill
    return samples


MARKED = {
    "zero": (holed(0), {"nodata": 0}),
    "white": (holed(255), {"nodata": 255, "compress": "deflate"}),
    "short": (holed(-9999, np.int16), {"nodata": -9999, "compress": "lzw"}),
    "long": (holed(-9999, np.int32), {"nodata": -9999, "tiled": True, "blockxsize": 16, "blockysize": 16}),
    "float": (holed(-9999, np.float32), {"nodata": -9999, "interleave": "band"}),
    "lowest": (holed(np.finfo(np.float32).min, np.float32), {"nodata": float(np.finfo(np.float32).min)}),
    "nan": (holed(np.nan, np.float32), {"nodata": np.nan}),
    "untold nan": (holed(np.nan, np.float64), {}),
    "alpha": (holed(0), {"alpha": True}),
    "alpha over white": (holed(255), {"alpha": True, "compress": "deflate", "interleave": "band"}),
    "internal mask": (holed(7), {"mask": "internal"}),
    "packed mask": (holed(7), {"mask": "internal", "compress": "deflate", "tiled": True, "blockxsize": 16,
                               "blockysize": 16}),
    "mask beside": (holed(9), {"mask": "beside"}),
}  # fmt: skip


@pytest.mark.parametrize("rasterio", [True, False])
@pytest.mark.parametrize("name", MARKED)
def test_every_mark_of_a_geotiff_means_the_same(
    tmp_path: Path, name: str, rasterio: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples, how = MARKED[name]
    file = write(tmp_path / "field.tif", samples, **how)
    monkeypatch.setattr("ultralytics.data.raster.available", lambda package: rasterio)
    image, missing = read_picture(file)
    assert missing is not None
    assert np.array_equal(missing, HOLE)
    assert image.dtype == np.uint8
    assert np.array_equal(image[~HOLE], RGB[~HOLE][:, ::-1])
    assert np.array_equal(read_missing(file), HOLE)
    expected = fill_missing(image, missing)
    assert (expected[HOLE] == 114).all()
    window = slice(20, 38), slice(4, 50)
    with open_raster(file) as opened:
        assert np.array_equal(opened.measured(WHOLE), expected)
        assert np.array_equal(opened.missing(window), HOLE[window])
        assert np.array_equal(opened.read(window)[~HOLE[window]], image[window][~HOLE[window]])
        assert opened.missing((slice(0, 9), slice(20, 50))) is None


def test_bands_with_an_opacity_or_a_value_for_nothing(tmp_path: Path) -> None:
    samples = np.random.default_rng(0).integers(1, 60_000, (*SHAPE, 5), dtype=np.uint16)
    samples[HOLE] = 0
    samples[0, 20, 2] = 0  # one band of a measured pixel
    for how in ({"alpha": True}, {"nodata": 0}, {"mask": "internal"}):
        file = write(tmp_path / "bands.tif", samples, **how)
        image, missing = read_picture(file, 5)
        assert np.array_equal(image, samples)
        assert np.array_equal(missing, HOLE)
        with open_raster(file, 5) as opened:
            assert np.array_equal(opened.missing(WHOLE), HOLE)
            assert np.array_equal(opened.measured(WHOLE)[~HOLE], samples[~HOLE])
            assert (opened.measured(WHOLE)[HOLE] == 114 * 257).all()


@pytest.mark.parametrize("photometric", ["palette", "MINISWHITE"])
def test_the_value_for_nothing_is_the_stored_one(tmp_path: Path, photometric: str) -> None:
    file = write(tmp_path / "field.tif", holed(0, bands=1), nodata=0, photometric=photometric)
    if photometric == "palette":
        rasterio = pytest.importorskip("rasterio")
        with rasterio.open(file, "r+") as dataset:
            dataset.write_colormap(1, {index: (255 - index, 0, index, 255) for index in range(256)})
    assert np.array_equal(read_picture(file).missing, HOLE)
    with open_raster(file) as raster:
        assert np.array_equal(raster.missing(WHOLE), HOLE)


@pytest.mark.parametrize("how", [{"alpha": True}, {"mask": "internal", "photometric": "YCBCR"}])
def test_a_lossy_orthophoto_tells_what_it_shows(tmp_path: Path, how: dict[str, Any]) -> None:
    smooth = cv2.resize(RGB[:5, :7], SHAPE[::-1], interpolation=cv2.INTER_CUBIC)
    file = write(tmp_path / "ortho.tif", smooth, compress="jpeg", jpeg_quality=95, **how)
    image, missing = read_picture(file)
    with open_raster(file) as raster:
        assert np.array_equal(raster.missing(WHOLE), missing)
        assert np.abs(raster.read(WHOLE)[~missing].astype(int) - image[~missing]).mean() < 2
    if "mask" in how:
        assert np.array_equal(missing, HOLE)


def test_a_file_that_cannot_tell_is_not_read_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_raster(write(tmp_path / "field.tif", holed(0))) as raster:
        monkeypatch.setattr(type(raster), "_samples", lambda *_: pytest.fail("read"))
        assert raster.missing(WHOLE) is None


def test_opacity_that_the_model_takes_as_a_band_is_data(tmp_path: Path) -> None:
    file = write(tmp_path / "four.tif", holed(0), alpha=True)
    image, missing = read_picture(file, 4)
    assert missing is None
    assert np.array_equal(image[..., 3] == 0, HOLE)


@pytest.mark.parametrize(
    ("samples", "told"),
    [
        (holed(-9999, np.int16), "numbers from -9999 to 249; 0 to 65535"),
        (holed(0, np.float32) / 255, "float32 numbers from 0 to .*, whose range is unknown"),
        (holed(0, np.float32) * 7.3, "float32 numbers from 0 to .*, whose range is unknown"),
        (holed(70_000, np.int32), "numbers from 3 to 70000; 0 to 65535"),
        (holed(np.inf, np.float32), "float32 numbers from 3 to inf; 0 to 65535"),
    ],
)
def test_numbers_that_are_no_levels_are_refused(tmp_path: Path, samples: np.ndarray, told: str) -> None:
    file = write(tmp_path / "odd.tif", samples)
    for read in (read_picture, open_raster):
        with pytest.raises(ImageError, match=told):
            read(file)
    with pytest.raises(SourceError, match=told):
        load_source(samples)


def test_wide_types_hold_levels_of_8_or_16_bits() -> None:
    for dtype in (np.int16, np.int32, np.uint32, np.float32, np.float64):
        bright, dark = np.full((2, 2, 3), 9_000, dtype), np.full((2, 2, 3), 200, dtype)
        assert to_levels(bright, None, 3).dtype == np.uint16
        assert to_levels(dark, None, 3).dtype == np.uint8
        assert to_levels(dark, None, 5).dtype == np.uint16  # bands may be dark
        assert to_levels(dark, None, 3).max() == 200


def test_a_pixel_counts_unless_all_of_its_bands_hold_the_value() -> None:
    samples = np.array([[[0, 0], [0, 5], [5, 5]]], np.uint8)
    assert unmeasured(samples, 0).tolist() == [[True, False, False]]
    assert unmeasured(samples, 300) is None
    assert unmeasured(samples, 0.5) is None
    assert unmeasured(samples.astype(np.int16) - 1, -1).tolist() == [[True, True, False]]  # -1 is no level


# Files and memory ----------------------------------------------------------------------------------------------------


def opened(source: Any, **options: Any) -> tuple[np.ndarray, np.ndarray | None]:
    with load_source(source, **options) as loaded:
        ((frame,),) = list(loaded)
    return frame.image, frame.missing


def picture(mode: str) -> Image.Image:
    """Draw a picture of a mode whose hole is transparent where the mode can say so."""
    opacity = Image.fromarray(np.where(HOLE, 0, 255).astype(np.uint8))
    colour = Image.fromarray(RGB)
    if mode in {"RGBA", "LA"}:
        made = colour.convert(mode[:-1])
        made.putalpha(opacity)
        return made
    if mode == "P with transparency":
        made = colour.quantize(15)
        made.putpalette([*made.getpalette()[:45], 9, 9, 9])
        made.paste(15, (0, 0), Image.fromarray(HOLE.astype(np.uint8) * 255))
        made.info["transparency"] = 15
        return made
    if mode == "I;16":
        return Image.fromarray(RGB[..., 0].astype(np.uint16) * 200 + 9)
    if mode == "F":
        return Image.fromarray(RGB[..., 0].astype(np.float32))
    return colour.convert(mode)


CASES = [
    ("1", "png"), ("L", "png"), ("P", "png"), ("P with transparency", "png"), ("LA", "png"), ("I;16", "png"),
    ("RGB", "png"), ("RGBA", "png"), ("RGBA", "tif"), ("RGBA", "webp"), ("L", "tif"), ("LA", "tif"), ("P", "tif"),
    ("I;16", "tif"), ("F", "tif"), ("I", "tif"), ("RGB", "bmp"), ("P", "bmp"), ("1", "bmp"), ("1", "tif"),
    ("CMYK", "tif"), ("CMYK", "jpg"), ("YCbCr", "jpg"), ("L", "jpg"),
]  # fmt: skip


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("mode", "suffix"), CASES)
def test_a_picture_is_the_same_from_a_file_and_from_memory(
    tmp_path: Path, mode: str, suffix: str, channels: int
) -> None:
    file = tmp_path / f"a.{suffix}"
    picture(mode).save(file, **({"lossless": True, "exact": True} if suffix == "webp" else {}))
    image, missing = opened(file, channels=channels)
    with Image.open(file) as held:
        again, absent = opened(held, channels=channels)
    assert image.dtype == again.dtype
    tolerance = 2 if mode == "CMYK" or suffix == "jpg" else 0  # decoders of JPEG round differently
    assert np.abs(image.astype(int) - again.astype(int)).max() <= tolerance
    transparent = mode in {"RGBA", "LA", "P with transparency"}
    for found in (missing, absent):
        assert (found is not None) == transparent
        assert found is None or np.array_equal(found, HOLE)


@pytest.mark.parametrize("mode", ["HSV", "LAB", "RGBX", "RGBa", "La", "PA", "I;16B"])
def test_rarer_modes_of_pil_are_read_too(mode: str) -> None:
    start = {"RGBa": "RGBA", "La": "LA", "PA": "RGBA", "I;16B": "I"}.get(mode, "RGB")
    image = (picture(start) if start != "I" else Image.fromarray(RGB[..., 0].astype(np.int32))).convert(mode)
    for channels in (1, 3):
        levels, missing = opened(image, channels=channels)
        assert levels.shape == (*SHAPE, channels)
        assert (missing is not None) == (start in {"RGBA", "LA"})
        assert missing is None or np.array_equal(missing, HOLE)


@pytest.mark.parametrize("fill", [0, 255, 77])
def test_a_plain_rgba_picture_has_no_class_where_it_is_transparent(tmp_path: Path, fill: int) -> None:
    bgra = np.dstack([RGB[..., ::-1], np.where(HOLE, 0, 1)]).astype(np.uint8)
    bgra[HOLE, :3] = fill
    (tmp_path / "a.png").write_bytes(cv2.imencode(".png", bgra)[1].tobytes())
    np.save(tmp_path / "a.npy", bgra)
    rgba = Image.fromarray(bgra[..., (2, 1, 0, 3)])
    with io.BytesIO() as stream:
        rgba.save(stream, "tiff")
        (tmp_path / "a.tif").write_bytes(stream.getvalue())
    for source in (tmp_path / "a.png", tmp_path / "a.npy", tmp_path / "a.tif", bgra, rgba, iter([bgra])):
        image, missing = opened(source)
        assert np.array_equal(missing, HOLE)
        assert np.array_equal(image, bgra[..., :3])
        filled = fill_missing(image, missing)
        assert (filled[HOLE] == 114).all()
        assert np.array_equal(filled[~HOLE], bgra[~HOLE][:, :3])
