"""Runs a Core ML package without Core ML: each operation of its program by its definition, in numpy and torch.

python mil.py best.mlpackage pictures.npz answers.npz    in an environment with coremltools and torch; of each picture
(H, W, 3) of uint8 the answers hold the output, and as "<name>_input" what the first convolution is given; besides that
"largest", the (height, width) that the input may have.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import coremltools
import numpy as np
import torch
from coremltools.converters.mil.frontend.milproto.load import load
from coremltools.converters.mil.mil.types import nptype_from_builtin
from torch.nn import functional

TYPES = {"int32": np.int32, "fp32": np.float32, "fp16": np.float16, "bool": np.bool_}


def by_torch(function: Callable[..., torch.Tensor]) -> Callable[..., np.ndarray]:
    def run(x: np.ndarray, *rest: Any, **options: Any) -> np.ndarray:
        return function(torch.from_numpy(np.ascontiguousarray(x)), *rest, **options).numpy()

    return run


def padding(rank: int, pad_type: str, pad: Any) -> list[int]:
    if pad_type not in {"custom", "valid"}:
        raise NotImplementedError(pad_type)
    pairs = [0] * 2 * rank if pad_type == "valid" or pad is None else [int(side) for side in pad]
    if pairs[::2] != pairs[1::2]:
        raise NotImplementedError(f"padding {pairs}")
    return pairs[::2]


def conv(x, weight, strides, pad_type, dilations, groups, bias=None, pad=None) -> np.ndarray:
    kernel, bias = (None if part is None else torch.from_numpy(np.ascontiguousarray(part)) for part in (weight, bias))
    options = {"stride": tuple(strides), "dilation": tuple(dilations), "groups": int(groups)}
    return by_torch(functional.conv2d)(x, kernel, bias, padding=padding(2, pad_type, pad), **options)


def max_pool(x, kernel_sizes, strides, pad_type, ceil_mode, pad=None) -> np.ndarray:
    options = {"stride": tuple(strides), "padding": padding(2, pad_type, pad), "ceil_mode": bool(ceil_mode)}
    return by_torch(functional.max_pool2d)(x, tuple(kernel_sizes), **options)


def slice_by_index(x, begin, end, stride=None, begin_mask=None, end_mask=None, squeeze_mask=None) -> np.ndarray:
    none = [False] * x.ndim
    parts = zip(
        begin, end, stride if stride is not None else [1] * x.ndim, begin_mask if begin_mask is not None else none,
        end_mask if end_mask is not None else none, squeeze_mask if squeeze_mask is not None else none, strict=True,
    )  # fmt: skip
    return x[tuple(int(b) if one else slice(None if bm else b, None if em else e, s) for b, e, s, bm, em, one in parts)]


def split(x, axis, num_splits=None, split_sizes=None) -> list[np.ndarray]:
    return np.split(x, int(num_splits) if split_sizes is None else np.cumsum(split_sizes)[:-1], int(axis))


def matmul(x, y, transpose_x=False, transpose_y=False) -> np.ndarray:
    return np.matmul(x.swapaxes(-1, -2) if transpose_x else x, y.swapaxes(-1, -2) if transpose_y else y)


def dequantize(quantized_data, zero_point, scale, axis) -> np.ndarray:
    shape = [-1 if dim == axis else 1 for dim in range(quantized_data.ndim)]
    whole = quantized_data.astype(scale.dtype) - np.reshape(zero_point, shape).astype(scale.dtype)
    return whole * np.reshape(scale, shape)


def upsample(x, scale_factor_height, scale_factor_width) -> np.ndarray:
    return x.repeat(int(scale_factor_height), 2).repeat(int(scale_factor_width), 3)


def unary(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x: function(x)  # by name, which functions of numpy refuse


def binary(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x, y: function(x, y)


OPERATIONS: dict[str, Callable[..., Any]] = {
    **{name: binary(getattr(np, name)) for name in ("minimum", "greater_equal", "less", "logical_and")},
    "add": binary(np.add), "sub": binary(np.subtract), "mul": binary(np.multiply),
    "real_div": binary(np.divide), "floor_div": binary(np.floor_divide), "greater": binary(np.greater),
    "abs": unary(np.abs), "sign": unary(np.sign), "floor": unary(np.floor), "round": unary(np.rint),
    "clip": lambda x, alpha, beta: np.clip(x, alpha, beta),
    "cast": lambda x, dtype: np.asarray(x).astype(TYPES[dtype]),
    "silu": by_torch(functional.silu), "sigmoid": by_torch(torch.sigmoid),
    "softmax": lambda x, axis: by_torch(functional.softmax)(x, dim=int(axis)),
    "reduce_argmax": lambda x, axis, keep_dims, **_: x.argmax(int(axis), keepdims=bool(keep_dims)).astype(np.int32),
    "concat": lambda values, axis, **_: np.concatenate(values, int(axis)),
    "reshape": lambda x, shape: x.reshape(shape), "transpose": lambda x, perm: x.transpose(perm),
    "expand_dims": lambda x, axes: np.expand_dims(x, tuple(axes)),
    "squeeze": lambda x, axes: x.squeeze(tuple(axes)),
    "tile": lambda x, reps: np.tile(x, reps), "select": lambda cond, a, b: np.where(cond, a, b),
    "shape": lambda x: np.array(x.shape, np.int32),
    "gather": lambda x, indices, axis, **_: np.take(x, indices, int(axis)),
    "range_1d": lambda start, end, step: np.arange(start, end, step, np.asarray(end).dtype),
    "slice_by_index": slice_by_index, "split": split, "matmul": matmul, "conv": conv, "max_pool": max_pool,
    "upsample_nearest_neighbor": upsample, "constexpr_affine_dequantize": dequantize,
}  # fmt: skip


def evaluate(function: Any, picture: np.ndarray) -> dict[str, np.ndarray]:
    """Run a function of a program on a picture (H, W, 3); an operation that is not in the table is a KeyError."""
    values: dict[str, Any] = {next(iter(function.inputs)): picture.transpose(2, 0, 1)[None].astype(np.float32)}

    def value(given: Any) -> Any:
        if isinstance(given, list | tuple):
            return [value(one) for one in given]
        return given.val if given.val is not None else values[given.name]

    first = None
    for operation in function.operations:
        if all(output.val is not None for output in operation.outputs):
            continue  # a constant, or what follows from some
        given = {name: value(one) for name, one in operation.inputs.items() if one is not None}
        if operation.op_type == "conv" and first is None:
            first = given["x"]
        made = OPERATIONS[operation.op_type](**given)
        for output, one in zip(operation.outputs, made if isinstance(made, list) else [made], strict=True):
            if one.dtype != nptype_from_builtin(output.dtype):
                raise TypeError(f"{operation.op_type} '{output.name}' made {one.dtype}")
            values[output.name] = one
    return {"output": values[function.outputs[0].name], "input": first}


def main(package: Path, pictures: Path, answers: Path) -> None:
    specification = coremltools.utils.load_spec(str(package))
    program = load(
        specification, specification.specificationVersion, str(package / "Data" / "com.apple.CoreML" / "weights")
    )
    sizes = specification.description.input[0].type.imageType.imageSizeRange
    found = {"largest": np.array([sizes.heightRange.upperBound, sizes.widthRange.upperBound])}
    for name, picture in np.load(pictures).items():
        made = evaluate(program.functions["main"], picture)
        found |= {name: made["output"], f"{name}_input": made["input"]}
    np.savez(answers, **found)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
