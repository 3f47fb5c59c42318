"""Arrays in memory that two processes see; here both halves are in one."""

from __future__ import annotations

import gc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from ultralytics.deploy.sandbox.sharing import Receiver, Segment, Sender

KINDS = st.sampled_from([np.uint8, np.int32, np.float16, np.float32])


def _exchange(sender, receiver, images, outputs):
    """Send images, answer with outputs, as the two processes do."""
    described, segment = sender.images(images), sender.output()
    receiver.meet({"images": described, "output": segment.describe(), "forget": sender.dropped()})
    seen = receiver.array(described).copy()
    answer = receiver.write(outputs, segment.describe())
    if "grow" in answer:
        segment = sender.output(answer["grow"])
        receiver.meet({"output": segment.describe(), "forget": sender.dropped()})
        answer = receiver.write(outputs, segment.describe())
    sender.forget_names()
    return seen, sender.outputs(segment, answer["outputs"])


@settings(max_examples=25)
@given(data=st.data())
def test_what_goes_in_comes_out(data):
    draw = arrays.arrays(KINDS, arrays.array_shapes(min_dims=3, max_dims=4, min_side=0, max_side=9))
    sender, receiver = Sender(), Receiver()
    for _ in range(3):
        images, outputs = data.draw(draw), data.draw(st.lists(draw, min_size=1, max_size=3))
        seen, received = _exchange(sender, receiver, images, outputs)
        np.testing.assert_array_equal(seen, images)
        assert [array.dtype for array in received] == [array.dtype for array in outputs]
        for array, output in zip(received, outputs, strict=True):
            np.testing.assert_array_equal(array, output)


def test_outputs_are_not_copied_and_their_memory_is_used_again():
    sender, receiver, images = Sender(), Receiver(), np.ones((4, 4), np.float32)
    places = set()
    for _ in range(6):
        _, (output,) = _exchange(sender, receiver, images, [images])
        places.add(output.__array_interface__["data"][0])
        assert not output.flags.owndata
        del output
        gc.collect()
    assert len(places) == 1


def test_a_segment_is_lent_as_long_as_a_view_lives():
    segment = Segment.create(64)
    try:
        (array,) = segment.lend([{"shape": [4, 4], "dtype": "|u1", "offset": 0}])
        view = array[1:, 1]
        del array
        gc.collect()
        assert segment.lent
        del view
        gc.collect()
        assert not segment.lent
    finally:
        segment.forget_name()


def test_what_has_no_name_cannot_be_opened():
    segment = Segment.create(10)
    description = segment.describe()
    Segment.open(description).array({"shape": [1], "dtype": "|u1", "offset": 3})[0] = 7
    assert segment.root()[3] == 7
    segment.forget_name()
    segment.forget_name()
    with pytest.raises(OSError, match="No such file"):
        Segment.open(description)
