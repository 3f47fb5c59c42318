"""The training loop: set up, then for each epoch train, validate, save, stop; then finish.

Nothing random depends on what ran before: samples are seeded by (seed, epoch, index) and every epoch ends on an
optimizer step, so a run killed at any moment and resumed from `last.pt` gives bitwise the weights of one that never
stopped.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ultralytics.engine.loggers import RunLoggers, wanted_loggers
from ultralytics.engine.train.figures import EpochFigures, RunFacts
from ultralytics.engine.train.launch import launch, needs_launch, process_group
from ultralytics.engine.train.layers import random_rescale
from ultralytics.engine.train.setup import TrainingSetup
from ultralytics.engine.train.state import Stopwatch, TrainingState
from ultralytics.errors import ConfigError, TrainingError
from ultralytics.nn.autobackend import AutoBackend
from ultralytics.nn.checkpoint import CODE_LICENCE, Checkpoint, load_checkpoint, save_checkpoint
from ultralytics.utils import LOGGER
from ultralytics.utils.dist import all_reduce_sum, barrier, broadcast_object, world_size
from ultralytics.utils.env import is_main_process
from ultralytics.utils.plotting import plot_results
from ultralytics.utils.progress import progress
from ultralytics.utils.torch_utils import (
    autocast,
    deterministic_mode,
    select_device,
    unwrap_model,
)

_MAX_GRADIENT_NORM = 10.0
_MAX_RETRIES = 3
_FEW_UPDATES = 100
"""Optimizer steps below which a network hardly leaves its initial weights."""


class NonFiniteLoss(ArithmeticError):
    """The loss became NaN or infinite; carries the files of the batch."""


class BaseTrainer(TrainingSetup):
    """Train a network on a dataset and keep its best weights: the loop over what `TrainingSetup` made.

    Attributes that callbacks may use: `args`, `save_dir`, `model`, `ema`, `optimizer`, `data`, `device`, `loop`,
    `epoch`, `epochs`, `loss_items`, `metrics`, `fitness`, `best`, `last`. `epoch` is that of the event, counted from
    1. A callback that sets `stop` to true, in every process, ends the training after the epoch.
    """

    # The story ------------------------------------------------------------------------------------------------------

    def train(self) -> Any:
        """Run the training and return the validation metrics of the best weights.

        With several GPUs the work is done by one process each, and this one waits for them: it returns None, the
        metrics stand in the run's folder.
        """
        if needs_launch(self.args):
            self._refuse_what_cannot_be_launched()
            with self._open_folder() as folder:
                self._place(folder)
                launch(self.args, folder)
                return None
        device = select_device(self.args.device)
        with deterministic_mode(self.args.deterministic), process_group(device), ExitStack() as stack:
            self._place(stack.enter_context(self._open_folder()))
            self._setup(device)
            stack.callback(self._close_loaders)
            self.loggers = stack.enter_context(RunLoggers(wanted_loggers() if is_main_process() else []))
            if self.resume is not None:
                self._restore(self.resume)
            self.callbacks.failed, self._saved_updates = None, self.loop.updates
            stack.push(self._keep_unfinished)
            self.callbacks.run("on_pretrain_routine_end", self)
            self._fit()
            return self._finish()

    def _refuse_what_cannot_be_launched(self) -> None:
        """Refuse what lives in this process or would be lost on the way to those of the GPUs."""
        known = type(self) is self.task.resolve("trainer")
        if known and self.resume is None:
            return
        raise ConfigError(
            f"{'resume' if known else 'trainer'}= does not reach the processes of device={self.args.device}. Start "
            "them yourself, with the call in a script: torchrun --nproc-per-node=2 script.py, without device=."
        )

    def _fit(self) -> None:
        self._announce()
        self.callbacks.run("on_train_start", self)
        facts = RunFacts(folder=self.save_dir, options=self.args.as_dict(), resume_epoch=self.loop.epoch)
        self.loggers.start(facts)
        self.watch = Stopwatch(self.loop.elapsed)
        retries = 0
        while self.loop.epoch < self.loop.epochs:
            self.epoch = self.loop.epoch + 1
            try:
                self._train_epoch()
            except NonFiniteLoss as error:
                retries += 1
                self._recover(error, retries)
                continue
            except torch.cuda.OutOfMemoryError as error:
                retries += 1
                self._halve_batch(error, retries)
                continue
            self.loop.epoch += 1
            self.loop.elapsed = broadcast_object(self.watch(), device=self.device)  # all plan by one clock
            self._plan_time()
            final = self.loop.epoch >= self.loop.epochs
            if self.args.val or final:
                self._validate()
            self._record()
            self.callbacks.run("on_fit_epoch_end", self)
            if self._should_stop():
                break

    def _train_epoch(self) -> None:
        self.callbacks.run("on_train_epoch_start", self)
        self.model.train()
        self._keep_frozen()
        self.loader.set_epoch(self.loop.epoch, mix=self.loop.epoch < self.loop.epochs - self.args.close_mosaic)
        sums: Tensor | None = None
        look_every = 1 if self.device.type == "cpu" else 16  # reading a loss waits for the GPU
        pending, steps = 0, len(self.loader)
        self.optimizer.zero_grad(set_to_none=True)
        bar = progress(self.loader, desc=f"epoch {self.epoch}/{self.epochs}", total=steps, leave=True)
        for step, batch in enumerate(bar):
            self.callbacks.run("on_train_batch_start", self)
            if self.args.plots and self.loop.iteration < 3 and is_main_process():
                self.plot_batch(batch, self.save_dir / f"train_batch{self.loop.iteration}.jpg")
            self.schedule.apply(self.loop.iteration, self.loop.epochs)
            loss, parts = self._forward(batch, step)
            self.scaler.scale(loss).backward()
            pending += 1
            values = torch.stack(list(parts.values()))
            sums = values if sums is None else sums + values
            if step % look_every == 0 or step == steps - 1:
                self._look(dict(zip(parts, (sums / (step + 1)).unbind(), strict=True)), batch, bar)
            if pending >= self._accumulate() or step == steps - 1:
                self._optimizer_step()
                pending = 0
            self.loop.iteration += 1
            self.callbacks.run("on_train_batch_end", self)
        self.callbacks.run("on_train_epoch_end", self)

    def _forward(self, batch: Mapping[str, Any], step: int) -> tuple[Tensor, dict[str, Tensor]]:
        images = batch["img"].to(self.device, non_blocking=True).float().div_(255)
        if self.args.multi_scale:
            key = (self.args.seed, self.loop.epoch, step)
            images = random_rescale(images, self.args.multi_scale, stride=int(self.model.stride.max()), key=key)
        images = images.contiguous(memory_format=self.memory_format)
        with autocast(self.device, enabled=self.amp):
            outputs = self.parallel(images)
        loss, parts = self.criterion(outputs, batch)
        return loss * world_size(), parts  # DDP averages gradients over ranks; the loss sums over images

    def _optimizer_step(self) -> None:
        self.scaler.unscale_(self.optimizer)
        nn.utils.clip_grad_norm_(self.model.parameters(), max_norm=_MAX_GRADIENT_NORM)
        self.callbacks.run("optimizer_step", self)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.callbacks.run("on_before_zero_grad", self)
        self.optimizer.zero_grad(set_to_none=True)
        self.loop.updates += 1
        self.ema.update(self.model, self.loop.updates)
        self.callbacks.run("on_params_update", self)

    def _validate(self) -> None:
        result = self.validator(self.ema.model, criterion=self.criterion, final=False)
        self.metrics = {**result.results_dict, **self.validator.loss_items}
        self.fitness = self.metrics.pop("fitness")

    def _record(self) -> None:
        """Write the epoch's row and checkpoints; only the first process writes."""
        loss = sum(self.validator.loss_items.values())
        better = self.fitness is not None and self.loop.observe(self.fitness, loss)
        if not is_main_process():
            return
        self.loggers.write(self._figures())
        if better or not self.best.exists():
            self._save(self.best, self._checkpoint(with_state=False))
        self._saved_updates = self.loop.updates
        if not self.args.save:  # the best weights are what the run is for
            return
        self._save(self.last, self._checkpoint(with_state=True))
        if self.args.save_period > 0 and self.loop.epoch % self.args.save_period == 0:
            self._save(self.last.with_name(f"epoch{self.loop.epoch}.pt"), self._checkpoint(with_state=True))
        self.callbacks.run("on_model_save", self)

    def _finish(self) -> Any:
        """Calibrate and validate the best weights, draw the curves, and say where everything is."""
        barrier()  # the first process has written the best weights
        self.ema.model.load_state_dict(load_checkpoint(self.best).state_dict)
        found = self.calibrate(self.ema.model) if is_main_process() else {}
        self.calibration = broadcast_object(found, device=self.device)
        model = AutoBackend(self.ema.model, self.device, calibration=self.calibration)
        result = self.validator(model, plots=self.args.plots, final=True)
        self.metrics = dict(result.results_dict)
        if is_main_process():
            self._note_calibration()
            if self.args.plots:
                plot_results(self.csv)
            hours = self.loop.elapsed / 3600
            LOGGER.info(f"Epochs: {self.loop.epoch} in {hours:.3f} h; best epoch {self.loop.best_epoch}: {self.best}")
        self.callbacks.run("on_train_end", self)
        self.callbacks.run("teardown", self)
        return result

    # Saving, resuming, recovering -----------------------------------------------------------------------------------

    def _save(self, path: Path, checkpoint: Checkpoint) -> None:
        try:
            save_checkpoint(path, checkpoint)
        except OSError as error:
            remedy = (
                f"What was saved before is whole: resume={self.last}" if self.last.exists() else "Then start again."
            )
            raise TrainingError(
                f"'{path}' cannot be written: {error.strerror or error}. Make room. {remedy}"
            ) from error

    def _note_calibration(self) -> None:
        """Write the calibration of the best weights into the checkpoints; the last weights take it over."""
        for path in (self.best, self.last):
            if self.calibration and path.exists():
                checkpoint = load_checkpoint(path)
                checkpoint.calibration = dict(self.calibration)
                self._save(path, checkpoint)

    def _keep_unfinished(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Write the weights as they are when a callback's error ends an epoch; `last.pt` is of the epoch before."""
        if self.callbacks.failed is None or not is_main_process():
            return
        done = self.loop.updates - self._saved_updates
        if done > 0:
            file = self.last.with_name("unfinished.pt")
            self._save(file, self._checkpoint(with_state=False))
            LOGGER.info(f"The weights after {done} further optimizer steps of epoch {self.epoch} are in '{file}'.")

    def _checkpoint(self, *, with_state: bool) -> Checkpoint:
        return Checkpoint.of_model(
            self.ema.model,
            task=self.task.name,
            args=self.args.as_dict(),
            metrics={"fitness": self.fitness, **self.metrics},
            epoch=self.loop.epoch,
            fingerprint=self.fingerprint,
            palette=None if self.data.palette is None else self.data.palette.tolist(),
            licence=self._licence(),
            train_state=self._state().snapshot() if with_state else None,
        )

    def _licence(self) -> dict[str, str | None]:
        """Terms of the weights: those they were started from go on to bind them."""
        start = self.weights or self.resume
        return {"code": CODE_LICENCE, "weights": start.licence.get("weights") if start else None, "data": None}

    def _state(self) -> TrainingState:
        return TrainingState(unwrap_model(self.model), self.ema, self.optimizer, self.scaler, self.loop)

    def _restore(self, checkpoint: Checkpoint) -> None:
        """Go on from a checkpoint; the epochs asked for now count, not those planned then."""
        epochs = self.loop.epochs
        self._state().restore(checkpoint.train_state)
        self.loop.epochs = epochs
        if self.loop.epoch >= epochs:
            raise ConfigError(f"The run finished its {self.loop.epoch} epochs. To go on, resume with a larger epochs=.")

    def _recover(self, error: NonFiniteLoss, retries: int) -> None:
        """Go back to the last checkpoint, in full precision; never train an epoch on NaN."""
        if retries > _MAX_RETRIES or not (self.loop.epoch and self.args.save):
            kept = f" Weights up to epoch {self.loop.epoch} are in {self.last.parent}." if self.loop.epoch else ""
            raise TrainingError(f"{error}{kept} Look at those images and labels, or lower lr0.") from error
        LOGGER.warning(f"{error} Going back to epoch {self.loop.epoch} without mixed precision ({retries} of 3).")
        self.amp = False
        self._restore(load_checkpoint(self.last))

    def _halve_batch(self, error: Exception, retries: int) -> None:
        if self.loop.epoch or retries > _MAX_RETRIES or self.batch == 1:
            raise TrainingError(f"Out of GPU memory at batch={self.batch}. Use a smaller batch= or imgsz=.") from error
        LOGGER.warning(f"Out of GPU memory at batch={self.batch}; trying batch={self.batch // 2}.")
        self.batch //= 2
        self.optimizer.zero_grad(set_to_none=True)
        torch.cuda.empty_cache()
        self._close_loaders()
        self._build_loaders()
        self.schedule.steps_per_epoch = len(self.loader)

    # Small steps of the loop ----------------------------------------------------------------------------------------

    @property
    def epochs(self) -> int:
        """Epochs planned."""
        return self.loop.epochs

    def _accumulate(self) -> int:
        """Batches per optimizer step: the nominal batch size is reached at the end of the warm-up."""
        warmup = self.schedule.warmup_iterations(self.loop.epochs)
        if self.loop.iteration >= warmup:
            return self._full_accumulation()
        return max(1, round(float(np.interp(self.loop.iteration, [0, warmup], [1, self.args.nbs / self.batch]))))

    def _look(self, means: Mapping[str, Tensor], batch: Mapping[str, Any], bar: Any) -> None:
        total = all_reduce_sum(torch.stack(list(means.values())))
        values = (total / world_size()).tolist()  # all processes see, and act on, the same
        if not all(map(math.isfinite, values)):
            files = ", ".join(batch["im_file"][:4])
            raise NonFiniteLoss(f"The loss became {values} in epoch {self.epoch}, in the batch of {files} …")
        self.loss_items = dict(zip(means, values, strict=True))
        memory = f"{torch.cuda.memory_reserved() / 2**30:.1f}G" if self.device.type == "cuda" else ""
        shown = {name.removesuffix("_loss"): f"{value:.3f}" for name, value in self.loss_items.items()}
        height, width = batch["img"].shape[2:]
        bar.set_postfix({**shown, "lr": f"{self.optimizer.param_groups[0]['lr']:.2g}", "size": f"{height}x{width}"} |
                        ({"GPU": memory} if memory else {}), refresh=False)  # fmt: skip

    def _figures(self) -> EpochFigures:
        return EpochFigures(
            epoch=self.epoch,
            seconds=self.loop.elapsed,
            losses={f"train/{name}": value for name, value in self.loss_items.items()},
            metrics={**self._unknown_figures(), **self.metrics},
            rates={f"lr/pg{number}": group["lr"] for number, group in enumerate(self.optimizer.param_groups)},
        )

    def _unknown_figures(self) -> dict[str, float]:
        """Name what a validation finds, without values: results.csv has its columns from the first row on."""
        names = [*self.validator.build_metrics().results_dict, *(f"val/{name}" for name in self.criterion.eval_names)]
        return {name: math.nan for name in names if name != "fitness"}

    def _keep_frozen(self) -> None:
        """Keep the batch statistics of frozen layers as they are."""
        for module in self.frozen:
            module.eval()

    def _plan_time(self) -> None:
        """Fit the number of epochs to the time budget."""
        if self.args.time is not None:
            pace = self.loop.elapsed / self.loop.epoch
            self.loop.epochs = max(self.loop.epoch, math.floor(self.args.time * 3600 / pace))

    def _should_stop(self) -> bool:
        if self.stop:
            LOGGER.info(f"Stopping after epoch {self.loop.epoch}: a callback asked for it.")
            return True
        if self.stopper(self.loop.epoch, self.loop.best_epoch):
            LOGGER.info(f"Stopping: no better result for {self.args.patience} epochs (best: {self.loop.best_epoch}).")
            return True
        return False

    def _announce(self) -> None:
        steps = len(self.loader)
        LOGGER.info(
            f"Training {self.loop.epochs} epochs of {steps} batches ({len(self.train_set)} images, batch {self.batch}, "
            f"accumulated to {self.batch * self._full_accumulation()}) on {self.device} into {self.save_dir}"
        )
        updates = self.loop.epochs * math.ceil(steps / self._full_accumulation())
        if updates < _FEW_UPDATES and self._full_accumulation() > 1:
            LOGGER.warning(
                f"The weights will change only about {updates} times. For so few images give nbs={self.batch}, which "
                "adds no batches up, or more epochs."
            )

    def _close_loaders(self) -> None:
        for loader in (self.loader, self.val_loader):
            loader.close()
