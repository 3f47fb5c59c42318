"""The prediction loop, with a predictor that answers the mean brightness instead of a task."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from ultralytics.cfg import get_cfg
from ultralytics.data.sources import Frame
from ultralytics.engine.events import CallbackList
from ultralytics.engine.predictor import BasePredictor, InferenceBatch
from ultralytics.engine.results import Results
from ultralytics.errors import MissingFile, SourceError
from ultralytics.nn.autobackend import AutoBackend
from ultralytics.nn.model import GraphModel

Make = Callable[..., BasePredictor]


class Brightness(BasePredictor):
    """Keeps the inputs it saw; its results are empty."""

    inputs: list[torch.Tensor]

    def postprocess(self, outputs: Any, batch: InferenceBatch) -> list[Results]:
        self.inputs.append(batch.images)
        return [Results(frame.original(), frame.path, self.model.names) for frame in batch.frames]


@pytest.fixture(scope="module")
def backend() -> AutoBackend:
    return AutoBackend(GraphModel("yolo26n-sem.yaml", nc=2).eval(), torch.device("cpu"))


@pytest.fixture
def make(backend: AutoBackend, tmp_path: Path) -> Make:
    def predictor(callbacks: CallbackList | None = None, **options: Any) -> Brightness:
        config = get_cfg({"imgsz": 64, "verbose": False, "project": str(tmp_path / "runs"), **options}, mode="predict")
        made = Brightness(config, backend, task="t", callbacks=callbacks)
        made.inputs = []
        return made

    return predictor


def pictures(*shapes: Sequence[int]) -> list[np.ndarray]:
    return [np.full((*shape, 3), (255, 0, 51), np.uint8) for shape in shapes]  # blue, green, red


def test_pixels_become_rgb_from_0_to_1_in_a_letterbox(make: Make) -> None:
    predictor = make(rect=False)
    predictor(pictures((32, 64)))
    (images,) = predictor.inputs
    assert images.shape == (1, 3, 64, 64)
    assert torch.allclose(images[0, :, 32, 32], torch.tensor([0.2, 0.0, 1.0]))
    assert torch.allclose(images[0, :, 0, 0], torch.tensor(114 / 255))


def test_sixteen_bits_reach_the_network_beside_bytes(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = np.full((64, 64, 3), 40_000, np.uint16)
    deep[:, ::2] += 1  # a pattern in the low byte
    predictor = make(batch=2)
    monkeypatch.setattr("ultralytics.data.sources.memory.usual_depth", lambda image, channels: image)
    predictor([pictures((64, 64))[0], deep])
    bytes_, words = predictor.inputs
    assert torch.allclose(bytes_[0, :, 0, 0], torch.tensor([0.2, 0.0, 1.0]))
    assert torch.equal(words[0, 0, 0, :2], torch.tensor([40_001, 40_000]).float().div(65535))


def test_a_pipeline_gets_bytes(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    predictor = make()
    monkeypatch.setattr(predictor.model, "pipeline", True)
    deep = np.full((20, 30, 3), (257, 0, 65535), np.uint16)
    images = predictor.preprocess([Frame(path="a", image=deep)]).images
    assert images.dtype == torch.uint8
    assert images[0, 0, 0].tolist() == [255, 0, 1]


def test_one_shape_is_padded_to_the_stride_only(make: Make) -> None:
    predictor = make(rect=True)
    predictor(pictures((20, 64)))
    predictor(pictures((64, 64), (20, 64)), stream=False)
    assert [tuple(images.shape[2:]) for images in predictor.inputs] == [(32, 64), (64, 64), (32, 64)]


@pytest.mark.parametrize("rect", [True, False])
def test_images_of_a_batch_are_padded_as_alone_and_keep_their_order(make: Make, rect: bool) -> None:
    shapes = [(20, 64), (64, 64), (64, 20), (40, 128), (128, 128), (20, 64)]
    alone, together = make(rect=rect), make(rect=rect, batch=len(shapes))
    images = [image * (number + 1) for number, image in enumerate(pictures(*shapes))]
    for image in images:
        alone([image])
    results = together(images)
    assert [result.path for result in results] == [f"image{number}" for number in range(len(shapes))]
    assert [(result.orig_img == image).all() for result, image in zip(results, images, strict=True)]
    groups = [[0, 3, 5], [1, 4], [2]] if rect else [list(range(len(shapes)))]
    for group, inputs in zip(groups, together.inputs, strict=True):
        assert torch.equal(inputs, torch.cat([alone.inputs[number] for number in group]))


def test_the_log_tells_the_input_of_each_image(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", "ultralytics"):
        make(batch=2, verbose=True)(pictures((64, 64), (20, 64)))
    lines = [message for message in caplog.messages if message.startswith("image ")]
    assert ["64x64" in lines[0], "32x64" in lines[1]] == [True, True]


def test_vectors_come_in_the_order_of_the_images(make: Make) -> None:
    images = pictures((64, 64), (20, 64), (64, 64))
    vectors = make(batch=3, embed=[0])(images)
    for image, vector in zip(images, vectors, strict=True):
        assert torch.allclose(vector, make(embed=[0])([image])[0], atol=1e-6)  # type: ignore[arg-type]


def test_batches_and_events(make: Make) -> None:
    callbacks, seen = CallbackList(), []
    for event in ("on_predict_start", "on_predict_batch_start", "on_predict_batch_end", "on_predict_end"):
        callbacks.add(event, lambda _, event=event: seen.append(event.removeprefix("on_predict_")))
    predictor = make(callbacks, batch=2)
    results = predictor(pictures((64, 64), (32, 64), (64, 64)))
    assert [len(images) for images in predictor.inputs] == [1, 1, 1]  # the first two differ in shape
    assert seen == ["start", *["batch_start", "batch_end"] * 2, "end"]
    assert all(value >= 0 for result in results for value in result.speed.values())
    assert [result.orig_shape for result in results] == [(64, 64), (32, 64), (64, 64)]


def test_tensors_are_taken_as_they_are_but_padded(make: Make) -> None:
    predictor = make()
    tensor = torch.rand(2, 3, 40, 64)
    predictor(tensor)
    assert predictor.inputs[0].shape == (2, 3, 64, 64)
    assert torch.equal(predictor.inputs[0][:, :, :40], tensor)
    with pytest.raises(SourceError, match="4 channels, the model takes 3"):
        predictor(torch.rand(1, 4, 32, 32))


def test_what_cannot_be_read_is_remembered(make: Make, write_image: Callable, tmp_path: Path) -> None:
    good = write_image(tmp_path / "a.png", pictures((32, 32))[0])
    (tmp_path / "b.png").write_bytes(b"nothing")
    predictor = make()
    assert [result.path for result in predictor(tmp_path)] == [str(good)]
    assert [path for path, _ in predictor.skipped] == [str(tmp_path / "b.png")]
    predictor(good)
    assert predictor.skipped == []
    assert not (tmp_path / "runs").exists()


def test_images_without_a_measured_pixel_are_told_once(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    clear, half = np.zeros((32, 32, 4), np.uint8), np.zeros((32, 32, 4), np.uint8)
    half[:16, :, 3] = 255
    predictor = make(batch=2)
    predictor([clear, half, clear])
    assert predictor.unmeasured == ["image0", "image2"]
    (message,) = [record.getMessage() for record in caplog.records if "transparent" in record.getMessage()]
    assert "2 ('image0', 'image2')" in message


def test_no_source_is_an_error(make: Make) -> None:
    with pytest.raises(SourceError, match="Give a source"):
        make()()


def test_the_time_limit_of_streams_is_an_option(make: Make) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"rtsp://127.0.0.1:{silent.getsockname()[1]}/live"
        with pytest.raises(SourceError, match=r"has sent no frame for 0\.3 seconds"):
            make(stream_timeout=0.3)(address, stream=False)


def write_video(path: Path, frames: int) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 64))
    for _ in range(frames):
        writer.write(pictures((64, 64))[0])
    writer.release()
    return path


def test_videos_and_generators_are_streamed_unless_a_list_is_asked_for(make: Make, tmp_path: Path) -> None:
    video = str(write_video(tmp_path / "clip.avi", 3))
    predictor = make()
    results = predictor(video)
    assert predictor.inputs == []  # nothing happens before the first is asked for
    assert [result.orig_shape for result in results] == [(64, 64)] * 3
    assert isinstance(predictor(video, stream=False), list)
    assert isinstance(predictor(pictures((64, 64))), list)
    with pytest.raises(TypeError, match="stream=False makes a list"):
        predictor(video)[0]  # type: ignore[index]


def test_a_generator_is_read_as_far_as_results_are_asked_for(make: Make) -> None:
    given: list[int] = []

    def endless() -> Iterator[np.ndarray]:
        while True:
            given.append(len(given))
            yield pictures((64, 32 + len(given)))[0]

    results = make()(endless())
    found = [next(results) for _ in range(3)]  # type: ignore[call-overload]
    results.close()  # type: ignore[union-attr]
    assert [(result.path, result.orig_shape) for result in found] == [
        ("image0", (64, 33)),
        ("image1", (64, 34)),
        ("image2", (64, 35)),
    ]
    assert len(given) == 3
    with pytest.raises(SourceError, match="image0: a str came"):
        next(make()(iter(["a.jpg"])))  # type: ignore[call-overload]


def test_a_stream_that_nobody_reads_says_so(make: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    video = str(write_video(tmp_path / "clip.avi", 1))
    make(save=True)(video)
    assert "Nothing was predicted:" in caplog.text
    caplog.clear()
    list(make()(video))
    make()(video).close()  # type: ignore[union-attr]
    assert "Nothing was predicted" not in caplog.text


def test_a_source_that_is_not_there_is_an_error_at_once(make: Make) -> None:
    with pytest.raises(MissingFile):
        make()("no-such.mp4", stream=True)
