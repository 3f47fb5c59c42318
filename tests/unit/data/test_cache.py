"""Stores of decoded arrays."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path

import numpy as np
import pytest

from ultralytics.data import cache
from ultralytics.data.cache import ArraySpec, ArrayStore, DiskStore, RamStore
from ultralytics.errors import DatasetError
from ultralytics.utils.env import user_cache_folder

SHAPES = [(3, 5, 3), (4, 4, 3), (7, 2, 3)]
RNG = np.random.default_rng(0)
SAMPLES = [
    (RNG.integers(0, 65535, shape, dtype=np.uint16), RNG.integers(0, 255, shape[:2], dtype=np.uint8))
    for shape in SHAPES
]
SPECS = [[ArraySpec(array.shape, array.dtype) for array in arrays] for arrays in SAMPLES]


@pytest.fixture(params=["ram", "disk"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ArrayStore:
    """A filled store of either kind."""
    made = RamStore(SPECS) if request.param == "ram" else DiskStore(tmp_path, ["a", "b", "c"], SPECS)
    made.fill(SAMPLES.__getitem__, 3)
    return made


def test_arrays_come_back_exactly_and_may_be_changed(store):
    for _ in range(2):
        for index, sample in enumerate(SAMPLES):
            for array, original in zip(store.get(index), sample, strict=True):
                assert array.dtype == original.dtype
                np.testing.assert_array_equal(array, original)
                array[...] = 0


def test_ram_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr(cache, "memory_available", lambda: 1 << 30)
    with pytest.raises(
        DatasetError, match=r"cache=ram needs 2\.79 GiB for 1 images; of the 1\.00 GiB .* Use cache=disk"
    ):
        RamStore([[ArraySpec((1000, 1000, 3000), np.dtype(np.uint8))]])


def test_a_disk_that_is_full_is_refused(tmp_path):
    huge = [[ArraySpec((1 << 30, 1 << 30), np.dtype(np.uint8))]]
    with pytest.raises(DatasetError, match="cache=disk needs"):
        DiskStore(tmp_path, ["a"], huge)


def test_files_of_the_same_content_are_decoded_once(tmp_path):
    DiskStore(tmp_path, ["a", "b", "c"], SPECS).fill(SAMPLES.__getitem__, 3)
    decoded: list[int] = []
    again = DiskStore(tmp_path, ["a", "changed", "c"], SPECS)
    again.fill(lambda index: decoded.append(index) or SAMPLES[index], 3)
    assert decoded == [1]
    np.testing.assert_array_equal(again.get(2)[0], SAMPLES[2][0])
    assert {path.suffix for path in (tmp_path / ".cache").iterdir()} == {".npy"}


def test_a_dataset_that_cannot_be_written_to_is_left_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("YOLO_CONFIG_DIR", str(tmp_path / "config"))
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / ".cache").write_text("in the way, as a read-only folder would be")
    store = DiskStore(tmp_path / "set", ["a", "b", "c"], SPECS)
    store.fill(SAMPLES.__getitem__, 3)
    np.testing.assert_array_equal(store.get(1)[1], SAMPLES[1][1])
    assert user_cache_folder().is_relative_to(tmp_path / "config")
    assert len(list(user_cache_folder().rglob("*.npy"))) == 6


def _sum_in_child(store: ArrayStore, queue: multiprocessing.Queue) -> None:
    queue.put(sum(int(array.astype(np.int64).sum()) for index in range(3) for array in store.get(index)))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="spawned processes are tested with the loader")
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_worker_processes_see_the_arrays(store):
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    process = context.Process(target=_sum_in_child, args=(store, queue))
    process.start()
    assert queue.get(timeout=60) == sum(int(array.astype(np.int64).sum()) for sample in SAMPLES for array in sample)
    process.join()
