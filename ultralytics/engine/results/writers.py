"""Results as files and text: class-id PNGs and GeoTIFFs, tables, GeoJSON, from plain arrays and rows of any payload."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ultralytics.data.raster_writer import writing_raster
from ultralytics.errors import ConfigError, MissingDependency, unknown_name
from ultralytics.utils.files import write_atomic
from ultralytics.utils.imports import available
from ultralytics.utils.plotting.grids import encode_image

if TYPE_CHECKING:
    from ultralytics.data.georeference import GeoReference
    from ultralytics.engine.results.base import Shape

MASK_MODES = ("ids", "palette")


def write_class_map(
    path: str | Path, ids: np.ndarray, ignore_index: int = 255, mode: str = "ids", palette: np.ndarray | None = None
) -> Path:
    """Write class ids to a PNG that reads back as the same ids.

    Args:
        path: file ending in .png, or with no ending.
        ids: (H, W) whole numbers.
        ignore_index: written like any id; above 255 it makes the file 16-bit even where all other ids are small.
        mode: "ids" for a grey PNG, 8-bit or 16-bit by need; "palette" for an 8-bit one that viewers show in colour.
        palette: (N, 3) uint8 RGB for "palette"; other ids are black.

    Raises:
        ConfigError: the ending is another one, the mode unknown, or an id does not fit.
    """
    path = Path(path)
    path = path if path.suffix else path.with_suffix(".png")
    if path.suffix.lower() != ".png":
        raise ConfigError(f"'{path}' would not keep class ids exact. Use a file name that ends in .png.")
    if mode not in MASK_MODES:
        raise ConfigError(unknown_name("mode of a mask file", mode, MASK_MODES))
    low, high = (int(ids.min()), int(ids.max())) if ids.size else (0, 0)
    limit = 255 if mode == "palette" or max(high, ignore_index) <= 255 else 65535
    if low < 0 or high > limit:
        hint = ' Use mode="ids".' if mode == "palette" else ""
        raise ConfigError(f"The map holds ids {low} to {high}; a {mode} PNG holds 0 to {limit}.{hint}")
    small = ids.astype(np.uint8 if limit == 255 else np.uint16)
    write_atomic(path, _palette_png(small, palette) if mode == "palette" else encode_image(small, ".png"))
    return path


def write_class_raster(path: str | Path, ids: np.ndarray, geo: GeoReference | None = None) -> Path:
    """Write class ids to a TIFF that reads back as the same ids; with a place on Earth it is a GeoTIFF.

    Args:
        path: file ending in .tif or .tiff.
        ids: (H, W) whole numbers, 0 to 65535.
        geo: where the map lies.

    Raises:
        ConfigError: an id does not fit.
        MissingDependency: a GeoTIFF is to be written and rasterio is not installed.
    """
    low, high = (int(ids.min()), int(ids.max())) if ids.size else (0, 0)
    if low < 0 or high > 65535:
        raise ConfigError(f"The map holds ids {low} to {high}; a TIFF file of ids holds 0 to 65535.")
    nodata = 0 if geo is None or geo.nodata is None else geo.nodata
    dtype = np.uint8 if max(high, nodata) <= 255 else np.uint16
    with writing_raster(path, (ids.shape[0], ids.shape[1]), dtype, geo=geo) as writer:
        writer.write(ids)
    return Path(path)


def rounded(value: Any, decimals: int) -> Any:
    """Round every fraction in nested lists and mappings."""
    if isinstance(value, float):
        return round(value, decimals)
    if isinstance(value, Mapping):
        return {key: rounded(item, decimals) for key, item in value.items()}
    return [rounded(item, decimals) for item in value] if isinstance(value, list) else value


def rows_to_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Write rows as CSV text with a header; no rows are no text."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    if rows:
        writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def rows_to_frame(rows: Sequence[Mapping[str, Any]]) -> Any:
    """Make a data frame of rows, with polars or else pandas, whichever is installed.

    Raises:
        MissingDependency: neither is.
    """
    if available("polars"):
        import polars

        return polars.DataFrame(list(rows))
    if available("pandas"):
        import pandas

        return pandas.DataFrame(list(rows))
    raise MissingDependency(
        "A data frame needs polars or pandas. Install one: pip install polars. Without: summary(), to_csv(), to_json()."
    )


def geojson(shapes: Iterable[Shape], transform: Sequence[float] | None = None, crs: str | None = None) -> str:
    """Write areas as a GeoJSON collection.

    Args:
        shapes: outlines in pixels, with their properties.
        transform: (a, b, c, d, e, f) of x = a·column + b·row + c and y = d·column + e·row + f, as rasterio gives it;
            None keeps pixels, y downwards.
        crs: name of the coordinate system, such as "EPSG:32633".
    """
    a, b, c, d, e, f = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0) if transform is None else tuple(transform)[:6]
    matrix, offset = np.array([[a, d], [b, e]]), np.array([c, f])
    collection: dict[str, Any] = {"type": "FeatureCollection", "features": []}
    if crs:
        collection["crs"] = {"type": "name", "properties": {"name": crs}}
    for shape in shapes:
        rings = [shape.polygon.exterior, *shape.polygon.holes]
        placed = [np.asarray(ring, dtype=np.float64) @ matrix + offset for ring in rings]
        coordinates = [_closed(ring, inner=number > 0) for number, ring in enumerate(placed)]
        collection["features"].append(
            {
                "type": "Feature",
                "geometry": {"type": "Polygon", "coordinates": coordinates},
                "properties": shape.properties,
            }
        )
    return json.dumps(collection, ensure_ascii=False)


def _closed(ring: np.ndarray, *, inner: bool) -> list[list[float]]:
    """Close a ring, the outer one counterclockwise and holes clockwise, as RFC 7946 wants."""
    x, y = ring.T
    clockwise = float(x @ np.roll(y, -1) - y @ np.roll(x, -1)) < 0
    ring = ring if clockwise == inner else ring[::-1]
    points: list[list[float]] = ring.tolist()
    return [*points, points[0]]


def _palette_png(ids: np.ndarray, palette: np.ndarray | None) -> bytes:
    from PIL import Image

    colors = np.zeros((256, 3), dtype=np.uint8)
    if palette is not None:
        colors[: len(palette)] = palette[:256]
    image = Image.fromarray(ids)
    image.putpalette(colors.tobytes())
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", compress_level=3)
    return buffer.getvalue()
