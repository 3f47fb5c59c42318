"""The one list of options: each field's type, default, allowed values, modes and help stand on its own line.

Whatever else knows options is derived from `Config`: checks, command-line help, `default.yaml`, `docs/config.md`.
Defaults that depend on a task or a mode are laid over these by `loader.get_cfg`.
"""

# ruff: noqa: RUF009 - the calls return dataclass fields

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

MODES = ("train", "val", "predict", "export", "benchmark")

_OPTIMIZERS = ("auto", "SGD", "MuSGD", "Adam", "AdamW", "Adamax", "NAdam", "RAdam", "RMSProp")
_COMPILE_MODES = ("default", "reduce-overhead", "max-autotune")


def option(
    default: Any,
    help: str,
    *,
    minimum: float | None = None,
    above: float | None = None,
    maximum: float | None = None,
    choices: tuple[str, ...] = (),
    modes: tuple[str, ...] = MODES,
    group: str = "",
) -> Any:
    """Describe one option as a dataclass field.

    Args:
        default: value where nothing else is said.
        help: what the option does, as the end of a table row.
        minimum: smallest number allowed.
        above: every number must be greater than this.
        maximum: largest number allowed.
        choices: the only texts allowed.
        modes: commands that read the option.
        group: heading under which it is listed.
    """
    facts = {"help": help, "minimum": minimum, "above": above, "maximum": maximum, "choices": choices}
    return dataclasses.field(default=default, metadata={**facts, "modes": modes, "group": group})


def _group(title: str, *modes: str) -> Callable[..., Any]:
    return partial(option, group=title, modes=modes or MODES)


_WITH_FOLDER = tuple(mode for mode in MODES if mode != "export")
"""Modes whose runs have a folder; an export puts its artefact beside the weights."""

