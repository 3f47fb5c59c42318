"""Class maps of GeoTIFFs: where they lie, and which of their pixels were never measured."""

from __future__ import annotations

import numpy as np
import torch

from ultralytics.data.raster import GeoReference, georeference, open_raster
from ultralytics.engine.results import Results, SemanticMask
from ultralytics.engine.results.base import as_tensor
from ultralytics.utils import LOGGER


def place(result: Results, *, num_ids: int, channels: int) -> None:
    """Give the result of a GeoTIFF its place on Earth, and no class to pixels that were not measured.

    Args:
        result: result of a picture that was read whole; one of any other file stays as it is.
        num_ids: ids that a map may hold.
        channels: channels the picture was read with.
    """
    geo = georeference(result.path, result.orig_shape)
    if geo is None:
        return
    result.geo = map_reference(geo, num_ids, result.path)
    if geo.nodata is not None and result.semantic_mask is not None:
        height, width = result.orig_shape
        with open_raster(result.path, channels) as raster:
            missing = raster.missing((slice(0, height), slice(0, width)))
        result.semantic_mask = without_missing(result.semantic_mask, missing, result.geo)


def map_reference(geo: GeoReference, num_ids: int, path: str) -> GeoReference:
    """Describe where a class map lies; a nodata value that is a class in the map gives way to the ignored id."""
    fitting = geo.for_ids(num_ids)
    if geo.nodata is not None and fitting.nodata != geo.nodata:
        LOGGER.warning(
            f"nodata={geo.nodata:g} of '{path}' cannot mark missing pixels in a map of {num_ids} ids; "
            f"{fitting.nodata:g} does there."
        )
    return fitting


def without_missing(mask: SemanticMask, missing: np.ndarray | None, geo: GeoReference | None) -> SemanticMask:
    """Set pixels marked in `missing`, (H, W) bool, to the nodata value; of a file without one nothing changes."""
    if missing is None or geo is None or geo.nodata is None:
        return mask
    ids, nodata = as_tensor(mask.data), int(geo.nodata)
    ids = ids.int() if nodata > torch.iinfo(ids.dtype).max else ids
    ids = ids.masked_fill(torch.from_numpy(missing).to(ids.device), nodata)
    return SemanticMask(
        ids, mask.orig_shape, confidence=mask.confidence, entropy=mask.entropy, probs=mask.probs, names=mask.names
    )
