"""The classes of a dataset in the order of a model's: matched by name, or refused with both lists."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from ultralytics.data.description.spec import DatasetSpec
from ultralytics.errors import ConfigError
from ultralytics.utils import LOGGER
from ultralytics.utils.class_names import are_placeholders, fold_name, have_same_classes, ids_by_name

Remap: TypeAlias = "bool | Mapping[str, str | None]"
"""What the option `cls_remap` may be: match by name, keep positions, or a model's name for each of some of ours."""


def match_classes(
    spec: DatasetSpec, names: Mapping[int, str], *, remap: Remap = True, classes: Sequence[int] | int | None = None
) -> DatasetSpec:
    """Bring the labels of a dataset into the class ids of a model.

    Args:
        spec: the dataset.
        names: the model's classes by id.
        remap: True matches by name, False by position; a mapping gives the model's name for a name of the dataset, or
            None to ignore that class, before the rest is matched by name.
        classes: ids of the model's classes that count; classes of the dataset beyond them are ignored.

    Returns:
        A description whose classes are the model's.

    Raises:
        ConfigError: a class is missing on one side; the message lists both sides.
    """
    renamed = remap if isinstance(remap, Mapping) else {}
    if not renamed and (remap is False or have_same_classes(spec.names, names)):
        return _by_position(spec, names)
    if not renamed and len(spec.names) == len(names) and _says_nothing(spec.names, names):
        LOGGER.warning(
            f"Classes of '{spec.title}' and of the model are matched by position: one side only numbers them. "
            f"Dataset: {_listed(spec.names)}. Model: {_listed(names)}."
        )
        return _by_position(spec, names)
    order, unknown = _order(spec, names, renamed)
    unknown = _pair_short_forms(spec, names, order, unknown)
    counted = set(names) if classes is None else {classes} if isinstance(classes, int) else set(classes)
    missing = [names[number] for number in sorted(counted & set(names)) if number not in order.values()]
    if missing or (unknown and classes is None):
        raise ConfigError(_disagreement(spec, names, unknown, missing))
    if spec.is_binary != (len(names) == 1):
        raise ConfigError(_disagreement(spec, names, [], []))
    moved = {spec.names[k]: names[target] for k, target in order.items() if target is not None and k != target}
    if moved:
        LOGGER.info(
            f"'{spec.title}' lists its classes in another order than the model: "
            f"labels are matched by name ({len(moved)} of {len(names)} ids change)."
        )
    return spec.with_classes(names, order)


def _by_position(spec: DatasetSpec, names: Mapping[int, str]) -> DatasetSpec:
    if len(spec.names) != len(names):
        raise ConfigError(_disagreement(spec, names, [], []))
    return spec.with_classes(names, {number: number for number in spec.names})


def _says_nothing(left: Mapping[int, str], right: Mapping[int, str]) -> bool:
    return are_placeholders(left.values()) or are_placeholders(right.values())


def _order(
    spec: DatasetSpec, names: Mapping[int, str], renamed: Mapping[str, str | None]
) -> tuple[dict[int, int | None], list[str]]:
    """Find the model's id of each class of the dataset, and the classes that have none."""
    _check_unique(names, "the model")
    _check_unique(spec.names, f"'{spec.title}'")
    known, ours = ids_by_name(names), ids_by_name(spec.names)
    for name, target in renamed.items():
        if fold_name(name) not in ours:
            raise ConfigError(f"cls_remap: '{spec.title}' has no class '{name}'. It has: {_listed(spec.names)}.")
        if target is not None and fold_name(target) not in known:
            raise ConfigError(f"cls_remap: the model has no class '{target}'. It has: {_listed(names)}.")
    chosen = {fold_name(name): target for name, target in renamed.items()}
    order: dict[int, int | None] = {}
    unknown = []
    for number, name in spec.names.items():
        target = chosen.get(fold_name(name), name)
        order[number] = None if target is None else known.get(fold_name(target))
        if target is not None and order[number] is None:
            unknown.append(name)
    return order, unknown


def _pair_short_forms(
    spec: DatasetSpec, names: Mapping[int, str], order: dict[int, int | None], unknown: list[str]
) -> list[str]:
    """Match a name that is left with the only one left on the other side that holds it, as "sign" and "SignSymbol".

    Returns:
        The names that have no match even so.
    """
    free = {number: fold_name(name) for number, name in names.items() if number not in order.values()}
    pairs: dict[int, int] = {}
    for number, name in spec.names.items():
        folded = fold_name(name)
        found = [k for k, other in free.items() if name in unknown and (folded in other or other in folded)]
        if len(found) == 1:
            pairs[number] = found[0]
    pairs = {number: k for number, k in pairs.items() if list(pairs.values()).count(k) == 1}
    if pairs:
        listed = ", ".join(f"'{spec.names[number]}' of the dataset as '{names[k]}'" for number, k in pairs.items())
        LOGGER.warning(f"'{spec.title}': classes are taken for the model's by a part of their name: {listed}.")
    order.update(pairs)
    return [name for name in unknown if name not in {spec.names[number] for number in pairs}]


def _check_unique(names: Mapping[int, str], owner: str) -> None:
    twice = [name for name, count in Counter(map(fold_name, names.values())).items() if count > 1]
    if twice:
        clashing = [f"{number}: {name}" for number, name in names.items() if fold_name(name) in twice]
        raise ConfigError(
            f"Classes of {owner} cannot be told apart by name: {', '.join(clashing)}. Rename them, or match by "
            "position with cls_remap=False."
        )


def _disagreement(spec: DatasetSpec, names: Mapping[int, str], unknown: list[str], missing: list[str]) -> str:
    parts = [f"The classes of '{spec.title}' are not those of the model."]
    if unknown:
        parts.append(f"Only in the dataset: {', '.join(unknown)}.")
    if missing:
        parts.append(f"Only in the model: {', '.join(missing)}.")
    parts.append(f"Dataset ({len(spec.names)}): {_listed(spec.names)}. Model ({len(names)}): {_listed(names)}.")
    example = {unknown[0] if unknown else "name in the dataset": missing[0] if missing else "name in the model"}
    parts.append(
        f"Say which are the same, such as cls_remap={example} (None ignores a class), or count only some of "
        "the model's with classes=[ids]."
    )
    return " ".join(parts)


def _listed(names: Mapping[int, str], limit: int = 30) -> str:
    shown = [f"{number} {name}" for number, name in list(names.items())[:limit]]
    return ", ".join(shown) + (f" and {len(names) - limit} more" if len(names) > limit else "")
