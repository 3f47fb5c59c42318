"""Frames: their size, their name, and the picture of a tensor."""

from __future__ import annotations

import numpy as np
import torch

from ultralytics.data.sources import Frame


def test_labels_tell_pictures_from_videos():
    assert Frame(path="a.png", index=1, total=5).label == "image 2/5 a.png"
    assert Frame(path="b.avi", frame=30).label == "video 1/1 (frame 30) b.avi"


def test_the_picture_of_an_image_is_the_image():
    image = np.zeros((3, 5, 3), np.uint8)
    frame = Frame(path="a", image=image)
    assert frame.shape == (3, 5)
    assert frame.original() is image


def test_the_picture_of_a_tensor_is_bgr():
    tensor = torch.zeros(3, 2, 4)
    tensor[0], tensor[2] = 1.0, 100 / 255
    frame = Frame(path="a", tensor=tensor)
    assert frame.shape == (2, 4)
    np.testing.assert_array_equal(frame.original(), np.full((2, 4, 3), (100, 0, 255)))
    assert frame.original().dtype == np.uint8


def test_bands_of_a_tensor_keep_their_order():
    tensor = torch.arange(5).view(5, 1, 1).expand(5, 2, 2) / 255
    np.testing.assert_array_equal(Frame(path="a", tensor=tensor).original()[0, 0], range(5))
