"""Pictures in memory: arrays, PIL images, tensors."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from ultralytics.data import tiff
from ultralytics.data.description.headers import has_opacity
from ultralytics.data.imread import usual_depth
from ultralytics.data.measured import Picture, joined, to_levels, unmeasured
from ultralytics.data.sources.frame import Frame, FrameSource
from ultralytics.errors import ImageError, SourceError


@dataclass(frozen=True, slots=True)
class Array:
    """An image that is already decoded."""

    path: str
    image: np.ndarray
    missing: np.ndarray | None = None

    def frames(self) -> Iterator[Frame]:
        """Hand the image over."""
        yield Frame(path=self.path, image=self.image, missing=self.missing)


class TensorSource(FrameSource):
    """The images of one tensor, as one batch.

    Args:
        tensor: (B, C, H, W) or (C, H, W) RGB, float from 0 to 1 or uint8.

    Raises:
        SourceError: it is neither.
    """

    def __init__(self, tensor: Tensor) -> None:
        if tensor.ndim == 3:
            tensor = tensor[None]
        if tensor.ndim != 4 or not tensor.numel():
            raise SourceError(
                f"A tensor of shape {tuple(tensor.shape)} is no batch of images. "
                "Give (B, C, H, W) or (C, H, W), RGB from 0 to 1."
            )
        if tensor.dtype == torch.uint8:
            tensor = tensor.float() / 255
        if not tensor.is_floating_point():
            raise SourceError(f"A tensor of {tensor.dtype} is given; float from 0 to 1 or uint8 is needed.")
        low, high = (float(bound) for bound in tensor.aminmax())
        if not (low >= -1e-3 and high <= 1 + 1e-3):
            raise SourceError(f"The tensor's values run from {low:g} to {high:g}; 0 to 1 is needed. Divide it by 255.")
        super().__init__(len(tensor), batch=len(tensor), ahead=False)
        self._tensor = tensor

    def _frames(self) -> Generator[Frame, None, None]:
        for index, image in enumerate(self._tensor):
            yield Frame(path=f"image{index}", index=index, total=self.total, tensor=image)


def array_of(image: np.ndarray | Image.Image, channels: int, name: str) -> Array:
    """Accept an array or PIL image as a picture with the wanted number of channels.

    Args:
        image: (H, W) or (H, W, C) in BGR order, uint8, uint16, or what has such levels (see `measured`), or a PIL image
            of any mode. As in files, opacity tells what was not measured, and 16 bits of colour become 8.
        channels: 1, 3, or the number of bands the array must have.
        name: what messages and results call it.

    Raises:
        SourceError: it is no picture.
    """
    if isinstance(image, Image.Image):
        if channels not in {1, 3}:
            raise SourceError(
                f"{name}: a PIL image has 3 channels or 1, but the model takes {channels}. Give an array."
            )
        samples, nodata = _pil_samples(ImageOps.exif_transpose(image)), _pil_nodata(image)
        return Array(getattr(image, "filename", "") or name, *_picture(samples, channels, name, nodata))
    if image.ndim == 2:
        image = image[..., None]
    if image.ndim != 3 or not image.size:
        raise SourceError(f"{name}: an array of shape {image.shape} is no image; (H, W, C) or (H, W) is needed.")
    if image.shape[0] in {1, 3, channels} and image.shape[2] not in {1, 3, 4, channels}:
        raise SourceError(
            f"{name}: the shape {image.shape} looks like (C, H, W). Arrays are (H, W, C), in BGR order for three "
            "channels: give array.transpose(1, 2, 0)."
        )
    return Array(name, *_picture(image, channels, name))


def _picture(samples: np.ndarray, channels: int, name: str, nodata: float | None = None) -> Picture:
    """Bring (H, W, C) samples of any type to the wanted number of channels, as a file's are."""
    transparent = None
    if channels in {1, 3} and samples.shape[2] in {2, 4}:
        samples, transparent = samples[..., :-1], samples[..., -1] == 0
    missing = joined(unmeasured(samples, nodata), transparent)
    try:
        levels = usual_depth(to_levels(samples, missing, channels), channels)
    except ImageError as error:
        raise SourceError(
            f"{name}: an array of {samples.dtype} is given; uint8 from 0 to 255, or uint16 to 65535, is needed. "
            f"The array {error}"
        ) from error
    return Picture(np.ascontiguousarray(_with_channels(levels, channels, name)), missing)


def _with_channels(image: np.ndarray, channels: int, name: str) -> np.ndarray:
    have = image.shape[2]
    if have == channels:
        return image
    codes = {(1, 3): cv2.COLOR_GRAY2BGR, (3, 1): cv2.COLOR_BGR2GRAY}
    if (have, channels) not in codes:
        raise SourceError(f"{name}: the array has {have} channels, but the model takes {channels}.")
    converted = cv2.cvtColor(np.ascontiguousarray(image), codes[have, channels])
    return converted[..., None] if converted.ndim == 2 else converted


def _pil_samples(image: Image.Image) -> np.ndarray:
    """Take the samples of a PIL image, (H, W, C), blue first, opacity last."""
    if image.mode.startswith("I;16"):
        return np.asarray(image).astype(np.uint16)[..., None]
    if image.mode in {"L", "I", "F"} and not has_opacity(image):
        return np.asarray(image)[..., None]
    if image.mode == "1":
        return np.asarray(image.convert("L"))[..., None]
    if image.mode in {"LA", "La"}:
        return np.asarray(image.convert("LA"))
    if has_opacity(image):
        return np.asarray(image.convert("RGBA"))[..., (2, 1, 0, 3)]
    return np.asarray(image.convert("RGB"))[..., ::-1]


def _pil_nodata(image: Image.Image) -> float | None:
    """Read the nodata value of a TIFF that was opened with PIL."""
    text = getattr(image, "tag_v2", {}).get(tiff.NODATA)
    try:
        return None if text is None else float(text.rstrip("\0 "))
    except ValueError:
        return None
