"""Bringing labels of other kinds into the layout of class-id PNGs, one function for each kind.

Every converter reads a source and writes a new folder; nothing of the source is changed. A second run gives the same.
"""

from __future__ import annotations

import inspect
import re
from typing import Any

from ultralytics.errors import ConfigError, unknown_name
from ultralytics.utils.imports import load

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


def usage(name: str = "") -> str:
    """Lay out what a converter does and what its arguments mean, or what each converter does.

    Raises:
        ConfigError: there is no converter of this name.
    """
    if not name:
        rows = [f"  {name:<16} {_doc(name).splitlines()[0]}" for name in CONVERTERS]
        return "\n".join(["yolo convert NAME key=value ...    the keys of one: yolo help convert NAME", *rows])
    if name not in CONVERTERS:
        raise ConfigError(unknown_name("converter", name, CONVERTERS))
    summary, _, rest = _doc(name).partition("\n")
    section = rest.partition("Args:\n")[2].partition("\n\n")[0]
    meanings = dict(re.findall(r"^    (\w+): (.*(?:\n {8}.*)*)", section, re.MULTILINE))
    rows = [f"yolo convert {name} key=value ...    {summary}"]
    for key, parameter in inspect.signature(load(CONVERTERS[name])).parameters.items():
        rows.append(f"  {key + '=' + _written(parameter.default):<22} {' '.join(meanings[key].split())}")
    return "\n".join(rows)


def _doc(name: str) -> str:
    return inspect.getdoc(load(CONVERTERS[name])) or ""


def _written(default: Any) -> str:
    """Write a default as on the command line; one that has to be given as an ellipsis."""
    if default is inspect.Parameter.empty:
        return "…"
    return str(default).lower() if default is None or isinstance(default, bool) else str(default)