_run = _group("Run")
_train = _group("Training", "train")
_optim = _group("Optimisation", "train")
_augment = _group("Augmentation", "train")
_val = _group("Validation", "val")
_predict = _group("Prediction", "predict")
_infer = _group("Inference", "val", "predict", "benchmark")
_output = _group("Pictures and files", "predict")
_export = _group("Export", "export")
_instance = _group("Instances", "train", "val", "predict")


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    """The options of one run. Values are checked where they come in, by `get_cfg`, not here."""

    task: str | None = _run(None, "what the model answers; none: the weights say")
    mode: str = _run("train", "what is done", choices=MODES)
    model: str | None = _run(None, "weights (.pt), architecture (.yaml) or exported artefact")
    data: str | None = _run(None, "dataset YAML, folder or archive", modes=("train", "val", "export", "benchmark"))
    imgsz: int | list[int] = _run(640, "network input: longer side, or [height, width]; multiples of 32", minimum=1)
    batch: int | float = _run(16, "images at once; -1: what fits the GPU; below 1: that share of its memory")
    device: str | None = _run(None, "cpu, mps, 0, or 0,1 for several GPUs; none: the best there is")
    workers: int = _run(8, "processes that read images", minimum=0, modes=("train", "val"))
    project: str | None = _run(None, "folder of runs, below the runs folder unless absolute", modes=_WITH_FOLDER)
    name: str | None = _run(None, "name of the run; none: the mode")
    save_dir: str | None = _run(None, "exactly this folder for the run, or for the artefact of an export")
    exist_ok: bool = _run(False, "write into the run's folder if it exists, instead of beside it", modes=_WITH_FOLDER)
    verbose: bool = _run(True, "say what is going on")
    debug: bool = _run(False, "show tracebacks")
    cfg: str | None = _run(None, "YAML file with options, below those given directly")
    channels_last: bool | None = _run(None, "memory layout NHWC; none: where it is faster")
    compile: bool | str = _run(False, "use torch.compile, in this mode", choices=_COMPILE_MODES, modes=MODES[:3])

    epochs: int = _train(100, "passes over the training images", minimum=1)
    time: float | None = _train(None, "hours to train, instead of epochs", above=0)
    patience: int = _train(100, "epochs without improvement before stopping; 0: never stop early", minimum=0)
    save: bool = _train(True, "write checkpoints; predict: write pictures", modes=("train", "predict"))
    save_period: int = _train(-1, "also keep a checkpoint every so many epochs; -1: only best and last", minimum=-1)
    cache: bool | str = _train(False, "keep decoded images in ram, or on disk beside them", choices=("ram", "disk"))
    pretrained: bool | str = _train(True, "start from the model's weights, or from this file")
    cls_remap: bool | dict[str, str | None] = _train(
        True,
        "match classes by name; False: by position; or {name in the dataset: name in the model}",
        modes=("train", "val", "export", "benchmark"),
    )
    resume: bool | str = _train(
        False, "go on with an interrupted run, or this checkpoint; benchmark: folder", modes=("train", "benchmark")
    )
    seed: int = _train(0, "seed of everything random", minimum=0)
    deterministic: bool = _train(True, "same seed, same weights")
    single_cls: bool = _train(False, "take all classes as one", modes=("train", "val"))
    classes: list[int] | None = _train(None, "only these class ids", minimum=0, modes=("train", "val", "predict"))
    rect: bool = _train(False, "batches in the images' shape instead of squares", modes=("train", "val", "predict"))
    multi_scale: float = _train(0.0, "vary the batch's size by up to this share", minimum=0, maximum=1)
    fraction: float = _train(
        1.0, "share of the images used", above=0, maximum=1, modes=("train", "export", "benchmark")
    )
    freeze: int | list[int] | None = _train(None, "leave the first so many layers, or these, as they are", minimum=0)
    amp: bool | str = _train(True, "mixed precision on GPUs, or its type", choices=("fp16", "bf16"))
    val: bool = _train(True, "validate after each epoch")
    plots: bool = _train(True, "draw curves, previews and matrices", modes=("train", "val"))
    strict: bool = _train(False, "stop where images or labels would be left out", modes=MODES[:2])
    label_map: str | None = _train(None, "auto: repair labels such as 0/255", choices=("auto",), modes=MODES[:2])

    optimizer: str = _optim("auto", "what takes the steps; auto: by their number", choices=_OPTIMIZERS)
    lr0: float = _optim(0.01, "first learning rate; optimizer=auto sets its own", minimum=0, maximum=1)
    lrf: float = _optim(0.01, "last learning rate as a share of the first", minimum=0, maximum=1)
    cos_lr: bool = _optim(False, "learning rate falls along a cosine instead of a line")
    momentum: float = _optim(0.937, "momentum of SGD, beta1 of Adam", minimum=0, maximum=1)
    weight_decay: float = _optim(0.0005, "weight decay at nbs images a step", minimum=0, maximum=1)
    warmup_epochs: float = _optim(3.0, "epochs over which the learning rate rises", minimum=0)
    warmup_momentum: float = _optim(0.8, "momentum at the start of the warm-up", minimum=0, maximum=1)
    warmup_bias_lr: float = _optim(0.1, "learning rate of biases at the start of the warm-up", minimum=0, maximum=1)
    nbs: int = _optim(64, "images a step is meant for; smaller batches are accumulated to it", minimum=1)
    cls_pw: float = _optim(0.0, "weight classes by rarity to this power; 0: equally", minimum=0, maximum=1)
    class_weights: list[float] | str | None = _optim(None, "weight of each class", minimum=0, choices=("auto",))

    hsv_h: float = _augment(0.015, "shift hue by up to this share of the circle", minimum=0, maximum=1)
    hsv_s: float = _augment(0.7, "change saturation by up to this share", minimum=0, maximum=1)
    hsv_v: float = _augment(0.4, "change brightness by up to this share", minimum=0, maximum=1)
    degrees: float = _augment(0.0, "turn by up to so many degrees", minimum=-180, maximum=180)
    translate: float = _augment(0.1, "move by up to this share of the image", minimum=0, maximum=1)
    scale: float | list[float] = _augment(0.5, "zoom by 1 - scale to 1 + scale, or between two factors", minimum=0)
    shear: float = _augment(0.0, "shear by up to so many degrees", minimum=-180, maximum=180)
    perspective: float = _augment(0.0, "perspective; 0.001 is strong", minimum=0, maximum=1)
    flipud: float = _augment(0.0, "chance of turning upside down", minimum=0, maximum=1)
    fliplr: float = _augment(0.5, "chance of mirroring", minimum=0, maximum=1)
    bgr: float = _augment(0.0, "chance of swapping red and blue", minimum=0, maximum=1)
    mosaic: float = _augment(1.0, "chance of joining four images", minimum=0, maximum=1)
    close_mosaic: int = _augment(10, "last epochs without mosaic, mixup, cutmix and copy_paste", minimum=0)
    mixup: float = _augment(0.0, "chance of blending two images", minimum=0, maximum=1)
    cutmix: float = _augment(0.0, "chance of pasting a rectangle of another image", minimum=0, maximum=1)
    copy_paste: float = _augment(0.0, "chance of pasting objects", minimum=0, maximum=1)
    copy_paste_mode: str = _augment("flip", "paste from the mirrored or another image", choices=("flip", "mixup"))

    split: str = _val("val", "part to validate on", choices=("train", "val", "test"), modes=MODES[:2])
    resolution: str = _val("input", "size at which pixels are counted", choices=("input", "source"))
    save_json: bool = _val(
        False, "write class-id PNGs in the dataset's own ids; predict: what was found as JSON", modes=MODES[1:3]
    )
    report: bool = _val(False, "write an HTML page with tables and the worst images")
    boundary: bool = _val(False, "also boundary IoU and boundary F1")
    cldice: bool = _val(False, "also clDice: how well thin structures stay connected")

    conf: float | None = _infer(
        None, "reject pixels below this probability; binary: threshold", minimum=0, maximum=1, modes=MODES[1:]
    )
    augment: bool = _infer(False, "average over mirrored and scaled copies")
    tta: str | None = _infer(None, "the copies to average over: flip, ms or flip,ms")
    tile: int | None = _infer(None, "see images at their own size, in tiles of so many pixels", minimum=32)
    overlap: float = _infer(0.25, "share of a tile that its neighbour covers too", minimum=0, maximum=0.9)
    blend: str = _infer("linear", "how overlapping tiles are joined", choices=("none", "linear", "gauss"))
    quantize: int | str | None = _infer(None, "bits of weights and activations", modes=MODES[1:])
    dnn: bool = _infer(False, "run ONNX files with OpenCV")
    runtime: str = _infer("auto", "where an artefact's runtime lives", choices=("auto", "inprocess", "isolated"))

    source: Any = _predict(None, "image, folder, glob, video, stream, array or tensor")
    vid_stride: int = _predict(1, "take every n-th frame", minimum=1)
    stream_buffer: bool = _predict(False, "take the frames of a stream in order, up to 30 wait, instead of the latest")
    stream_timeout: float = _predict(30.0, "seconds without a frame after which a stream counts as lost", above=0)
    probs: str | None = _predict(None, "keep probabilities: of the answer, or of every class", choices=("top1", "full"))
    entropy: bool = _predict(False, "keep the entropy of every pixel")
    two_step: bool = _predict(False, "enlarge to the network input first, then to the source, as the reference does")
    embed: list[int] | None = _predict(None, "instead of results: what these layers return, as one vector", minimum=0)
    visualize: bool = _predict(False, "write a picture of what the network looked at")

    show: bool = _output(False, "open a window")
    save_mask: bool | str = _output(
        False, "write class-id PNGs: grey levels, or with the palette for viewers", choices=("ids", "palette")
    )
    save_frames: bool = _output(False, "write the frames of a video one by one")
    save_csv: bool = _output(False, "write what was found in all pictures as one table")
    save_geojson: bool = _output(False, "write the regions as polygons")
    polygon_simplify: float = _output(0.0, "pixels a polygon may leave the true outline; 0: exact", minimum=0)
    polygon_min_area: float = _output(0.0, "leave out polygons of fewer pixels", minimum=0)
    save_rle: bool = _output(False, "write the areas as COCO run lengths")
    save_txt: bool = _output(False, "write labels to train on; of class maps PNGs of ids")
    save_conf: bool = _output(False, "write the probability of each pixel as PNGs, and its entropy where it is kept")
    save_crop: bool = _output(False, "write a picture of each object; class maps have none")
    alpha: float = _output(0.5, "strength of the colours laid over the picture", minimum=0, maximum=1)
    contours: bool = _output(False, "draw the borders between classes")
    palette: str | None = _output(None, "published colours; none: the dataset's, else ours", choices=("cityscapes",))
    show_labels: bool = _output(True, "draw class names: the legend")
    show_conf: bool = _output(True, "draw confidences")
    show_boxes: bool = _output(True, "draw boxes")
    line_width: int | None = _output(None, "width of lines in pixels; none: by the image's size", minimum=1)

    format: str = _export("torchscript", "what to make; `yolo formats` lists them", modes=MODES[3:])
    formats: list[str] | None = _export(None, "what to measure; none: all that run here", modes=("benchmark",))
    output: str | None = _export(None, "what the artefact returns; None: the best that the format can")
    pipeline: bool = _export(False, "put resizing into the graph: image of any size in, class map of its size out")
    verify: bool = _export(True, "compare the artefact with the model; too different is an error", modes=MODES[3:])
    toolchain: str = _export("ask", "missing converters, runtimes: ask, auto, never or a folder", modes=MODES[1:])
    optimize: bool = _export(False, "optimise for mobile devices")
    dynamic: bool = _export(False, "accept any input size")
    simplify: bool = _export(True, "simplify the graph")
    opset: int | None = _export(None, "ONNX opset; none: the newest that works", minimum=1)
    workspace: float | None = _export(None, "GiB the TensorRT builder may use", above=0)

    iou: float = _instance(0.7, "overlap above which the weaker of two objects is dropped", minimum=0, maximum=1)
    max_det: int = _instance(300, "most objects in an image", minimum=1)
    nms: bool | None = _instance(None, "drop overlapping objects after the network", modes=MODES[1:])
    agnostic_nms: bool = _instance(False, "objects of different classes may drop each other")
    retina_masks: bool = _instance(False, "masks at the source's size")
    overlap_mask: bool = _instance(True, "one mask image for all objects of an image")
    mask_ratio: int = _instance(4, "masks are this much smaller than the image", minimum=1)
    box: float = _instance(7.5, "weight of the box loss", minimum=0)
    cls: float = _instance(0.5, "weight of the class loss", minimum=0)
    dfl: float = _instance(1.5, "weight of the box-edge loss", minimum=0)

    def replace(self, **changes: Any) -> Config:
        """Return a copy with other values, which are taken as they are: for code that knows what it sets."""
        return dataclasses.replace(self, **changes)

    def as_dict(self) -> dict[str, Any]:
        """Return all options by name, in the order of the list."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Option:
    """One row of the list. See `option` for the attributes that are not explained by their name."""

    name: str
    type: Any
    default: Any
    help: str
    group: str
    modes: tuple[str, ...]
    minimum: float | None
    above: float | None
    maximum: float | None
    choices: tuple[str, ...]


def _options() -> Mapping[str, Option]:
    types = typing.get_type_hints(Config)
    rows = (
        Option(name=field.name, type=types[field.name], default=field.default, **field.metadata)
        for field in dataclasses.fields(Config)
    )
    return MappingProxyType({row.name: row for row in rows})


OPTIONS: Mapping[str, Option] = _options()


def _table(**rows: Any) -> Mapping[str, Any]:
    return MappingProxyType(rows)


INERT: Mapping[str, Any] = _table(
    dropout=0.0, auto_augment="randaugment", erasing=0.4, pose=12.0, kobj=1.0, rle=1.0, angle=1.0, dlog=1.0, dgrad=0.5,
    dlam=1.0, distill_model=None, dis=6.0, tracker="tracktrack.yaml", augmentations=None, profile=False,
)  # fmt: skip
"""Options of tasks that do not exist here, with their defaults: accepted so that files load, without effect."""
