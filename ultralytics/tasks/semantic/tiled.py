"""Predicting one picture in tiles: windows are read, run through the network, joined, reduced and delivered in bands.

A file of more than `LARGE` pixels is never held: the result's `orig_img` is a preview of it. If its class map is to be
saved, the map is not held either but written while it is made, and the result's `semantic_mask` is a preview too: every
n-th pixel of the file in `mask_file`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ultralytics.data.georeference import is_georeferenced
from ultralytics.data.raster_writer import RasterWriter, writing_raster
from ultralytics.data.sources import Frame
from ultralytics.data.sources.rasters import raster_of
from ultralytics.engine.predict.prepared import InferenceBatch
from ultralytics.engine.predict.tiling import Band, TileGrid, stitch
from ultralytics.engine.predictor import BasePredictor
from ultralytics.engine.results import Results, SemanticMask
from ultralytics.engine.results.base import as_numpy, as_tensor
from ultralytics.errors import ConfigError
from ultralytics.tasks.semantic.georeferenced import map_reference, missing_id, without_missing
from ultralytics.utils import LOGGER
from ultralytics.utils.checks import check_imgsz
from ultralytics.utils.ops.letterbox import LetterboxGeometry, Window

LARGE = 1 << 25
"""Pixels above which neither a picture nor a saved map is held in memory: 100 MB of colour."""

PREVIEW = 2048
"""Longest side of the preview of such a picture."""


class TiledPrediction:
    """The prediction of one picture.

    Args:
        predictor: gives options, network and postprocessing.
        frame: the picture.

    Attributes:
        speed: milliseconds by phase, so far.
    """

    def __init__(self, predictor: BasePredictor, frame: Frame) -> None:
        self.predictor, self.frame = predictor, frame
        self.raster = raster_of(frame)
        self.speed = dict.fromkeys(("read", "preprocess", "inference", "postprocess", "write"), 0.0)
        options, model = predictor.args, predictor.model
        self.grid = TileGrid.plan(
            self.raster.shape,
            tile=check_imgsz(options.tile or options.imgsz, stride=model.stride)[0],
            overlap=options.overlap,
            stride=model.stride,
            shrink=model.dynamic,
        )
        num_ids = max(model.num_classes, 2)
        geo = self.raster.geo
        self.geo = None if geo is None else map_reference(geo, num_ids, frame.path)
        self.missing_id = missing_id(self.geo, num_ids)
        large = self.raster.shape[0] * self.raster.shape[1] > LARGE
        self.step = max(1, -(-max(self.raster.shape) // PREVIEW)) if large else 1
        self.id_type = np.uint8 if num_ids <= 255 else np.uint16  # with room for the ignored id

    @property
    def is_large(self) -> bool:
        """Whether picture and saved map are too large to hold."""
        return self.step > 1

    def run(self, mask_file: Path | None = None) -> Results:
        """Predict.

        Args:
            mask_file: GeoTIFF or TIFF to write the map to while it is made; None holds the map in memory.

        Raises:
            ConfigError: the task makes no class map, or what is asked for does not fit into memory.
        """
        if mask_file is not None and self.predictor.args.probs == "full":
            raise ConfigError(f"probs=full of '{self.frame.path}' would not fit into memory. Use probs=top1.")
        step = 1 if mask_file is None else self.step
        gathered: _Gathered | None = None
        with ExitStack() as stack:
            writer = None if mask_file is None else stack.enter_context(self._writer(mask_file))
            for band in stitch(
                self.grid, self._logits(), stride=self.predictor.model.stride, blend=self.predictor.args.blend
            ):
                part = self._reduce(band)
                if writer is not None:
                    with self._timed("write"):
                        writer.write(as_numpy(part.data))
                gathered = gathered or _Gathered(self.raster.shape, step)
                gathered.add(band.rows.start, part)
        if gathered is None:
            raise ConfigError(f"'{self.frame.path}' has no pixels.")
        result = Results(
            self.raster.preview(self.step),
            self.frame.path,
            self.predictor.model.names,
            semantic_mask=gathered.mask(self.raster.shape),
            speed=self.speed,
            palette=self.predictor.model.palette,
        )
        result.orig_shape = self.raster.shape
        result.geo = None if self.geo is None else self.geo.scaled(step, step)
        result.mask_file = None if mask_file is None else str(mask_file)
        return result

    def _writer(self, mask_file: Path) -> AbstractContextManager[RasterWriter]:
        if self.geo is None and is_georeferenced(self.frame.path):
            LOGGER.warning(
                f"The coordinates of '{self.frame.path}' are left out of '{mask_file}': rasterio, which reads them, is "
                'not installed. Install it: pip install "ultralytics-semantic[geo]"'
            )
        return writing_raster(mask_file, self.raster.shape, self.id_type, geo=self.geo)

    def _logits(self) -> Iterator[Tensor]:
        """Run the tiles in batches, and yield the logits (C, h, w) of each."""
        windows = self.grid.windows()
        while batch := list(islice(windows, max(int(self.predictor.args.batch), 1))):
            with self._timed("read"):
                pictures = [self.raster.measured(window) for window in batch]
            with self._timed("preprocess"):
                paddings = [self._padding(window) for window in batch]
                images = self.predictor.pack(pictures, paddings)
                self.predictor.batch = InferenceBatch([self.frame] * len(batch), images, paddings)
            with self._timed("inference"):
                logits = self.predictor.infer(images)
            yield from logits.float()

    def _padding(self, window: Window) -> LetterboxGeometry:
        height, width = (part.stop - part.start for part in window)
        return LetterboxGeometry.padded(
            (height, width), bottom=self.grid.rows.tile - height, right=self.grid.columns.tile - width
        )

    def _reduce(self, band: Band) -> SemanticMask:
        """Let the task reduce a band as if it were a whole image; pixels that were not measured get no class."""
        with self._timed("postprocess"):
            part = self.predictor.postprocess(band.logits, self._as_batch(band))[0].semantic_mask
        if part is None:
            raise ConfigError(f"tile={self.predictor.args.tile} joins class maps, which this model does not make.")
        with self._timed("read"):
            missing = self.raster.missing((band.rows, slice(0, self.raster.shape[1])))
        return without_missing(part, missing, self.missing_id)

    def _as_batch(self, band: Band) -> InferenceBatch:
        """Present a band as a batch of one image, of which nothing but its size can be asked."""
        pixels = np.broadcast_to(np.uint8(0), (*band.geometry.source, self.raster.channels))
        images = band.logits.new_empty(1).expand(1, self.raster.channels, *band.geometry.shape)
        return InferenceBatch([Frame(path=self.frame.path, image=pixels)], images, [band.geometry])

    @contextmanager
    def _timed(self, phase: str) -> Iterator[None]:
        begin = time.perf_counter()
        yield
        if self.predictor.model.device.type == "cuda":
            torch.cuda.synchronize(self.predictor.model.device)
        self.speed[phase] += 1000 * (time.perf_counter() - begin)


class _Gathered:
    """A class map, and what comes with it, put together from bands: every `step`-th row and column of them."""

    def __init__(self, shape: tuple[int, int], step: int) -> None:
        self.step = step
        self.shape = tuple(-(-side // step) for side in shape)
        self.maps: dict[str, Tensor] = {}

    def add(self, top: int, part: SemanticMask) -> None:
        """Copy the band that begins at row `top`."""
        first = -top % self.step
        place = -(-top // self.step)
        for name in ("data", "confidence", "entropy", "probs"):
            if (array := getattr(part, name)) is None:
                continue
            values = as_tensor(array)[..., first :: self.step, :: self.step]
            if name not in self.maps:
                self.maps[name] = values.new_empty((*values.shape[:-2], *self.shape))
            self.maps[name][..., place : place + values.shape[-2], :] = values

    def mask(self, orig_shape: tuple[int, int]) -> SemanticMask:
        """Return the whole."""
        confidence, entropy, probs = (self.maps.get(name) for name in ("confidence", "entropy", "probs"))
        return SemanticMask(self.maps["data"], orig_shape, confidence=confidence, entropy=entropy, probs=probs)
