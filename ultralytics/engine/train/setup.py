"""What a training run is made of: data, network, loss, optimizer. A task fills in the hooks."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader

from ultralytics.cfg import Config
from ultralytics.cfg.loader import dump
from ultralytics.data.build import build_dataloader
from ultralytics.data.description.classes import match_classes
from ultralytics.data.description.spec import DatasetSpec
from ultralytics.engine.events import CallbackList
from ultralytics.engine.run_folder import OPTIONS_FILE, open_run_folder
from ultralytics.engine.train.autobatch import require_statistics, resolve_batch
from ultralytics.engine.train.criterion import Criterion
from ultralytics.engine.train.ema import ModelEMA
from ultralytics.engine.train.layers import freeze_layers
from ultralytics.engine.train.optim import LRSchedule, build_optimizer
from ultralytics.engine.train.state import LoopState
from ultralytics.engine.train.stopping import EarlyStopping
from ultralytics.engine.validator import BaseValidator
from ultralytics.nn.checkpoint import Checkpoint
from ultralytics.nn.model import GraphModel
from ultralytics.nn.transfer import transfer
from ultralytics.utils import LOGGER, RANK
from ultralytics.utils.dist import world_size
from ultralytics.utils.env import is_main_process, num_cores
from ultralytics.utils.torch_utils import (
    autocast,
    seed_everything,
)

if TYPE_CHECKING:
    from ultralytics.tasks.spec import TaskSpec


class TrainingSetup:
    """The parts of a training run, made from the options by hooks that a task overrides.

    The hooks are `check_data`, `build_dataset`, `build_criterion`, `build_validator`, `dummy_batch`, `calibrate`
    and `plot_batch`.

    Args:
        config: the options of the run.
        task: the row of the task table.
        architecture: the network as data.
        weights: where to start from; None starts from random weights.
        resume: a checkpoint with training state to go on from; it also brings weights and architecture.
        save_dir: folder of the run; None chooses a new one.
        callbacks: user's callbacks.
    """

    def __init__(
        self,
        config: Config,
        task: TaskSpec,
        architecture: Mapping[str, Any],
        *,
        weights: Checkpoint | None = None,
        resume: Checkpoint | None = None,
        save_dir: Path | None = None,
        callbacks: CallbackList | None = None,
    ) -> None:
        self.args = config
        self.task = task
        self.architecture = architecture
        self.weights = weights
        self.resume = resume
        self.callbacks = callbacks or CallbackList()
        self._folder = save_dir
        self.loop = LoopState(epochs=config.epochs)
        self.metrics: dict[str, float] = {}
        self.calibration: dict[str, float] = {}
        self.fitness: float | None = None
        self.loss_items: dict[str, float] = {}
        self.epoch = 1
        if save_dir is not None:
            self._place(save_dir)

    # Hooks of a task ------------------------------------------------------------------------------------------------

    def check_data(self) -> None:
        """Look at the labels before any training; raise `DatasetError` when they cannot be meant as they are."""

    def build_dataset(self, split: str, train: bool) -> Any:
        """Make the dataset of a split."""
        raise NotImplementedError

    def build_criterion(self) -> Criterion:
        """Make the loss."""
        raise NotImplementedError

    def build_validator(self, loader: DataLoader) -> BaseValidator:
        """Make the validator of this task over the validation loader."""
        raise NotImplementedError

    def dummy_batch(self, count: int, size: int) -> dict[str, Tensor]:
        """Make the target part of a batch, to measure memory with."""
        raise NotImplementedError

    def calibrate(self, model: GraphModel) -> dict[str, float]:
        """Fit on the validation split what turns the best weights' outputs into probabilities and answers.

        Only the first process calls it.

        Returns:
            Plain figures for the checkpoint and for whoever runs the model; none if there is nothing to fit.
        """
        return {}

    def plot_labels(self, path: Path) -> None:
        """Draw what the training labels hold."""

    def plot_batch(self, batch: Mapping[str, Any], path: Path) -> None:
        """Draw a training batch with its labels."""

    def _open_folder(self) -> AbstractContextManager[Path]:
        """Open the folder that was given, or a new one."""
        if self._folder is not None:
            return nullcontext(self._folder)
        return open_run_folder(self.args, self.task.name, "train")

    def _place(self, folder: Path) -> None:
        """Say where the run lives; the checkpoints remember it."""
        self.save_dir, self.csv = folder, folder / "results.csv"
        self.last, self.best = folder / "weights" / "last.pt", folder / "weights" / "best.pt"
        self.args = self.args.replace(save_dir=str(folder.resolve()))

    # Set-up ---------------------------------------------------------------------------------------------------------

    def _setup(self, device: torch.device) -> None:
        self.callbacks.run("on_pretrain_routine_start", self)
        seed_everything(self.args.seed + 1 + RANK)
        self.device = device
        self.data = DatasetSpec.load(self.args.data or self.task.default_data, strict=self.args.strict)
        if (place := Path(self.args.data or "")).is_file() or (self.args.data and place.is_dir()):
            self.args = self.args.replace(data=str(place.resolve()))  # the checkpoint may be used from another folder
        self.check_data()
        if self.resume is not None:  # the network's classes are those of the checkpoint, whatever order these have
            self.data = match_classes(self.data, self.resume.names, remap=self.args.cls_remap)
        self.fingerprint = {"dataset": self.data.title, "files": self.data.fingerprint()}
        self.memory_format = torch.contiguous_format if self.args.channels_last is False else torch.channels_last
        self.model = self._build_model()
        self.train_set = self.build_dataset("train", train=True)
        self.val_set = self.build_dataset(self.args.split, train=False)
        self.criterion = self.build_criterion().to(self.device)
        self.batch = resolve_batch(self.args.batch, self.device, self._probe_memory)
        self._build_loaders()
        self._build_optimizer()
        self.ema = ModelEMA(self.model)
        self.parallel = self._parallel()
        self.stopper = EarlyStopping(self.args.patience)
        self.stop = False
        if is_main_process():
            self.last.parent.mkdir(parents=True, exist_ok=True)
            dump(self.args, self.save_dir / OPTIONS_FILE)
            if self.args.plots:
                self.plot_labels(self.save_dir / "labels.jpg")

    def _build_model(self) -> GraphModel:
        model: GraphModel = self.task.resolve("model")(
            dict(self.architecture), ch=self.data.channels, nc=self.data.num_classes
        )
        model.names = dict(self.data.names)
        if self.weights is not None:
            report = transfer(model, self.weights, remap_classes=self.args.cls_remap)
            LOGGER.info(report.text())
        self.frozen = freeze_layers(model, self.args.freeze)
        return model.to(self.device).to(memory_format=self.memory_format)  # type: ignore[call-overload,no-any-return]

    def _build_loaders(self) -> None:
        share = max(min(self.batch, len(self.train_set)) // world_size(), 1)
        workers = min(self.args.workers, num_cores() if self.device.type == "cuda" else num_cores() // 2)
        options: dict[str, Any] = {"workers": workers, "seed": self.args.seed, "pin_memory": self.device.type == "cuda"}
        stride = int(torch.as_tensor(self.model.stride).max())
        for dataset in (self.train_set, self.val_set):
            dataset.regroup(share if dataset.rect else 0, stride)
        self.loader = build_dataloader(self.train_set, share, shuffle=True, rank=RANK, **options)
        self._check_batches(share)
        self.val_loader = build_dataloader(self.val_set, share, shuffle=False, rank=RANK, **options)
        self.validator = self.build_validator(self.val_loader)

    def _check_batches(self, share: int) -> None:
        """Refuse batches that are too small for batch normalisation, before the first of them fails."""
        stride = int(torch.as_tensor(self.model.stride).max())
        shapes = self.train_set.shapes * (1 - self.args.multi_scale)
        batches = ((images, shapes[index].tolist()) for images, index in self.loader.batch_sampler.sizes())
        require_statistics(batches, stride=stride, batch=share)

    def _build_optimizer(self) -> None:
        steps = math.ceil(len(self.train_set) / max(self.batch, self.args.nbs))
        self.loop.planned_updates = steps * self.loop.epochs
        if self.resume is not None and self.resume.train_state:
            self.loop.planned_updates = self.resume.train_state["loop"]["planned_updates"]
        self.optimizer = build_optimizer(
            self.model,
            name=self.args.optimizer,
            lr=self.args.lr0,
            momentum=self.args.momentum,
            weight_decay=self.args.weight_decay * self.batch * self._full_accumulation() / self.args.nbs,
            iterations=self.loop.planned_updates,
            num_classes=self.data.num_classes,
        )
        self.schedule = LRSchedule(
            self.optimizer,
            steps_per_epoch=len(self.loader),
            lrf=self.args.lrf,
            cosine=self.args.cos_lr,
            warmup_epochs=self.args.warmup_epochs,
            warmup_momentum=self.args.warmup_momentum,
            warmup_bias_lr=self.args.warmup_bias_lr,
        )
        self.amp = bool(self.args.amp) and self.device.type == "cuda"
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.amp)

    def _full_accumulation(self) -> int:
        """Batches whose gradients are added up to reach the nominal batch size."""
        return max(round(self.args.nbs / self.batch), 1)

    def _parallel(self) -> Any:
        if world_size() == 1:
            mode = self.args.compile if isinstance(self.args.compile, str) else None
            return torch.compile(self.model, mode=mode) if self.args.compile else self.model
        ids = [self.device.index] if self.device.type == "cuda" else None
        return DistributedDataParallel(nn.SyncBatchNorm.convert_sync_batchnorm(self.model) if ids else self.model, ids)

    def _probe_memory(self, batch: int) -> None:
        """Run one forward and backward pass of a made-up batch on a copy, for the automatic batch size."""
        size = self.args.imgsz if isinstance(self.args.imgsz, int) else max(self.args.imgsz)
        images = torch.zeros(batch, self.data.channels, size, size, device=self.device)
        images = images.contiguous(memory_format=self.memory_format)
        with autocast(self.device, enabled=bool(self.args.amp)):
            outputs = copy.deepcopy(self.model).train()(images)
        loss, _ = self.criterion(outputs, self.dummy_batch(batch, size))
        loss.backward()
