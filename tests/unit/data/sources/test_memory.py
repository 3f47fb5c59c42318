"""Arrays, PIL images and tensors."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from ultralytics.data.sources import load_source
from ultralytics.errors import SourceError

BGR = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)


def _frames(source, **options):
    with load_source(source, **options) as loaded:
        return [frame for batch in loaded for frame in batch]


def _image(source, **options):
    (frame,) = _frames(source, **options)
    return frame.image


def test_an_array_is_taken_as_it_is():
    (frame,) = _frames(BGR)
    np.testing.assert_array_equal(frame.image, BGR)
    assert (frame.path, frame.frame, frame.tensor) == ("image0", None, None)


def test_views_become_contiguous():
    assert _image(BGR[:, ::-1]).flags["C_CONTIGUOUS"]


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (BGR[..., 0], BGR[..., [0, 0, 0]]),
        (BGR[..., :1], BGR[..., [0, 0, 0]]),
        (np.dstack((BGR, BGR[..., 0])), BGR),
        (BGR.astype(np.uint16) * 256 + 7, BGR),
    ],
)
def test_grey_alpha_and_16_bits_become_three_channels_of_8(array, expected):
    image = _image(array)
    assert image.dtype == np.uint8
    np.testing.assert_array_equal(image, expected)


def test_grey_models_get_one_channel_and_many_bands_stay():
    assert _image(BGR, channels=1).shape == (5, 7, 1)
    bands = np.zeros((5, 7, 6), np.uint16)
    assert _image(bands, channels=6).dtype == np.uint16


@pytest.mark.parametrize(
    ("array", "told"),
    [
        (BGR / 255, "array of float64 is given; uint8"),
        (np.zeros((2, 5, 7, 3), np.uint8), r"shape \(2, 5, 7, 3\) is no image"),
        (np.zeros((0, 7, 3), np.uint8), "is no image"),
        (BGR.transpose(2, 0, 1), r"looks like \(C, H, W\)"),
        (np.zeros((5, 7, 6), np.uint8), "has 6 channels, but the model takes 3"),
    ],
)
def test_arrays_that_are_no_pictures(array, told):
    with pytest.raises(SourceError, match=told):
        load_source(array)


def test_bands_that_come_first_are_told_how_to_come_last():
    with pytest.raises(SourceError, match=r"\(6, 5, 7\) looks like \(C, H, W\).* array\.transpose\(1, 2, 0\)"):
        load_source(np.zeros((6, 5, 7), np.uint8), channels=6)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "CMYK"])
def test_pil_images_of_any_mode_become_bgr(mode):
    image = Image.new("RGB", (7, 5), (255, 0, 51)).convert(mode)
    assert abs(_image(image).astype(int) - (51, 0, 255)).max() <= 2


def test_grey_pil_images_of_8_and_16_bits():
    assert (_image(Image.new("L", (7, 5), 9)) == 9).all()
    assert (_image(Image.new("L", (7, 5), 9), channels=1) == 9).all()
    deep = Image.fromarray(np.full((5, 7), 513, np.uint16))
    assert (_image(deep) == 2).all()
    assert (_image(deep, channels=1) == 513).all()


def test_pil_images_are_turned_upright_and_keep_their_file_name(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (8, 4)).save(tmp_path / "a.jpg", exif=exif)
    with Image.open(tmp_path / "a.jpg") as image:
        (frame,) = _frames(image)
    assert frame.shape == (8, 4)
    assert frame.path == str(tmp_path / "a.jpg")


def test_lists_may_mix_everything(tmp_path, write_image):
    write_image(tmp_path / "a.png", BGR)
    frames = _frames([BGR, Image.new("RGB", (3, 2)), str(tmp_path / "a.png"), tmp_path], batch=4)
    assert [frame.path for frame in frames] == ["image0", "image1", *[str(tmp_path / "a.png")] * 2]
    assert [(frame.index, frame.total) for frame in frames] == [(0, 4), (1, 4), (2, 4), (3, 4)]


@pytest.mark.parametrize("source", [None, True, 1.5, {"a": 1}, [BGR, 3], []])
def test_other_things_are_refused(source):
    with pytest.raises(SourceError, match=r"nothing one can predict on|list of sources is empty"):
        load_source(source)


@pytest.mark.parametrize("option", [{"batch": 0}, {"vid_stride": 0}])
def test_options_have_ranges(option):
    with pytest.raises(SourceError, match="must be 1 or more"):
        load_source(BGR, **option)


def test_a_tensor_is_one_batch():
    tensor = torch.rand(3, 3, 5, 7)
    with load_source(tensor) as source:
        (batch,) = source
    assert [frame.path for frame in batch] == ["image0", "image1", "image2"]
    assert torch.equal(torch.stack([frame.tensor for frame in batch]), tensor)
    assert batch[0].shape == (5, 7)


def test_one_image_and_bytes_as_a_tensor():
    (frame,) = _frames(torch.full((3, 5, 7), 51, dtype=torch.uint8))
    assert torch.allclose(frame.tensor, torch.full((3, 5, 7), 0.2))


@pytest.mark.parametrize(
    ("tensor", "told"),
    [
        (torch.rand(5, 7), "no batch of images"),
        (torch.rand(0, 3, 5, 7), "no batch of images"),
        (torch.full((1, 3, 5, 7), 255.0), "run from 255 to 255; 0 to 1 is needed. Divide it by 255"),
        (torch.full((1, 3, 5, 7), torch.nan), "0 to 1 is needed"),
        (torch.zeros(1, 3, 5, 7, dtype=torch.int64), "torch.int64 is given"),
    ],
)
def test_tensors_that_are_no_images(tensor, told):
    with pytest.raises(SourceError, match=told):
        load_source(tensor)
