"""The validation loop: infer each batch, count, then report. What is counted belongs to the task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from ultralytics.cfg import Config
from ultralytics.engine.events import CallbackList
from ultralytics.utils import LOGGER
from ultralytics.utils.dist import gather_objects
from ultralytics.utils.env import is_main_process
from ultralytics.utils.profiling import Phases
from ultralytics.utils.progress import progress


class Metrics(Protocol):
    """What a task counts during validation."""

    speed: dict[str, float]
    save_dir: Path | None

    @property
    def results_dict(self) -> dict[str, float]:
        """Figures by name, with `fitness`."""

    @property
    def headline(self) -> tuple[str, float]:
        """The figure that a table of models shows, with its name; NaN where it is not defined."""

    def reduce(self) -> None:
        """Add up the counts of all processes."""

    def table(self, *, verbose: bool) -> str:
        """Lay the figures out for a terminal."""


class BaseValidator:
    """Measure a model on a split; of several processes each sees a share, and all have the figures of the whole.

    A task overrides `build_metrics`, `update` and, for pictures and files, `finish`.

    Args:
        config: the options of the run.
        loader: batches of the split.
        device: where the model runs.
        save_dir: folder for plots and files; created when something is written.
        callbacks: user's callbacks.
    """

    def __init__(
        self,
        config: Config,
        loader: DataLoader,
        device: torch.device,
        *,
        save_dir: Path,
        callbacks: CallbackList | None = None,
    ) -> None:
        self.args = config
        self.loader = loader
        self.device = device
        self.save_dir = save_dir
        self.callbacks = callbacks or CallbackList()
        self.loss_items: dict[str, float] = {}
        self.plots = False
        self.final = False

    def build_metrics(self) -> Metrics:
        """Make the empty counts."""
        raise NotImplementedError

    def update(self, outputs: Any, batch: Mapping[str, Any], number: int) -> None:
        """Count one batch; `number` is its position."""
        raise NotImplementedError

    def reduce(self) -> None:
        """Join what the processes of a run counted; each of them comes here."""
        self.metrics.reduce()

    def finish(self) -> None:
        """Write pictures and files, if they are wanted."""

    @torch.inference_mode()
    def __call__(
        self, model: nn.Module, *, criterion: nn.Module | None = None, plots: bool = False, final: bool = True
    ) -> Metrics:
        """Validate a model.

        Args:
            model: network that takes float images in [0, 1].
            criterion: loss to report beside the metrics; None skips it.
            plots: whether to draw.
            final: whether this is a validation of its own (per-class table, files) or one within training.
        """
        self.plots, self.final = plots and is_main_process(), final
        self.metrics = self.build_metrics()
        self.callbacks.run("on_val_start", self)
        model.eval()
        phases = Phases(self.device)
        losses: dict[str, Tensor] = {}
        seen = 0
        for number, batch in enumerate(progress(self.loader, desc="validating", leave=final)):
            self.callbacks.run("on_val_batch_start", self)
            with phases("preprocess"):
                images = batch["img"].to(self.device, non_blocking=True).float().div_(255)
                images = images.contiguous(memory_format=torch.channels_last)
            with phases("inference"):
                outputs = infer_in_pieces(model, images)
            if criterion is not None:
                with phases("loss"):
                    self._add_loss(losses, criterion(outputs, batch)[1])
            with phases("postprocess"):
                self.update(outputs, batch, number)
            seen += len(images)
            self.callbacks.run("on_val_batch_end", self)
        self.reduce()
        self.metrics.speed = phases.per_item(seen)
        self.loss_items = _mean_losses(losses, len(self.loader))
        if is_main_process():
            LOGGER.info(self.metrics.table(verbose=final and self.args.verbose))
            self.finish()
        self.callbacks.run("on_val_end", self)
        return self.metrics

    @staticmethod
    def _add_loss(losses: dict[str, Tensor], parts: Mapping[str, Tensor]) -> None:
        for name, value in parts.items():
            losses[name] = losses.get(name, torch.zeros_like(value)) + value


def _mean_losses(sums: Mapping[str, Tensor], batches: int) -> dict[str, float]:
    """Average the losses over the batches of all processes; one that had none knows no names."""
    shares = gather_objects(({name: float(value) for name, value in sums.items()}, batches))
    total = max(sum(count for _, count in shares), 1)
    names = dict.fromkeys(name for share, _ in shares for name in share)
    return {f"val/{name}": sum(share.get(name, 0.0) for share, _ in shares) / total for name in names}


def infer_in_pieces(model: nn.Module, images: Tensor) -> Tensor:
    """Run a batch; where the GPU's memory does not hold it, run halves and join them: the result is the same."""
    try:
        return model(images)
    except torch.cuda.OutOfMemoryError:
        if len(images) == 1:
            raise
    torch.cuda.empty_cache()
    LOGGER.warning(f"Out of GPU memory with {len(images)} images at once; going on with halves.")
    parts: Sequence[Tensor] = [infer_in_pieces(model, half) for half in images.chunk(2)]
    return torch.cat(list(parts))
