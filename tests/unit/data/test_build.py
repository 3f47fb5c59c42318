"""The loader: the same batches whatever reads them, errors that tell where, workers that end."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from ultralytics.data.augment import to_item
from ultralytics.data.build import build_dataloader
from ultralytics.data.cache import Arrays, ArraySpec
from ultralytics.data.dataset import BaseDataset
from ultralytics.data.description.spec import DatasetSpec
from ultralytics.data.sample import Context, Sample
from ultralytics.data.scan import SampleFacts, SamplePaths
from ultralytics.errors import DatasetError, TrainingError

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")


class Noisy(BaseDataset):
    """Squares of the index, with noise added by the transforms."""

    def decode(self, index: int) -> Arrays:
        """Make the image."""
        return (np.full((8, 8, 3), index, np.uint8),)

    def array_specs(self, index: int) -> list[ArraySpec]:
        """Tell its shape."""
        return [ArraySpec((8, 8, 3), np.dtype(np.uint8))]

    def make_sample(self, index: int, arrays: Arrays) -> Sample:
        """Make the sample."""
        return Sample(arrays[0], image_file=self.pairs[index].image, index=index)


def _add_noise(sample: Sample, context: Context) -> dict:
    if sample.index == 13:
        raise KeyError("unlucky")
    noise = context.rng.integers(0, 100, sample.image.shape, dtype=np.uint8)
    return to_item(sample.replace(image=sample.image + noise))


def _dataset(count: int = 10, **options: object) -> Noisy:
    spec = DatasetSpec(title="t", root=Path(), names={0: "a", 1: "b"}, sources={})
    pairs = [SamplePaths(Path(f"{number}.png"), Path()) for number in range(count)]
    dataset = Noisy(
        spec, pairs, [SampleFacts(8, 8 + n) for n in range(count)], **{"imgsz": 8, "train": True, **options}
    )
    dataset.transforms = _add_noise
    return dataset


def _epochs(workers: int, cache: str | bool = False, count: int = 2) -> list[list[tuple[list[int], torch.Tensor]]]:
    dataset = _dataset()
    dataset.cache(cache)
    epochs = []
    with build_dataloader(dataset, 4, workers=workers, shuffle=True, seed=3) as loader:
        for epoch in range(count):
            loader.set_epoch(epoch)
            epochs.append([(batch["index"], batch["img"].clone()) for batch in loader])
    return epochs


def _equal(one: list, two: list) -> bool:
    return all(
        a[0] == b[0] and torch.equal(a[1], b[1])
        for x, y in zip(one, two, strict=True)
        for a, b in zip(x, y, strict=True)
    )


def test_batches_do_not_depend_on_workers_or_cache():
    plain = _epochs(0)
    assert [len(index) for index, _ in plain[0]] == [4, 4, 2]
    assert not _equal(plain[:1], plain[1:])
    assert _equal(plain, _epochs(2))
    assert _equal(plain, _epochs(0, "ram"))
    assert _equal(plain, _epochs(2, "ram"))


def test_a_loader_leaves_the_global_random_numbers_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    _epochs(0)
    assert torch.equal(torch.rand(3), expected)


def test_a_resumed_epoch_is_the_epoch():
    dataset = _dataset()
    with build_dataloader(dataset, 4, workers=0, shuffle=True, seed=3) as loader:
        loader.set_epoch(1)
        resumed = [[(batch["index"], batch["img"]) for batch in loader]]
    assert _equal(resumed, _epochs(0)[1:])


@pytest.mark.parametrize("workers", [0, 1])
def test_an_error_names_the_file_and_its_place_in_the_code(workers):
    with (
        build_dataloader(_dataset(20), 4, workers=workers, shuffle=False, seed=0) as loader,
        pytest.raises(DatasetError) as caught,
    ):
        list(loader)
    assert str(caught.value) == "'13.png': KeyError: 'unlucky'"
    place = str(caught.value.__cause__) if workers else "".join(traceback.format_exception(caught.value))
    assert "_add_noise" in place


def _die_at_13(sample: Sample, context: Context) -> dict:
    if sample.index == 13:
        os.kill(os.getpid(), signal.SIGKILL)
    return _add_noise(sample, context)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")
def test_a_worker_that_is_killed_is_an_error_that_names_signal_image_and_remedy():
    dataset = _dataset(30)
    dataset.transforms = _die_at_13
    with (
        build_dataloader(dataset, 4, workers=2, shuffle=False, seed=0) as loader,
        pytest.raises(TrainingError) as caught,
    ):
        list(loader)
    told = str(caught.value)
    assert "SIGKILL" in told
    assert "memory" in told
    assert "The last image it read is '13.png'." in told
    assert "workers=" in told
    assert multiprocessing.active_children() == []


@pytest.fixture
def no_child_handler() -> Iterator[None]:
    """Begin without the handler that a loader of another test may have left."""
    previous = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGCHLD, previous)


@pytest.mark.skipif(not hasattr(os, "waitid"), reason="the end of a process cannot be waited for without reaping it")
def test_a_worker_that_dies_during_a_step_is_reported_by_the_loader_alone(no_child_handler):
    with build_dataloader(_dataset(12), 1, workers=2, shuffle=False, seed=0) as loader:
        batches = iter(loader)
        next(batches)
        victim = multiprocessing.active_children()[0]
        os.kill(victim.pid, signal.SIGKILL)
        os.waitid(os.P_PID, victim.pid, os.WEXITED | os.WNOWAIT)  # the step goes on undisturbed
        assert signal.getsignal(signal.SIGCHLD) == signal.SIG_DFL
        with pytest.raises(TrainingError, match="SIGKILL"):
            next(batches)
        loader.close()
        assert len(list(loader)) == 12  # with new workers


def test_closing_ends_the_workers_and_a_later_iteration_starts_new_ones():
    with build_dataloader(_dataset(), 4, workers=2, shuffle=False, seed=0) as loader:
        first = [batch["index"] for batch in loader]
        assert len(multiprocessing.active_children()) == 2
        loader.close()
        assert multiprocessing.active_children() == []
        assert [batch["index"] for batch in loader] == first
    assert multiprocessing.active_children() == []


def test_no_more_workers_than_batches():
    loader = build_dataloader(_dataset(3), 4, workers=8, shuffle=False, seed=0)
    assert loader.num_workers == 1


def test_rectangular_batches_stay_together():
    loader = build_dataloader(_dataset(rect=3), 3, workers=0, shuffle=True, seed=0)
    assert sorted(batch["index"] for batch in loader) == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9]]


def test_rectangular_batches_have_one_shape_whatever_size_the_dataset_was_made_for():
    dataset = _dataset(rect=7, imgsz=320)
    for index, fact in enumerate(dataset.facts):
        dataset.facts[index] = SampleFacts(8, fact.width * (index + 1))
    shapes = dataset.shapes
    build_dataloader(dataset, 2, workers=0, shuffle=False, seed=0)
    assert shapes is dataset.shapes
    assert all((shapes[start] == shapes[start : start + 2]).all() for start in range(0, 10, 2))
    assert len(np.unique(shapes, axis=0)) > 2


_SCRIPT = """
import sys
sys.path[:0] = {paths!r}
import multiprocessing
multiprocessing.set_start_method("spawn", force=True)
from test_build import _dataset
from ultralytics.data.build import build_dataloader
{guard}
    dataset = _dataset()
    dataset.cache("ram")
    with build_dataloader(dataset, 4, workers=1, shuffle=False, seed=0) as loader:
        print(loader.num_workers, [batch["index"] for batch in loader])
"""


@pytest.mark.parametrize(("guard", "workers"), [('if __name__ == "__main__":', 1), ("if True:", 0)])
def test_spawned_workers_need_a_guarded_script(tmp_path, guard, workers):
    paths = [str(Path(__file__).parent), str(Path(__file__).parents[3])]
    script = tmp_path / "script.py"
    script.write_text(_SCRIPT.format(paths=paths, guard=guard))
    run = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=120, check=False)
    assert run.stdout.strip() == f"{workers} [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]", run.stderr
