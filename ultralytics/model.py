"""`YOLO`: load or build a model, then train, validate and predict; the task's classes are found by the model's head."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from ultralytics.cfg import Config, get_cfg
from ultralytics.cfg.settings import SETTINGS
from ultralytics.cfg.validate import check_options
from ultralytics.data.build import build_dataloader
from ultralytics.data.description.spec import DatasetSpec
from ultralytics.deploy import FORMATS, find_format
from ultralytics.engine.events import CallbackList, CallbackOwner
from ultralytics.engine.exporter import Exporter
from ultralytics.engine.results import Results
from ultralytics.engine.run_folder import open_run_folder
from ultralytics.engine.train.launch import process_group
from ultralytics.engine.train.resume import resumed_run
from ultralytics.errors import CheckpointError, ConfigError, ModelError
from ultralytics.nn.artefact import Artefact
from ultralytics.nn.autobackend import AutoBackend
from ultralytics.nn.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from ultralytics.nn.graph import load_architecture
from ultralytics.nn.model import GraphModel
from ultralytics.nn.model_facade import NetworkHandle
from ultralytics.nn.transfer import transfer
from ultralytics.tasks import DEFAULT_TASK, TaskSpec, get_task, task_of
from ultralytics.utils import LOGGER, RANK
from ultralytics.utils.downloads import find_weights
from ultralytics.utils.imports import load
from ultralytics.utils.log import show_logs
from ultralytics.utils.torch_utils import select_device

_FACTS = ("args", "metrics", "epoch", "licence", "fingerprint", "calibration", "palette")
"""What a checkpoint knows besides its network."""


class YOLO(NetworkHandle, CallbackOwner):
    """A segmentation model and everything that is done with it.

    Args:
        model: an architecture ("yolo26n-sem.yaml"), weights ("yolo26n-sem.pt", "runs/…/best.pt"; official names are
            downloaded when first used), or another `YOLO` to share.
        task: task name; None finds it from the model.
        verbose: whether to log the model's summary.

    Example:
        >>> from ultralytics import YOLO
        >>> model = YOLO("yolo26n-sem.yaml")
        >>> model.task
        'semantic'
    """

    def __init__(self, model: str | Path | YOLO | None = None, task: str | None = None, verbose: bool = False) -> None:
        show_logs()
        self.callbacks = CallbackList()
        self.predictor: Any = None
        self.trainer: Any = None
        self.metrics: Any = None
        self.overrides: dict[str, Any] = {}
        self.ckpt: Checkpoint | None = None
        self.ckpt_path: str | None = None
        self.cfg: str | None = None
        self.model: Any = None  # a GraphModel, or an Artefact
        self._task: TaskSpec | None = None
        if isinstance(model, YOLO):
            self.__dict__.update(model.__dict__)
            return
        name = str(model if model is not None else get_task(task or DEFAULT_TASK).default_model).strip()
        self.model_name = name
        if name.lower().endswith((".yaml", ".yml")):
            self._build(name)
        elif find_format(_named(name), FORMATS).module:
            self.model = Artefact(Path(name))
            self.overrides["model"] = name
        else:
            self._load(_named(name))
        if task is not None and self._task is not None and task != self.task:
            raise ModelError(f"'{name}' is a model of the task '{self.task}', not '{task}'.")
        if verbose:
            self.info()

    # Making ---------------------------------------------------------------------------------------------------------

    def _build(self, name: str) -> None:
        architecture = load_architecture(name)
        self._task = task_of(architecture)
        self.model = self._spec.resolve("model")(architecture)
        self.cfg = name
        self.overrides["model"] = name

    def _load(self, name: str) -> None:
        path = _find(name)
        self._adopt(load_checkpoint(path), path)

    def _adopt(self, checkpoint: Checkpoint, path: Path) -> None:
        """Make the network that a checkpoint describes."""
        self._task = task_of(checkpoint.yaml)
        model: GraphModel = self._spec.resolve("model")(checkpoint.yaml, ch=checkpoint.ch, nc=checkpoint.nc)
        model.names = dict(checkpoint.names)
        if checkpoint.is_fused:
            model.fuse()
        try:
            model.load_state_dict(checkpoint.state_dict)
        except RuntimeError as error:
            raise CheckpointError(
                f"'{path}': the weights do not fit the architecture they come with: {error}"
            ) from error
        self.model, self.ckpt, self.ckpt_path = model.eval(), checkpoint, str(path)
        kept = ("imgsz", "data", "label_map")
        self.overrides = {k: checkpoint.args[k] for k in kept if k in checkpoint.args} | {"model": str(path)}

    def load(self, weights: str | Path) -> YOLO:
        """Take the weights of a checkpoint where names and shapes fit; classes are matched by name.

        Raises:
            CheckpointError: less than half of the network would be loaded.
        """
        path = _find(str(weights))
        self.ckpt = load_checkpoint(path)
        self.overrides["pretrained"] = str(path)
        LOGGER.info(transfer(self.model, self.ckpt).text())
        self.predictor = None
        return self

    def save(self, filename: str | Path = "saved_model.pt") -> None:
        """Write the model as a checkpoint: tensors and plain data."""
        facts: dict[str, Any] = {"args": dict(self.overrides)}
        if self.ckpt is not None:
            facts = {name: getattr(self.ckpt, name) for name in _FACTS}
        save_checkpoint(Path(filename), Checkpoint.of_model(self.model, task=self.task, **facts))

    # Using ----------------------------------------------------------------------------------------------------------

    def __call__(
        self, source: Any = None, stream: bool | None = None, **options: Any
    ) -> list[Results] | Iterator[Results]:
        """Predict: see `predict`."""
        return self.predict(source, stream, **options)

    def predict(
        self, source: Any = None, stream: bool | None = None, predictor: Callable | None = None, **options: Any
    ) -> list[Results] | Iterator[Results]:
        """Predict on a source.

        Args:
            source: image file, folder, glob, list, video, camera index, URL, array (H, W, C) BGR, PIL image, tensor
                (B, C, H, W) RGB in [0, 1], or a generator of images.
            stream: return a generator that holds one batch at a time; None: only of videos, cameras and generators.
            predictor: class to use instead of the task's.
            **options: see `yolo cfg`.

        Returns:
            One `Results` per image or frame.
        """
        self._open(options, "predict")
        config = self._config("predict", options)
        kept = self.predictor
        if not self._fits(kept, config, options, predictor):
            role = predictor or self._spec.resolve("predictor")
            kept = role(config, self._backend(config), task=self.task, callbacks=self.callbacks)
        # Each call has a predictor of its own: earlier ones may still be under way, and others run in other threads.
        run = copy.copy(kept)
        run.args, run.save_dir = config, None
        self.predictor = run
        return run(source, stream=stream)

    def _fits(self, kept: Any, config: Config, options: Mapping[str, Any], role: Callable | None) -> bool:
        """Tell whether what predicted last would be made again just so: the network is copied and fused for it."""
        if kept is None or not kept.model.mirrors(self.model) or (role is not None and type(kept) is not role):
            return False
        if isinstance(self.model, Artefact):
            return kept.model is self.model.opened
        return "device" not in options or kept.model.device == select_device(config.device)

    def embed(self, source: Any = None, stream: bool | None = None, **options: Any) -> list[Tensor] | Iterator[Tensor]:
        """Describe images by vectors: what a layer returns, averaged over its area.

        Args:
            source: see `predict`.
            stream: see `predict`.
            **options: see `yolo cfg`; `embed` lists layers, by default the last but one.
        """
        layers = options.pop("embed", None) or [len(self.model.model) - 2]
        found: Any = self.predict(source, stream, embed=layers, **options)
        return found

    def val(self, validator: Callable | None = None, **options: Any) -> Any:
        """Measure the model on a split of a dataset.

        Args:
            validator: class to use instead of the task's.
            **options: see `yolo cfg`; `data` defaults to the dataset the model was trained on.

        Returns:
            The task's metrics.
        """
        self._open(options, "val")
        config = self._config("val", options)
        config = config.replace(data=config.data or self._spec.default_data)
        backend = self._backend(config)  # before a dataset may be made or fetched: its device may not be here
        if backend.imgsz is not None:
            config = config.replace(imgsz=list(backend.imgsz), rect=False)
        spec = DatasetSpec.load(config.data or self._spec.default_data, strict=config.strict)
        role: Any = validator or self._spec.resolve("validator")
        dataset = role.build_dataset(config, spec, dict(self.model.names))
        dataset.regroup(dataset.rect, backend.stride)
        how: dict[str, Any] = {"workers": config.workers, "shuffle": False, "seed": config.seed, "rank": RANK}
        with (
            process_group(backend.device),
            build_dataloader(dataset, int(config.batch), **how) as loader,
            open_run_folder(config, self.task, "val") as folder,
        ):
            run = role(config, loader, backend.device, save_dir=folder, callbacks=self.callbacks)
            self.metrics = run(backend, plots=config.plots, final=True)
        return self.metrics

    def _open(self, options: Mapping[str, Any], mode: str) -> None:
        """Open an artefact as a call asks for."""
        if isinstance(self.model, Artefact):
            how = {name: options[name] for name in ("device", "runtime", "toolchain", "dnn") if name in options}
            opened = self.model.open(get_cfg(how, mode=mode).as_dict())
            if self.predictor is not None and self.predictor.model is not opened:
                self.predictor = None  # it holds what has been closed
            self.overrides.setdefault("imgsz", list(opened.usual_imgsz))

    def _backend(self, config: Config) -> AutoBackend:
        """Make the network ready to run, with what its checkpoint knows of it."""
        if isinstance(self.model, Artefact):
            return self.model.opened
        device = select_device(config.device)
        palette = self.ckpt.palette if self.ckpt else None
        # Weights that `load` carried over to other classes are not what was calibrated.
        same = self.ckpt is not None and dict(self.ckpt.names) == dict(self.model.names)
        calibration = self.ckpt.calibration if self.ckpt and same else None
        return AutoBackend(self.model, device, palette=palette, calibration=calibration)

    def export(self, **options: Any) -> str:
        """Make an artefact of another format, and prove that it answers as the network does.

        Args:
            **options: see `yolo cfg`; `yolo formats` lists what each format can do.

        Returns:
            Path of the artefact; its report lies beside it as `<artefact>.report.json`.

        Raises:
            ConfigError: an option means nothing for the format, or a value is not possible.
            MissingDependency: the converter is not here and must not be fetched.
            ExportError: the conversion failed, or the artefact answers differently than the network.
        """
        config = self._config("export", options)
        if self.ckpt is not None and dict(self.ckpt.names) == dict(self.model.names):
            facts = {name: getattr(self.ckpt, name) for name in _FACTS}
        else:
            facts = {"args": dict(self.overrides)}
        checkpoint = Checkpoint.of_model(self.model, task=self.task, **facts)
        source = Path(self.ckpt_path) if self.ckpt_path else None
        self.exporter = Exporter(
            config,
            set(check_options(options)),
            self._spec,
            checkpoint,
            source=source,
            name=(source or Path(self.model_name)).stem,
            callbacks=self.callbacks,
        )
        return str(self.exporter())

    def benchmark(
        self,
        data: str | None = None,
        formats: str | Sequence[str] | None = None,
        time_limit: float = 3600,
        **options: Any,
    ) -> Any:
        """Export to formats, and measure each: size, mIoU, agreement, latency, memory.

        Args:
            data: dataset to measure on; None for the one the model was trained on.
            formats: words of formats, or one text with commas; None for all that can be made and run here.
            time_limit: seconds that a format may take.
            **options: see `yolo cfg`; the mIoU is that of a `fraction` of the images. `resume=True` goes on with the
                last benchmark, `resume=PATH` with that in a folder.

        Returns:
            A `BenchmarkTable`, one row per format.
        """
        known = {**options, "data": data or self.overrides.get("data") or self._spec.default_data}
        config = self._config("benchmark", known)
        run = load("ultralytics.benchmark:benchmark")
        given = set(check_options(options))
        return run(self, config, given, formats=formats or options.get("format"), time_limit=time_limit)

    def train(self, trainer: Callable | None = None, **options: Any) -> Any:
        """Train the model; afterwards this object holds the best weights.

        Args:
            trainer: class to use instead of the task's.
            **options: see `yolo cfg`. `resume=True` goes on from the loaded `last.pt`, `resume=PATH` from that file.

        Returns:
            The metrics of the best weights on the validation split; None where several GPUs were given, whose
            processes leave them in the run's folder.
        """
        resume, save_dir = resumed_run(options, self.ckpt_path)
        config = self._config("train", options, base=resume.args if resume else None)
        config = config.replace(data=config.data or self._spec.default_data)
        role = trainer or self._spec.resolve("trainer")
        self.trainer = role(
            config,
            self._spec,
            self.model.yaml,
            weights=None if resume else self._start_weights(config),
            resume=resume,
            save_dir=save_dir,
            callbacks=self.callbacks,
        )
        self.metrics = self.trainer.train()
        self._adopt(load_checkpoint(self.trainer.best), self.trainer.best)
        self.predictor = None
        return self.metrics

    def _start_weights(self, config: Config) -> Checkpoint | None:
        """Weights to start from: the file named by `pretrained`, else those that are loaded, else none."""
        if isinstance(config.pretrained, str):
            return load_checkpoint(_find(config.pretrained))
        return self.ckpt if config.pretrained else None

    def _config(self, mode: str, options: Mapping[str, Any], base: Mapping[str, Any] | None = None) -> Config:
        """Options of a call: defaults, the task's, those of the checkpoint, the caller's."""
        kept = {} if base else dict(self.overrides)
        if options.get("data", kept.get("data")) != kept.get("data"):
            kept.pop("label_map", None)  # it repairs the labels of the dataset that the model was trained on
        known = {**self._spec.defaults, **kept, **options, "task": self.task, "mode": mode}
        return get_cfg(known, base=base, mode=mode)

    # Knowing --------------------------------------------------------------------------------------------------------

    @property
    def _spec(self) -> TaskSpec:
        """Row of the task; an artefact has to be opened to tell."""
        if self._task is None:
            self._task = get_task(self.model.opened.task)
        return self._task

    @property
    def task(self) -> str:
        """Name of the task."""
        return self._spec.name

    @property
    def task_map(self) -> dict[str, Any]:
        """The classes of this model's task."""
        return {role: self._spec.resolve(role) for role in ("model", "trainer", "validator", "predictor")}

    def reset_weights(self) -> YOLO:
        """Give every layer fresh random weights."""
        self.model = self._spec.resolve("model")(self.model.yaml)
        self.ckpt, self.predictor = None, None
        return self

    def track(self, *arguments: Any, **options: Any) -> None:
        """Tracking follows boxes; a class map has none."""
        raise ConfigError(f"The task '{self.task}' has no boxes to track. Use predict on the video.")

    def __getattr__(self, name: str) -> Any:
        # Reached only for names this class lacks: the network's own (stride, yaml, …).
        model: nn.Module | None = self.__dict__.get("model")
        if model is None or name.startswith("__"):
            raise AttributeError(f"'YOLO' has no attribute '{name}'")
        return getattr(model, name)

    def __repr__(self) -> str:
        return f"YOLO('{self.model_name}', task='{self.task}', classes={len(self.names)})"


def _named(name: str) -> str:
    """Complete an official name: "yolo26n-sem" means its weights."""
    return name if Path(name).suffix or Path(name).exists() else f"{name}.pt"


def _find(name: str) -> Path:
    """Find weights by path or official name; those are downloaded into the user's weights folder."""
    return find_weights(name, SETTINGS["weights_dir"])
