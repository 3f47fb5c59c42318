"""Start a network from weights that fit it only in part: another number of classes, other class names, another head."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from ultralytics.errors import CheckpointError
from ultralytics.nn.checkpoint import Checkpoint
from ultralytics.nn.model import GraphModel
from ultralytics.utils.class_names import fold_name, ids_by_name

_MIN_BACKBONE_SHARE = 0.5


@dataclass(slots=True)
class TransferReport:
    """What became of every tensor of a network.

    Attributes:
        loaded: names of the tensors taken over whole.
        remapped: names of classifier tensors whose rows were taken over by class name.
        classes: names of the classes whose rows were.
        adapted: by name, how the first convolution's filters became those of another number of bands.
        skipped: reason by name, for the tensors that keep their initial values.
    """

    loaded: list[str] = field(default_factory=list)
    remapped: list[str] = field(default_factory=list)
    classes: list[str] = field(default_factory=list)
    adapted: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)

    def text(self) -> str:
        """Say it in a few lines."""
        total = len(self.loaded) + len(self.remapped) + len(self.adapted) + len(self.skipped)
        lines = [f"Transferred {len(self.loaded)} of {total} tensors."]
        if self.remapped:
            lines.append(
                f"Rows of {len(self.remapped)} classifier tensors were matched by name for {len(self.classes)} "
                f"classes: {_some(self.classes)}."
            )
        lines.extend(f"{name} was {change} bands." for name, change in self.adapted.items())
        if self.skipped:
            reasons = [f"{name} ({reason})" for name, reason in self.skipped.items()]
            lines.append(f"{len(self.skipped)} keep their initial values: {_some(reasons)}.")
        return "\n".join(lines)


def transfer(
    model: GraphModel,
    source: Checkpoint | Mapping[str, Tensor],
    *,
    source_names: Mapping[int, str] | None = None,
    remap_classes: bool | Mapping[str, str | None] = True,
) -> TransferReport:
    """Load the weights that fit a network by name and shape.

    Filters of the first convolution are brought to the model's number of bands, see `_with_bands`.
    The last convolutions of the head have one row per class. If the class names differ, their rows are matched by
    name; without any common name they are loaded by position if their number fits, and skipped if not.

    Args:
        model: network to fill; changed in place.
        source: a checkpoint, or tensors by name.
        source_names: class names of the source; None takes the checkpoint's.
        remap_classes: match classifier rows by class name; a mapping gives the source's name of some classes.

    Raises:
        CheckpointError: less than half of the backbone's parameters fit, or the source cannot be trained on.
    """
    if isinstance(source, Checkpoint):
        source_names = source.names if source_names is None else source_names
        source = source.state_dict
    targets = model.state_dict()
    _refuse_fused(source, targets)
    renamed = remap_classes if isinstance(remap_classes, Mapping) else {}
    rows = _common_classes(source_names or {}, model.names, renamed) if remap_classes else {}
    report = TransferReport(classes=[model.names[row] for row in rows])
    per_class = _classifier_tensors(model) if rows else set()
    first = _first_convolution(model)
    values: dict[str, Tensor] = {}
    for name, target in targets.items():
        given = source.get(name)
        if given is None:
            report.skipped[name] = "not in the weights"
        elif name in per_class and given.shape[1:] == target.shape[1:] and len(given) == len(source_names or {}):
            values[name] = _take_rows(target, given, rows)
            report.remapped.append(name)
        elif given.shape == target.shape:
            values[name] = given
            report.loaded.append(name)
        elif name == first and given.shape[:1] + given.shape[2:] == target.shape[:1] + target.shape[2:]:
            values[name] = _with_bands(given, target.shape[1])
            change = "inflated" if target.shape[1] > given.shape[1] else "reduced"
            report.adapted[name] = f"{change} from {given.shape[1]} to {target.shape[1]}"
        else:
            report.skipped[name] = f"{_shape(given)} in the weights, {_shape(target)} here"
    _check_backbone(model, values)
    model.load_state_dict(values, strict=False)
    return report


def _common_classes(
    source: Mapping[int, str], target: Mapping[int, str], renamed: Mapping[str, str | None]
) -> dict[int, int]:
    """Map target rows to source rows of the same name; empty if all classes are where they were or none is common."""
    known = ids_by_name(source)
    renamed = {fold_name(name): "" if origin is None else fold_name(origin) for name, origin in renamed.items()}
    wanted = {row: renamed.get(fold_name(name), fold_name(name)) for row, name in target.items()}
    rows = {row: known[name] for row, name in wanted.items() if name in known}
    unchanged = len(source) == len(target) == len(rows) and all(row == other for row, other in rows.items())
    return {} if unchanged else rows


def _classifier_tensors(model: GraphModel) -> set[str]:
    """Name the tensors of the head with one row per class: its convolutions with a bias and as many outputs."""
    prefix = next(name for name, module in model.named_modules() if module is model.head)
    return {
        f"{prefix}.{name}.{tensor}"
        for name, module in model.head.named_modules()
        if isinstance(module, nn.Conv2d) and module.bias is not None and module.out_channels == model.nc
        for tensor in ("weight", "bias")
    }


def _first_convolution(model: GraphModel) -> str | None:
    """Name the filters that see all bands of the image; None if the first convolution sees one band at a time."""
    for name, module in model.named_modules():
        if isinstance(module, nn.Conv2d):
            return f"{name}.weight" if module.groups == 1 else None
    return None


def _with_bands(filters: Tensor, bands: int) -> Tensor:
    """Make (O, `bands`, k, k) filters of (O, C, k, k) that answer an image whose bands are all equal as these do."""
    # Every band gets the mean filter. To keep those of red, green and blue for the first three would suppose an order
    # of the bands, and that of multispectral files is rarely red, green, blue (Sentinel-2: coastal, blue, green, red).
    return filters.float().sum(dim=1, keepdim=True).div(bands).expand(-1, bands, -1, -1)


def _take_rows(target: Tensor, given: Tensor, rows: Mapping[int, int]) -> Tensor:
    """Copy the rows of known classes into the initial values."""
    result = target.clone()
    here, there = torch.tensor(list(rows)), torch.tensor(list(rows.values()))
    result[here] = given[there].to(result)
    return result


def _refuse_fused(source: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> None:
    def normalised(names: Mapping[str, Tensor]) -> bool:
        return any(name.endswith(".running_mean") for name in names)

    if normalised(targets) and not normalised(source):
        raise CheckpointError(
            "These weights are fused: batch normalisation is folded into the convolutions, so training cannot start "
            "from them. Use the checkpoint as it was before fuse()."
        )


def _check_backbone(model: GraphModel, values: Mapping[str, Tensor]) -> None:
    """Refuse weights of another architecture, which would leave the network as good as random."""
    depth = len(model.yaml["backbone"])
    prefixes = tuple(f"model.{index}." for index in range(depth))
    backbone = {name: value for name, value in model.named_parameters() if name.startswith(prefixes)}
    total = sum(value.numel() for value in backbone.values())
    found = sum(value.numel() for name, value in backbone.items() if name in values)
    if found < _MIN_BACKBONE_SHARE * total:
        raise CheckpointError(
            f"Only {found:,} of the backbone's {total:,} parameters are in these weights: they belong to another "
            "architecture or scale. Use weights of the same model family and size, or train from scratch."
        )


def _shape(tensor: Tensor) -> str:
    return "×".join(map(str, tensor.shape)) or "scalar"


def _some(items: list[str], count: int = 5) -> str:
    more = f" and {len(items) - count} more" if len(items) > count else ""
    return ", ".join(items[:count]) + more
