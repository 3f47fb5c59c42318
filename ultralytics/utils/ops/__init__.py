"""Geometry of images and masks."""

from ultralytics.utils.ops.letterbox import LetterboxGeometry, letterbox, pad_value, resize
from ultralytics.utils.ops.masks import (
    RLE,
    Polygon,
    fill_rings,
    mask_to_polygons,
    polygons_to_class_map,
    ring_area,
    rle_counts,
    rle_decode,
    rle_encode,
)

__all__ = [
    "RLE",
    "LetterboxGeometry",
    "Polygon",
    "fill_rings",
    "letterbox",
    "mask_to_polygons",
    "pad_value",
    "polygons_to_class_map",
    "resize",
    "ring_area",
    "rle_counts",
    "rle_decode",
    "rle_encode",
]
