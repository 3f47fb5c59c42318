"""Early stopping."""

from __future__ import annotations

import pytest

from ultralytics.engine.train.stopping import EarlyStopping


@pytest.mark.parametrize(
    ("patience", "epoch", "best_epoch", "stops"),
    [
        (3, 5, 5, False),
        (3, 7, 5, False),
        (3, 8, 5, True),
        (3, 9, 5, True),
        (1, 2, 1, True),
        (0, 1000, 1, False),  # never
        (3, 50, 0, False),  # never validated
    ],
)
def test_patience(patience: int, epoch: int, best_epoch: int, stops: bool) -> None:
    assert EarlyStopping(patience)(epoch, best_epoch) is stops
