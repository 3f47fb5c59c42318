"""Shares of work run side by side, in order, and leave torch's settings as they were."""

from collections.abc import Iterator

import pytest
import torch

from ultralytics.nn.kernels import class_map, upsample_argmax, upsampled_ce_dice
from ultralytics.nn.kernels.parallel import available_workers, run_in_threads, split_evenly

CPU = torch.device("cpu")


@pytest.fixture
def three_threads() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize(
    ("items", "workers", "expected"),
    [("abcde", 2, ["ab", "cde"]), ("ab", 5, ["a", "b"]), ("abc", 1, ["abc"]), ("", 3, [])],
)
def test_items_are_dealt_in_order(items: str, workers: int, expected: list[str]) -> None:
    assert split_evenly(items, workers) == expected


@pytest.mark.usefixtures("three_threads")
@pytest.mark.parametrize("shares", [[], [7], [1, 2, 3]])
def test_every_share_has_one_thread_and_no_gradients(shares: list[int]) -> None:
    seen = run_in_threads(lambda share: (share, torch.get_num_threads(), torch.is_grad_enabled()), shares, CPU)
    assert seen == [(share, 1, False) for share in shares]
    assert torch.get_num_threads() == available_workers(CPU) == 3
    assert torch.is_grad_enabled()


@pytest.mark.usefixtures("three_threads")
@pytest.mark.parametrize("shares", [[0], [1, 0, 2]])
def test_errors_arrive_and_settings_return(shares: list[int]) -> None:
    with pytest.raises(ZeroDivisionError):
        run_in_threads(lambda share: 1 / share, shares, CPU)
    assert torch.get_num_threads() == 3


@pytest.mark.usefixtures("three_threads")
def test_class_maps_do_not_depend_on_the_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upsample_argmax, "MIN_PIXELS", 100)
    logits = torch.randn(2, 7, 20, 30)
    with torch.inference_mode():
        several = class_map(logits, (150, 217), confidence=True)
    torch.set_num_threads(1)
    single = class_map(logits, (150, 217), confidence=True)
    assert torch.equal(several.ids, single.ids)
    assert torch.equal(several.confidence, single.confidence)


@pytest.mark.usefixtures("three_threads")
@pytest.mark.parametrize("batch", [1, 5])
def test_losses_hardly_depend_on_the_number_of_threads(batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ultralytics.nn.kernels.upsample_loss.CPU_STRIP", 2000)
    logits, mask = torch.randn(batch, 7, 20, 30), torch.randint(0, 7, (batch, 160, 240))
    gradients = []
    for threads in (3, 3, 1):
        torch.set_num_threads(threads)
        leaf = logits.clone().requires_grad_()
        sum(upsampled_ce_dice(leaf, mask)).backward()
        gradients.append(leaf.grad)
    assert torch.equal(gradients[0], gradients[1])
    torch.testing.assert_close(gradients[0], gradients[2])
