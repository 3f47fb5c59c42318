"""When training has stopped getting better."""

from __future__ import annotations


class EarlyStopping:
    """Tells when there was no strictly better result for some epochs.

    Args:
        patience: epochs to wait for one; 0 waits for ever.
    """

    def __init__(self, patience: int) -> None:
        self.patience = patience

    def __call__(self, epoch: int, best_epoch: int) -> bool:
        """Decide after an epoch (from 1), given the best one so far; 0 stands for a run that was never validated."""
        return self.patience > 0 and best_epoch > 0 and epoch - best_epoch >= self.patience
