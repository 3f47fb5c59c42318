"""Fixtures of the unit tests: files made on the spot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest


@pytest.fixture
def write_image() -> Callable[[Path, np.ndarray], Path]:
    """Write an array as an image file of the suffix's format, making its folder."""

    def write(path: Path, array: np.ndarray) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(cv2.imencode(path.suffix, array)[1].tobytes())
        return path

    return write


@pytest.fixture
def make_dataset(tmp_path: Path, write_image: Callable[[Path, np.ndarray], Path]) -> Callable[..., Path]:
    """Make a dataset of random images and masks and return its YAML.

    Masks are drawn from `ids`; `masks` replaces some of them by arrays, None leaves one out.
    """

    def make(
        yaml: str = "names: [ground, disc, bar]",
        *,
        ids: tuple[int, ...] = (0, 1, 2),
        masks: dict[str, np.ndarray | None] | None = None,
        shapes: tuple[tuple[int, int], ...] = ((24, 36),),
        counts: tuple[int, int] = (4, 2),
        name: str = "dataset",
    ) -> Path:
        root = tmp_path / name
        rng = np.random.default_rng(0)
        for split, count in zip(("train", "val"), counts, strict=True):
            for number in range(count):
                key, shape = f"{split}/{number}", shapes[number % len(shapes)]
                write_image(root / "images" / f"{key}.png", rng.integers(0, 256, (*shape, 3), dtype=np.uint8))
                mask = (masks or {}).get(key, rng.choice(np.array(ids, np.uint8), shape))
                if mask is not None:
                    write_image(root / "masks" / f"{key}.png", mask)
        file = root / "data.yaml"
        file.write_text(f"train: images/train\nval: images/val\n{yaml}\n", encoding="utf-8")
        return file

    return make
