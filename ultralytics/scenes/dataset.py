"""Drawing single scenes, and writing a whole dataset of them that is either complete or absent."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from ultralytics.errors import DatasetError
from ultralytics.scenes.light import draw_light
from ultralytics.scenes.painter import Painter
from ultralytics.scenes.render import render
from ultralytics.scenes.street import paint_street
from ultralytics.scenes.world import OVERSAMPLE, Camera
from ultralytics.utils.parallel import in_threads

VERSION = 1
"""Raised when scenes of the same seed would look different; datasets of another version are drawn anew."""

MANIFEST = "scenes.json"
"""Says which scenes a folder holds; it is written last, so a folder that has it is complete."""

_SPLITS = ("train", "val")


def scene(seed: int | Sequence[int], size: tuple[int, int] = (288, 384)) -> tuple[np.ndarray, np.ndarray]:
    """Draw one street scene.

    Args:
        seed: what the scene is drawn from; the same seed and size give the same arrays.
        size: (height, width) in pixels.

    Returns:
        image (H, W, 3) uint8 BGR and class ids (H, W) uint8, see `StreetClass`; every pixel has a class.

    Example:
        >>> image, ids = scene(0)
        >>> image.shape, ids.shape
        ((288, 384, 3), (288, 384))
    """
    rng = np.random.default_rng(seed)
    height, width = (side * OVERSAMPLE for side in size)
    camera = Camera(
        shape=(height, width),
        focal=width * rng.uniform(0.7, 0.95),
        centre=width * rng.uniform(0.36, 0.64),
        horizon=height * rng.uniform(0.4, 0.52),
        eye=rng.uniform(1.4, 2.2),
        bend=rng.uniform(-0.0012, 0.0012),
    )
    painter = Painter(camera, draw_light(rng))
    paint_street(painter, rng)
    return render(painter, rng)


def generate(
    root: Path, *, train: int = 400, val: int = 80, size: tuple[int, int] = (288, 384), seed: int = 0
) -> None:  # fmt: skip
    """Write a dataset of street scenes: `images/{train,val}/*.jpg` and `masks/{train,val}/*.png`.

    Nothing is done where `root` already holds these scenes. They are drawn beside `root` and moved there when all are
    written, so that an interruption leaves no half of a dataset.

    Args:
        root: folder of the dataset.
        train: number of training images.
        val: number of validation images.
        size: (height, width) of the images.
        seed: another seed gives other scenes.

    Raises:
        DatasetError: `root` holds something else, which is left alone.
    """
    manifest = {"version": VERSION, "train": train, "val": val, "size": list(size), "seed": seed}
    if _manifest(root) == manifest:
        return
    _check_replaceable(root)
    root.parent.mkdir(parents=True, exist_ok=True)
    workshop = Path(tempfile.mkdtemp(prefix=f".{root.name}-", dir=root.parent))
    try:
        _write(workshop / "new", {"train": train, "val": val}, size, seed)
        (workshop / "new" / MANIFEST).write_text(json.dumps(manifest))
        _install(workshop, root, manifest)
    finally:
        shutil.rmtree(workshop, ignore_errors=True)


def _write(folder: Path, counts: dict[str, int], size: tuple[int, int], seed: int) -> None:
    """Draw and write all scenes on all cores."""
    for kind in ("images", "masks"):
        for split in _SPLITS:
            (folder / kind / split).mkdir(parents=True)

    def draw(job: tuple[str, int]) -> None:
        split, index = job
        image, ids = scene((seed, _SPLITS.index(split), index), size)
        jpeg = cv2.imencode(".jpg", image, (cv2.IMWRITE_JPEG_QUALITY, 95))[1]
        (folder / "images" / split / f"{index:05}.jpg").write_bytes(jpeg.tobytes())
        (folder / "masks" / split / f"{index:05}.png").write_bytes(cv2.imencode(".png", ids)[1].tobytes())

    jobs = [(split, index) for split in _SPLITS for index in range(counts[split])]
    for _ in in_threads(draw, jobs, desc="Drawing street scenes"):
        pass


def _install(workshop: Path, root: Path, manifest: dict[str, object]) -> None:
    """Move the new dataset into place, and older scenes out of it."""
    try:
        if root.exists():
            root.rename(workshop / "old")
        (workshop / "new").rename(root)
    except OSError:
        if _manifest(root) != manifest:  # else another process was faster, and wrote the same
            raise


def _check_replaceable(root: Path) -> None:
    """Refuse to replace anything but scenes of another kind."""
    if not root.exists():
        return
    guests = [root.name] if not root.is_dir() else sorted(path.name for path in root.iterdir())
    if _manifest(root) is not None:
        guests = [name for name in guests if name not in {"images", "masks", MANIFEST}]
    if guests:
        raise DatasetError(
            f"Street scenes belong into '{root}', but it holds something else ('{guests[0]}'). "
            "Move that away, or choose another datasets folder: yolo settings datasets_dir=..."
        )


def _manifest(root: Path) -> dict[str, object] | None:
    """Read what scenes a folder holds; None where it does not say."""
    try:
        manifest = json.loads((root / MANIFEST).read_text())
    except (OSError, ValueError):
        return None
    return manifest if isinstance(manifest, dict) else None
