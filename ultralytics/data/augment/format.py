"""The last step: samples become tensors, and lists of them become batches.

Images leave in the scale 0..255 whatever they were read from, those of 16 bits as fractions of it, so that nothing of
their low byte is lost; dividing by 255 is left to the device.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from torch.utils.data import default_collate

from ultralytics.data.augment.base import Transform
from ultralytics.data.sample import Context, Sample


@dataclass(frozen=True, slots=True)
class Pipeline:
    """What a dataset does with each sample it reads: augment it, then make tensors of it.

    Attributes:
        augment: from sample to sample; alone, it shows what the network will see.
    """

    augment: Transform

    def __call__(self, sample: Sample, context: Context) -> dict[str, Any]:
        """Return the item of a batch; see `to_item`."""
        return to_item(self.augment(sample, context))


def to_item(sample: Sample) -> dict[str, Any]:
    """Make the tensors of a sample.

    Returns:
        `img`: (C, H, W), RGB for three channels, uint8; images of more than 8 bits become float32 in 0..255.
        `semantic_mask`: (H, W) uint8, or int32 for maps of more than 255 classes; absent without a class map.
        `im_file`, `mask_file`, `ori_shape`, `ratio_pad`, `index`: as in `Sample`, files as text.
    """
    item: dict[str, Any] = {"img": _image_tensor(sample.image)}
    if sample.class_map is not None:
        ids = sample.class_map.ids
        item["semantic_mask"] = torch.from_numpy(ids.astype(np.uint8 if ids.dtype == np.uint8 else np.int32, order="C"))
    item["im_file"] = str(sample.image_file or "")
    item["mask_file"] = str(sample.label_file or "")
    item["ori_shape"] = sample.original_shape
    item["ratio_pad"] = sample.ratio_pad
    item["index"] = sample.index
    return item


def collate(items: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Join items to a batch: tensors are stacked (in a worker straight into shared memory), the rest become lists.

    Images of 8 bits are made float32 where others of the batch are, see `to_item`.
    """
    batch: dict[str, Any] = {}
    for key, first in items[0].items():
        values = [item[key] for item in items]
        batch[key] = default_collate(_alike(values)) if isinstance(first, torch.Tensor) else values
    return batch


def _alike(tensors: list[torch.Tensor]) -> list[torch.Tensor]:
    alike = all(tensor.dtype == tensors[0].dtype for tensor in tensors)
    return tensors if alike else [tensor.float() for tensor in tensors]


def _image_tensor(image: np.ndarray) -> torch.Tensor:
    height, width, channels = image.shape
    planes = np.empty((channels, height, width), image.dtype)
    cv2.split(image, list(planes[::-1] if channels == 3 else planes))  # the channels are written where they belong
    if image.dtype == np.uint16:
        planes = planes.astype(np.float32)
        planes *= 255 / 65535
    return torch.from_numpy(planes)
