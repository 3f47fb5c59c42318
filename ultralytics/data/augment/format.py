"""The last step: samples become tensors, and lists of them become batches.

Images leave in the scale 0..255 whatever they were read from, those of 16 bits as fractions of it, so that nothing of
their low byte is lost; dividing by 255 is left to the device.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch

from ultralytics.data.augment.base import Transform
from ultralytics.data.sample import Context, Sample
from ultralytics.data.targets import Target, stack
from ultralytics.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Pipeline:
    """What a dataset does with each sample it reads: augment it, then make tensors of it.

    Attributes:
        augment: from sample to sample; alone, it shows what the network will see.
    """

    augment: Transform

    def __call__(self, sample: Sample, context: Context) -> Item:
        """Return the item of a batch; see `to_item`."""
        return to_item(self.augment(sample, context))


class Item(dict[str, Any]):
    """What a batch holds of one sample, by the keys of the batch.

    Attributes:
        targets: the kinds of its targets, each with the keys that this kind joins; the others are joined by `stack`.
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        super().__init__(values)
        self.targets: list[tuple[type[Target], list[str]]] = []


def to_item(sample: Sample) -> Item:
    """Make the tensors of a sample.

    Returns:
        `img`: (C, H, W), RGB for three channels, uint8; images of more than 8 bits become float32 in 0..255.
        `im_file`, `mask_file`, `ori_shape`, `ratio_pad`, `index`: as in `Sample`, files as text.
        The rest is what the targets make of themselves.

    Raises:
        ConfigError: a target uses a key that is taken.
    """
    item = Item(
        {
            "img": _image_tensor(sample.image),
            "im_file": str(sample.image_file or ""),
            "mask_file": str(sample.label_file or ""),
            "ori_shape": sample.original_shape,
            "ratio_pad": sample.ratio_pad,
            "index": sample.index,
        }
    )
    for name, target in sample.targets.items():
        values = target.to_item()
        if taken := sorted(item.keys() & values.keys()):
            raise ConfigError(f"Target '{name}' writes '{taken[0]}' of the batch, which is taken. Give it another key.")
        item.update(values)
        item.targets.append((type(target), list(values)))
    return item


def collate(items: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Join items to a batch: each kind of target joins its own values, `stack` the rest."""
    targets = items[0].targets if isinstance(items[0], Item) else []
    owned = {key for _, keys in targets for key in keys}
    batch = stack([{key: value for key, value in item.items() if key not in owned} for item in items])
    for kind, keys in targets:
        batch.update(kind.collate([{key: item[key] for key in keys} for item in items]))
    return batch


def _image_tensor(image: np.ndarray) -> torch.Tensor:
    height, width, channels = image.shape
    planes = np.empty((channels, height, width), image.dtype)
    cv2.split(image, list(planes[::-1] if channels == 3 else planes))  # the channels are written where they belong
    if image.dtype == np.uint16:
        planes = planes.astype(np.float32)
        planes *= 255 / 65535
    return torch.from_numpy(planes)
