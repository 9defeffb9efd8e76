"""Elements by their places: along an axis, on diagonals, the largest of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from protonet.errors import LayerError
from protonet.torch7.objects import Tensor
from protonet.torch7.tensors.base import (
    a_tensor,
    as_type,
    axis_of,
    method,
    of_array,
    real,
    size_text,
    viewing,
    whole,
)


def _indices(tensor: Tensor, axis: int, index: Any) -> np.ndarray:
    places = a_tensor(index, "the index").array.astype(np.int64) - 1
    if places.ndim != len(tensor.shape):
        raise LayerError(f"an index of {size_text(places.shape)} for {size_text(tensor.shape)}")
    if places.size and not (places.min() >= 0 and places.max() < tensor.shape[axis]):
        raise LayerError(
            f"indices {places.min() + 1} to {places.max() + 1} of dimension {axis + 1} of a "
            f"tensor of size {size_text(tensor.shape)}"
        )
    return places


@method("gather")
def _gather(tensor: Tensor, dim: Any, index: Any) -> Tensor:
    """The elements at the places that ``index`` has along an axis."""
    axis = axis_of(tensor, dim)
    places = _indices(tensor, axis, index)
    return of_array(np.take_along_axis(tensor.array, places, axis), tensor.kind)


@method("scatter")
def _scatter(tensor: Tensor, dim: Any, index: Any, source: Any) -> Tensor:
    """Put elements, or a number, to the places that ``index`` has along an axis."""
    axis = axis_of(tensor, dim)
    places = _indices(tensor, axis, index)
    values = source.array if isinstance(source, Tensor) else np.asarray(real(source))
    if values.ndim and values.shape != places.shape:
        raise LayerError(f"{size_text(values.shape)} to {size_text(places.shape)} places")
    array = tensor.array
    np.put_along_axis(array, places, as_type(values, array.dtype), axis)
    return tensor


@method("topk")
def _topk(tensor: Tensor, k: Any, dim: Any = None, largest: Any = None, _: Any = None) -> Any:
    """The k smallest elements along an axis, or largest, and their places."""
    axis = len(tensor.shape) - 1 if dim is None else axis_of(tensor, dim)
    count = whole(k, "k")
    if not 1 <= count <= tensor.shape[axis]:
        raise LayerError(f"{count} of {tensor.shape[axis]} elements")
    keys = -tensor.array.astype(np.float64) if largest else tensor.array
    places = np.take(np.argsort(keys, axis, kind="stable"), range(count), axis)
    values = np.take_along_axis(tensor.array, places, axis)
    return of_array(values, tensor.kind), of_array(places + 1, "Long")


@method("median")
def _median(tensor: Tensor, dim: Any = None) -> Any:
    """The lower middle element; with a dimension those along it, and their places."""
    if dim is None:
        return np.sort(tensor.array, None)[(tensor.count - 1) // 2].item()
    axis = axis_of(tensor, dim)
    order = np.argsort(tensor.array, axis, kind="stable")
    places = np.take(order, [(tensor.shape[axis] - 1) // 2], axis)
    values = np.take_along_axis(tensor.array, places, axis)
    return of_array(values, tensor.kind), of_array(places + 1, "Long")


@method("diag")
def _diag(tensor: Tensor, k: Any = 0) -> Tensor:
    """The diagonal of a matrix, or a matrix with a vector on it."""
    if len(tensor.shape) not in (1, 2):
        raise LayerError(f"expected a vector or matrix, got {size_text(tensor.shape)}")
    return of_array(np.diag(tensor.array, whole(k, "k")), tensor.kind)


def _matrix(tensor: Tensor) -> np.ndarray:
    if len(tensor.shape) != 2:
        raise LayerError(f"expected a matrix, got a tensor of size {size_text(tensor.shape)}")
    return tensor.array


@method("trace")
def _trace(tensor: Tensor) -> Any:
    return np.trace(_matrix(tensor)).item()


@method("tril")
def _tril(tensor: Tensor, k: Any = 0) -> Tensor:
    return of_array(np.tril(_matrix(tensor), whole(k, "k")), tensor.kind)


@method("triu")
def _triu(tensor: Tensor, k: Any = 0) -> Tensor:
    return of_array(np.triu(_matrix(tensor), whole(k, "k")), tensor.kind)


@method("unfold")
def _unfold(tensor: Tensor, dim: Any, size: Any, step: Any) -> Tensor:
    """Windows of an axis as a new last axis; a view."""
    axis, length, stride = axis_of(tensor, dim), whole(size, "size"), whole(step, "step")
    if not 1 <= length <= tensor.shape[axis] or stride < 1:
        raise LayerError(f"windows of {length} in steps of {stride} of {tensor.shape[axis]}")
    shape, strides = list(tensor.shape), list(tensor.strides)
    shape[axis] = (tensor.shape[axis] - length) // stride + 1
    strides[axis] *= stride
    return viewing(tensor, tensor.offset, [*shape, length], [*strides, tensor.strides[axis]])
