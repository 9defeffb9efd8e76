"""Sums, means and extremes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from protonet.errors import LayerError
from protonet.torch7.objects import Tensor
from protonet.torch7.tensors.base import (
    a_tensor,
    axis_of,
    method,
    of_array,
    real,
)

_SUMS: dict[str, Callable[..., Any]] = {
    "sum": np.sum,
    "mean": np.mean,
    "prod": np.prod,
    "all": lambda x, **kw: np.all(x != 0, **kw),
    "any": lambda x, **kw: np.any(x != 0, **kw),
}


def _reduced(compute: Callable[..., Any]) -> Callable[..., Any]:
    def reduce(tensor: Tensor, dim: Any = None) -> Any:
        _not_empty(tensor)
        # Float sums are of double precision, as in TH
        wide = tensor.array.astype(np.float64) if tensor.array.dtype.kind == "f" else tensor.array
        if dim is None:
            return compute(wide).item()
        return of_array(compute(wide, axis=axis_of(tensor, dim), keepdims=True), tensor.kind)

    return reduce


for _name, _compute in _SUMS.items():
    method(_name)(_reduced(_compute))


def _spread(root: bool) -> Callable[..., Any]:
    def spread(tensor: Tensor, dim: Any = None, flag: Any = None) -> Any:
        """Unbiased unless ``flag``."""
        _not_empty(tensor)
        wide, free = tensor.array.astype(np.float64), 0 if flag is True else 1
        with np.errstate(all="ignore"):
            if dim is None:
                found = _variance(wide.reshape(-1), 0, free)
                return float(np.sqrt(found)[0] if root else found[0])
            found = _variance(wide, axis_of(tensor, dim), free)
            return of_array(np.sqrt(found) if root else found, tensor.kind)

    return spread


def _variance(x: np.ndarray, axis: int, free: int) -> np.ndarray:
    centered = x - x.mean(axis, keepdims=True)
    found: np.ndarray = (centered**2).sum(axis, keepdims=True) / np.float64(x.shape[axis] - free)
    return found


method("std")(_spread(True))
method("var")(_spread(False))


def _extreme(value: Callable[..., Any], place: Callable[..., Any]) -> Callable[..., Any]:
    def extreme(tensor: Tensor, dim: Any = None) -> Any:
        """The value; with a dimension the values along it, and their places."""
        _not_empty(tensor)
        if dim is None:
            return value(tensor.array).item()
        axis = axis_of(tensor, dim)
        values = of_array(value(tensor.array, axis=axis, keepdims=True), tensor.kind)
        places = np.expand_dims(place(tensor.array, axis=axis), axis) + 1
        return values, of_array(places, "Long")

    return extreme


method("max")(_extreme(np.max, np.argmax))
method("min")(_extreme(np.min, np.argmin))


@method("norm")
def _norm(tensor: Tensor, p: Any = 2, dim: Any = None) -> Any:
    power = real(p)
    wide = np.abs(tensor.array.astype(np.float64))
    if dim is None:
        return float((wide**power).sum() ** (1 / power))
    axis = axis_of(tensor, dim)
    return of_array((wide**power).sum(axis, keepdims=True) ** (1 / power), tensor.kind)


@method("cumsum")
def _cumsum(tensor: Tensor, dim: Any = 1) -> Tensor:
    return of_array(np.cumsum(tensor.array, axis_of(tensor, dim)), tensor.kind)


@method("sort")
def _sort(tensor: Tensor, dim: Any = None, descending: Any = None) -> Any:
    """The values in order along a dimension, the last by default, and their places."""
    if isinstance(dim, bool):
        dim, descending = None, dim
    axis = len(tensor.shape) - 1 if dim is None else axis_of(tensor, dim)
    keys = -tensor.array.astype(np.float64) if descending else tensor.array
    places = np.argsort(keys, axis, kind="stable")
    values = of_array(np.take_along_axis(tensor.array, places, axis), tensor.kind)
    return values, of_array(places + 1, "Long")


@method("nonzero")
def _nonzero(tensor: Tensor) -> Tensor:
    return of_array(np.argwhere(tensor.array) + 1, "Long")


@method("equal")
def _equal(tensor: Tensor, other: Any) -> bool:
    two = a_tensor(other)
    return tensor.shape == two.shape and bool((tensor.array == two.array).all())


def _not_empty(tensor: Tensor) -> None:
    if not tensor.count:
        raise LayerError("the tensor is empty")
