"""The script beside a pipeline artefact: a picture in, its class map out, with numpy, Pillow and one runtime."""

from __future__ import annotations

from ultralytics.deploy.base import ExportJob

_SCRIPT = '''\
"""Segment pictures with {artefact}. It needs numpy, Pillow and {package}, nothing else.

python {script} street.jpg ...    writes street_map.png, whose pixels are class ids
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

{load}
NAMES = {names}


def segment(image: np.ndarray) -> np.ndarray:
    """Map an RGB picture (H, W, 3) of uint8 to class ids (H, W)."""
    images = np.ascontiguousarray(image)[None]
    return {run}


for name in sys.argv[1:]:
    picture = ImageOps.exif_transpose(Image.open(name)).convert("RGB")
    ids = segment(np.asarray(picture))
    target = Path(name).with_name(Path(name).stem + "_map.png")
    Image.fromarray(ids.astype(np.uint8 if len(NAMES) <= 256 else np.uint16)).save(target)
    found, pixels = np.unique(ids, return_counts=True)
    print(target, {{NAMES.get(int(i), str(i)): f"{{n / ids.size:.1%}}" for i, n in zip(found, pixels)}})
'''


def write_script(job: ExportJob, *, package: str, load: str, run: str) -> None:
    """Write the script as `<artefact>.py`.

    Args:
        job: the export; nothing is written unless it is a pipeline.
        package: what pip calls the runtime.
        load: lines that import it and open the artefact, which is `Path(__file__).with_suffix("")`.
        run: expression that makes ids (H, W) of `images`, uint8 (1, H, W, 3).
    """
    if not job.options.pipeline:
        return
    names = dict(job.metadata.names)
    names = {0: "background", 1: names[0]} if len(names) == 1 else names  # a binary map holds 0 and 1
    script = job.artefact.with_name(f"{job.artefact.name}.py")
    text = _SCRIPT.format(
        artefact=job.artefact.name, script=script.name, package=package, load=load, run=run, names=names
    )
    script.write_text(text, encoding="utf-8")
