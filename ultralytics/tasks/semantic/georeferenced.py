"""Class maps of what was measured: where a GeoTIFF lies, and which pixels of an image get no class."""

from __future__ import annotations

import numpy as np
import torch

from ultralytics.data.georeference import GeoReference, georeference, ignored_id
from ultralytics.engine.results import Results, SemanticMask
from ultralytics.engine.results.base import as_tensor
from ultralytics.utils import LOGGER


def place(result: Results, missing: np.ndarray | None, *, num_ids: int) -> None:
    """Give the result of a GeoTIFF its place on Earth, and no class to pixels that were not measured.

    Args:
        result: result of a picture that was read whole.
        missing: (H, W) bool, true where nothing was measured; None if everything was.
        num_ids: ids that a map may hold.
    """
    geo = georeference(result.path, result.orig_shape)
    result.geo = None if geo is None else map_reference(geo, num_ids, result.path)
    if result.semantic_mask is not None:
        result.semantic_mask = without_missing(result.semantic_mask, missing, missing_id(result.geo, num_ids))


def map_reference(geo: GeoReference, num_ids: int, path: str) -> GeoReference:
    """Describe where a class map lies; a nodata value that is a class in the map gives way to the ignored id."""
    fitting = geo.for_ids(num_ids)
    if geo.nodata is not None and 0 <= geo.nodata < num_ids:
        LOGGER.warning(
            f"nodata={geo.nodata:g} of '{path}' cannot mark missing pixels in a map of {num_ids} ids; "
            f"{fitting.nodata:g} does there."
        )
    return fitting


def missing_id(geo: GeoReference | None, num_ids: int) -> int:
    """Tell what marks missing pixels in a map: the nodata value of its file, else the ignored id."""
    return ignored_id(num_ids) if geo is None or geo.nodata is None else int(geo.nodata)


def without_missing(mask: SemanticMask, missing: np.ndarray | None, missing_id: int) -> SemanticMask:
    """Set the pixels marked in `missing`, (H, W) bool, to an id that is no class; where none is, nothing changes."""
    if missing is None:
        return mask
    ids = as_tensor(mask.data)
    ids = ids.int() if missing_id > torch.iinfo(ids.dtype).max else ids
    ids = ids.masked_fill(torch.from_numpy(missing).to(ids.device), missing_id)
    return SemanticMask(
        ids, mask.orig_shape, confidence=mask.confidence, entropy=mask.entropy, probs=mask.probs, names=mask.names
    )
