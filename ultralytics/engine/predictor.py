"""The prediction loop: source -> preprocess -> infer -> postprocess -> results, one batch in memory at a time."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from ultralytics.cfg import Config
from ultralytics.data.imread import to_depth
from ultralytics.data.sources import Frame, Source, load_source
from ultralytics.data.sources.rasters import windowed
from ultralytics.engine.events import CallbackList
from ultralytics.engine.predict.features import LayerOutputs, attention, heat_map, pooled
from ultralytics.engine.predict.prepared import InferenceBatch
from ultralytics.engine.predict.saving import ResultSaver, drawing, writes_files
from ultralytics.engine.results import Results
from ultralytics.engine.results.stream import ResultStream
from ultralytics.engine.run_folder import open_run_folder
from ultralytics.errors import ConfigError, SourceError
from ultralytics.nn.autobackend import AutoBackend
from ultralytics.utils import LOGGER
from ultralytics.utils.checks import check_imgsz
from ultralytics.utils.ops.letterbox import PAD_VALUE, LetterboxGeometry, letterbox
from ultralytics.utils.progress import progress


class BasePredictor:
    """Predict on anything that is a source.

    A task overrides `postprocess` and, where a forward pass is not all there is to it, `infer`; `place` to finish
    results, and `predict_large` if its results of tiles can be joined.

    Args:
        config: the options of the call.
        model: what runs the network.
        task: name of the task, a level of the run folder.
        callbacks: user's callbacks.
    """

    def __init__(self, config: Config, model: AutoBackend, *, task: str, callbacks: CallbackList | None = None) -> None:
        self.args = config
        self.model = model
        self.task = task
        self.callbacks = callbacks or CallbackList()
        self.save_dir: Path | None = None
        self.results: list[Results] = []
        self.skipped: list[tuple[str, str]] = []  # sources that could not be read, and why
        self.batch: InferenceBatch | None = None
        self.unmeasured: list[str] = []  # images that were read whole and have no measured pixel
        self.input_shapes: list[tuple[int, int]] = []  # (height, width) of the input each result comes from
        self.activation_maps: list[
            np.ndarray | None
        ] = []  # with `visualize`, of each image of the batch, (H, W) from 0 to 1

    def infer(self, images: Tensor) -> Any:
        """Run the network on float images (B, C, H, W) in [0, 1]."""
        return self.model(images)

    def postprocess(self, outputs: Any, batch: InferenceBatch) -> list[Results]:
        """Turn the network's outputs into one result per frame."""
        raise NotImplementedError

    def place(self, result: Results, frame: Frame) -> None:
        """Finish the result of an image that was read whole: say where it lies, and what of it was not measured."""

    def predict_large(self, frame: Frame, saver: ResultSaver) -> tuple[Results, tuple[int, int]]:
        """Predict an image of any size in tiles; return the result and the (height, width) of a tile.

        Raises:
            ConfigError: the task cannot join tiles.
        """
        raise ConfigError(f"tile={self.args.tile}: results of the task '{self.task}' are not joined from tiles.")

    def __call__(self, source: Any = None, *, stream: bool | None = None) -> list[Results] | Iterator[Results]:
        """Predict; a list of results, or with `stream` a generator that holds one batch at a time.

        Without a word on it, videos, cameras and generators are streamed: memory might not hold all their results.
        With `embed` a vector (C,) per image takes the place of each result.
        """
        frames = self._frames(self.args.source if source is None else source)
        results: Generator[Any, None, None] = self.stream(frames) if self.args.embed is None else self.embed(frames)
        if stream is None and frames.is_long:
            return ResultStream(results)
        return results if stream else list(results)

    @torch.inference_mode()
    def embed(self, frames: Source) -> Generator[Tensor, None, None]:
        """Yield for each image what the layers listed in `embed` return, averaged over its area; `save` writes it."""
        layers = LayerOutputs(self.model, self.args.embed)
        self.unmeasured = []
        with frames, self._saver(frames) as saver, self._bar(frames) as bar, layers:
            for batch in frames:
                vectors: list[Tensor] = [torch.empty(0)] * len(batch)
                for positions in self._groups(batch):
                    self.model(self.preprocess([batch[position] for position in positions]).images)
                    for position, vector in zip(positions, pooled(layers.take()), strict=True):
                        vectors[position] = vector
                for frame, vector in zip(batch, vectors, strict=True):
                    saver.save_vector(frame, vector.cpu().numpy())
                    bar.update()
                    yield vector
        self._report(0, {})

    def stream(self, frames: Source) -> Generator[Results, None, None]:
        """Yield results one by one; files are closed when the generator ends, is closed or fails."""
        if self.args.save_conf and self.args.probs is None:
            self.args = self.args.replace(probs="top1")  # what is written has to be kept
        self.activation_maps, self.unmeasured = [], []
        self.callbacks.run("on_predict_start", self)
        count, totals = 0, dict.fromkeys(("read", "preprocess", "inference", "postprocess", "write"), 0.0)
        with frames, self._saver(frames) as saver, self._bar(frames) as bar:
            read_since = time.perf_counter()
            for batch in frames:
                read = time.perf_counter() - read_since
                self.callbacks.run("on_predict_batch_start", self)
                self.results = self._predict_tiled(batch, read, saver) if self.args.tile else self._predict(batch, read)
                self.callbacks.run("on_predict_postprocess_end", self)
                strengths = self.activation_maps or [None] * len(batch)
                for result, frame, shape, strength in zip(
                    self.results, batch, self.input_shapes, strengths, strict=True
                ):
                    self._deliver(result, frame, shape, saver)
                    if strength is not None:
                        saver.save_picture(frame, "_cam", heat_map(result.orig_img, strength))
                    count += 1
                    bar.update()
                    for phase, milliseconds in result.speed.items():
                        totals[phase] += milliseconds or 0.0
                    yield result
                self.callbacks.run("on_predict_batch_end", self)
                read_since = time.perf_counter()
        self._report(count, totals)
        self.callbacks.run("on_predict_end", self)

    def _frames(self, source: Any) -> Source:
        """Open a source; what it cannot read is listed in `skipped`."""
        if source is None:
            raise SourceError("Nothing to predict on. Give a source: an image, folder, glob, video, URL or array.")
        frames = load_source(
            source,
            batch=1 if self.model.pipeline else max(int(self.args.batch), 1),
            vid_stride=self.args.vid_stride,
            stream_buffer=self.args.stream_buffer,
            channels=self.model.channels,
            timeout=self.args.stream_timeout,
        )
        if self.args.tile:
            if self.args.visualize or self.args.embed is not None:
                raise ConfigError("embed and visualize look at a picture in one pass. Leave tile= out.")
            frames = windowed(frames)
        self.skipped = frames.skipped
        return frames

    def _bar(self, frames: Source) -> tqdm:
        """Show in a terminal how far folders and videos are; a single picture needs no bar."""
        hidden = not self.args.verbose or frames.count == 1
        return progress(desc="predicting", total=frames.count, unit="image", leave=False, disable=hidden or None)

    @torch.inference_mode()
    def _predict(self, frames: Sequence[Frame], read: float) -> list[Results]:
        """Run the frames of one batch, those of one input shape together, and return the results in their order."""
        answers: dict[int, tuple[Results, tuple[int, int], np.ndarray | None]] = {}
        for positions in self._groups(frames):
            results, strengths = self._predict_group([frames[position] for position in positions])
            shape = self.batch.images.shape[2:]  # type: ignore[union-attr]
            for position, result, strength in zip(positions, results, strengths, strict=True):
                result.speed["read"] = 1000 * read / len(frames)
                answers[position] = result, (shape[0], shape[1]), strength
        ordered = [answers[position] for position in range(len(frames))]
        self.input_shapes = [shape for _, shape, _ in ordered]
        self.activation_maps = [strength for _, _, strength in ordered] if self.args.visualize else []
        return [result for result, _, _ in ordered]

    def _predict_group(self, frames: Sequence[Frame]) -> tuple[list[Results], list[np.ndarray | None]]:
        """Run frames that share an input, and attach the milliseconds per image of each phase."""
        marks = [time.perf_counter()]
        self.batch = self.preprocess(frames)
        self._mark(marks)
        with LayerOutputs(self.model) if self.args.visualize else nullcontext() as features:
            outputs = self.infer(self.batch.images)
        self._mark(marks)
        results = self.postprocess(outputs, self.batch)
        self._mark(marks)
        phases = [1000 * (end - begin) / len(frames) for begin, end in pairwise(marks)]
        speed = dict(zip(("preprocess", "inference", "postprocess"), phases, strict=True))
        for result, frame in zip(results, frames, strict=True):
            result.speed = {"read": 0.0, **speed, "write": 0.0}
            result.save_dir = None if self.save_dir is None else str(self.save_dir)
            if frame.missing is not None and frame.missing.all():
                self.unmeasured.append(frame.path)
            if frame.frame is None:
                self.place(result, frame)
        if features is None:
            return results, [None] * len(frames)
        maps = zip(features.take()[0], self.batch.geometries, strict=True)
        return results, [attention(one, geometry) for one, geometry in maps]

    @torch.inference_mode()
    def _predict_tiled(self, frames: Sequence[Frame], read: float, saver: ResultSaver) -> list[Results]:
        """Predict pictures in tiles, one after the other; maps too large to hold are written while they are made."""
        results, self.input_shapes = [], []
        for frame in frames:
            result, shape = self.predict_large(frame, saver)
            result.speed["read"] = (result.speed["read"] or 0.0) + 1000 * read / len(frames)
            result.save_dir = None if self.save_dir is None else str(self.save_dir)
            results.append(result)
            self.input_shapes.append(shape)
        return results

    def _mark(self, marks: list[float]) -> None:
        if self.model.device.type == "cuda":
            torch.cuda.synchronize(self.model.device)
        marks.append(time.perf_counter())

    def geometry(self, shape: tuple[int, int]) -> LetterboxGeometry:
        """Tell where an image of (height, width) lies in its input; no other image has a say in it."""
        target = check_imgsz(self.model.imgsz or self.args.imgsz, stride=self.model.stride)
        minimal = self.args.rect and self.model.dynamic
        return LetterboxGeometry.fit(shape, target, stride=self.model.stride, minimal=minimal)

    def _groups(self, frames: Sequence[Frame]) -> list[list[int]]:
        """List the places of the frames that share an input: those of one shape and depth.

        A common shape or depth for all would make an image's padding or rounding, and so its map, depend on the others.
        """
        if len(frames) == 1 or frames[0].tensor is not None:
            return [list(range(len(frames)))]
        groups: dict[tuple[tuple[int, int], np.dtype], list[int]] = {}
        for position, frame in enumerate(frames):
            groups.setdefault((self.geometry(frame.shape).shape, frame.image.dtype), []).append(position)
        return list(groups.values())

    def preprocess(self, frames: Sequence[Frame]) -> InferenceBatch:
        """Fit frames of one input shape into one input: letterboxed pixels, turned to float on the device."""
        if frames[0].tensor is not None:
            return self._prepare_tensors(frames)
        if self.model.pipeline:
            return self._whole(frames[0])
        geometries = [self.geometry(frame.shape) for frame in frames]
        return InferenceBatch(frames, self.pack([frame.filled for frame in frames], geometries), geometries)

    def pack(self, pictures: Sequence[np.ndarray], geometries: Sequence[LetterboxGeometry]) -> Tensor:
        """Place (H, W, C) pictures, all uint8 or all uint16, in an input (B, C, H, W), float RGB in [0, 1]."""
        canvas = np.empty((len(pictures), *geometries[0].shape, pictures[0].shape[2]), pictures[0].dtype)
        for slot, picture, geometry in zip(canvas, pictures, geometries, strict=True):
            letterbox(picture, geometry, out=slot)
            if slot.shape[2] == 3:
                cv2.cvtColor(slot, cv2.COLOR_BGR2RGB, dst=slot)
        # (B, H, W, C) in memory is channels_last: no copy is made to get there.
        images = torch.from_numpy(canvas).permute(0, 3, 1, 2).to(self.model.device, non_blocking=True)
        return images.float().div_(np.iinfo(canvas.dtype).max)

    def _whole(self, frame: Frame) -> InferenceBatch:
        """Take a picture as it is: the graph resizes it."""
        picture = np.ascontiguousarray(to_depth(frame.filled, np.uint8)[..., ::-1])  # such graphs take bytes
        return InferenceBatch([frame], torch.from_numpy(picture)[None], [LetterboxGeometry.padded(picture.shape[:2])])

    def _prepare_tensors(self, frames: Sequence[Frame]) -> InferenceBatch:
        """Take tensors as they are; sizes that the stride does not divide are padded at the bottom and right."""
        images = (
            torch.stack([frame.tensor for frame in frames if frame.tensor is not None]).to(self.model.device).float()
        )
        if images.shape[1] != self.model.channels:
            raise SourceError(f"The tensor has {images.shape[1]} channels, the model takes {self.model.channels}.")
        height, width = images.shape[2:]
        stride = self.model.stride
        bottom, right = -height % stride, -width % stride
        if bottom or right:
            images = torch.nn.functional.pad(images, (0, right, 0, bottom), value=PAD_VALUE / 255)
        geometry = LetterboxGeometry.padded((height, width), top=0, left=0, bottom=bottom, right=right)
        return InferenceBatch(frames, images, [geometry] * len(frames))

    # Delivering -----------------------------------------------------------------------------------------------------

    @contextmanager
    def _saver(self, frames: Source) -> Iterator[ResultSaver]:
        """Open the folder of the run, if anything is written, and what writes to it."""
        with ExitStack() as stack:
            if self.save_dir is None and writes_files(self.args):
                self.save_dir = stack.enter_context(open_run_folder(self.args, self.task, "predict"))
            yield stack.enter_context(ResultSaver(self.args, self.save_dir, live=frames.live, files=frames.files))

    def _deliver(self, result: Results, frame: Frame, shape: tuple[int, int], saver: ResultSaver) -> None:
        """Write, show and log one result, as asked; `shape` is that of the network's input."""
        begin = time.perf_counter()
        saver.save(result, frame)
        result.speed["write"] = (result.speed["write"] or 0.0) + 1000 * (time.perf_counter() - begin)
        if self.args.show:
            result.show(**drawing(self.args))
        if self.args.verbose:
            LOGGER.info(f"{frame.label}: {shape[0]}x{shape[1]} {result.verbose()} {result.speed['inference']:.1f}ms")

    def _report(self, count: int, totals: dict[str, float]) -> None:
        if self.args.verbose and count:
            phases = ", ".join(f"{phase} {total / count:.1f}ms" for phase, total in totals.items())
            LOGGER.info(f"Speed per image: {phases}")
        if self.save_dir is not None and self.save_dir.exists():
            LOGGER.info(f"Results in {self.save_dir}")
        if self.unmeasured:
            examples = ", ".join(f"'{path}'" for path in self.unmeasured[:3])
            LOGGER.warning(
                f"Images without a class, as all of their pixels are transparent or nodata: {len(self.unmeasured)} "
                f"({examples}). Remove their alpha channel or nodata value if they do show something."
            )
        if self.skipped:
            LOGGER.warning(f"Left out because they could not be read, each named above: {len(self.skipped)}.")
