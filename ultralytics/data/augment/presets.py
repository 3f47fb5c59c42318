"""The augmentations of training and validation, as the options ask for them, and those of the user."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

import cv2
import numpy as np

from ultralytics.cfg import Config
from ultralytics.data.augment.base import Compose, Transform
from ultralytics.data.augment.color import RandomHSV, SwapChannels
from ultralytics.data.augment.format import Pipeline
from ultralytics.data.augment.geometry import LetterBox, RandomFlip, RandomPerspective, Shape
from ultralytics.data.augment.mix import CopyPaste, CutMix, MixUp, Mosaic
from ultralytics.data.sample import Context, Sample
from ultralytics.data.targets import require_like
from ultralytics.errors import ConfigError

Taken = TypeVar("Taken")


def train_transforms(
    config: Config, shape: Shape, *, channels: int = 3, augmentations: Sequence[Transform | Callable[..., Any]] = ()
) -> Pipeline:
    """Build what happens to a training sample.

    Joined or not, every sample is warped once. With `rect` the whole image is fitted in before that, and nothing is
    joined; samples then come with their long side as long as the result's, otherwise with their short side.

    Args:
        config: the options of augmentation.
        shape: size of the result; with `rect` usually a table of the sizes of the batches.
        channels: number of channels of the images; colours are changed in images of three.
        augmentations: further transforms, applied after those of the options (but for `bgr`): our own, or callables in
            the manner of Albumentations, see `UserTransform`.

    Example:
        >>> from ultralytics.cfg import get_cfg
        >>> pipeline = train_transforms(get_cfg(overrides={"mosaic": 0.5}), 480)
    """
    steps = _whole_image(config, shape) if config.rect else _joined(config, shape)
    if channels == 3:
        steps.append(RandomHSV(config.hsv_h, config.hsv_s, config.hsv_v))
    steps.append(RandomFlip(config.fliplr, config.flipud))
    steps += [step if isinstance(step, Transform) else UserTransform(step) for step in augmentations]
    if config.bgr > 0:
        steps.append(SwapChannels(config.bgr))
    return Pipeline(Compose(steps))


def val_transforms(shape: Shape, *, center: bool = True) -> Pipeline:
    """Build what happens to a validation sample: it is fitted into the rectangle, and only made smaller for it.

    Args:
        shape: size of the result; for batches in the shape of their images a table with a row for each.
        center: pad on all sides, else at bottom and right.
    """
    return Pipeline(LetterBox(shape, center=center, scaleup=False))


def _warp(config: Config, shape: Shape | None) -> RandomPerspective:
    return RandomPerspective(
        shape,
        degrees=config.degrees,
        translate=config.translate,
        scale=config.scale,
        shear=config.shear,
        perspective=config.perspective,
    )


def _whole_image(config: Config, shape: Shape) -> list[Transform]:
    return [LetterBox(shape, scaleup=False), _warp(config, None)]


def _joined(config: Config, shape: Shape) -> list[Transform]:
    steps: list[Transform] = [Mosaic(shape, _warp(config, shape), config.mosaic)]
    if config.copy_paste > 0:
        steps.append(CopyPaste(steps[0], config.copy_paste, mode=config.copy_paste_mode))
    single = Compose(steps)
    joins = [join(single, chance) for join, chance in ((MixUp, config.mixup), (CutMix, config.cutmix)) if chance > 0]
    return [*steps, *joins]


class UserTransform(Transform):
    """Call an augmentation of the user's, or of Albumentations.

    It gets `image` (RGB for three channels) and each target under its name (`mask` for a class per pixel). It returns a
    dict of them; image and mask keep size and type. What is uncovered in a mask should be given the ignored id
    (Albumentations: `fill_mask=255`).
    One that has `set_random_seed` is seeded anew for each sample, so that a run can be repeated.

    Args:
        function: called as `function(image=..., mask=...)`, without mask for samples that have none.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function

    def draw(self, sample: Sample, context: Context) -> int:
        """Draw a seed."""
        return int(context.rng.integers(2**31))

    def apply(self, sample: Sample, parameters: int) -> Sample:
        """Call the function with copies.

        Raises:
            ConfigError: what it returns does not fit.
        """
        if hasattr(self.function, "set_random_seed"):
            self.function.set_random_seed(parameters)
        color = sample.image.shape[2] == 3
        given = cv2.cvtColor(sample.image, cv2.COLOR_BGR2RGB) if color else sample.image.copy()
        arguments = {name: target.to_argument() for name, target in sample.targets.items()}
        result = self.function(image=given, **arguments)
        image = self._take("image", result, partial(require_like, given))
        targets = {name: self._take(name, result, target.from_argument) for name, target in sample.targets.items()}
        image = cv2.cvtColor(image, cv2.COLOR_RGB2BGR) if color else image
        return sample.replace(image=image, targets=targets, ratio_pad=None)

    def _take(self, name: str, result: Any, take: Callable[[Any], Taken]) -> Taken:
        """Take one value out of what the function returned."""
        made = result.get(name) if isinstance(result, dict) else None
        try:
            return take(made)
        except ValueError as error:
            what = f"{made.dtype} {made.shape}" if isinstance(made, np.ndarray) else "no array"
            raise ConfigError(
                f"Augmentation {self.function!r} returned {what} as '{name}'. "
                f"It must return a dict whose '{name}' is {error}."
            ) from error
