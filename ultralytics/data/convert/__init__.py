"""Bringing labels of other kinds into the layout of class-id PNGs, one function for each kind.

Every converter reads a source and writes a new folder; nothing of the source is changed. A second run gives the same.
"""

from __future__ import annotations

CONVERTERS: dict[str, str] = {
    "cityscapes": "ultralytics.data.convert.cityscapes:cityscapes",
    "coco": "ultralytics.data.convert.coco:coco",
    "colors-to-ids": "ultralytics.data.convert.masks:colors_to_ids",
    "ids-to-colors": "ultralytics.data.convert.masks:ids_to_colors",
    "ids-to-polygons": "ultralytics.data.convert.polygons:ids_to_polygons",
    "labelme": "ultralytics.data.convert.labelme:labelme",
    "polygons-to-ids": "ultralytics.data.convert.polygons:polygons_to_ids",
}
"""Name on the command line -> "module:function"; the function's keyword arguments are those of the command."""
