"""Sizes, and other views of the same elements."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from protonet.errors import LayerError
from protonet.torch7.objects import Storage, Table, Tensor
from protonet.torch7.tensors.base import (
    Torch,
    a_tensor,
    axis_of,
    is_contiguous,
    method,
    of_array,
    put_view,
    size_text,
    sizes_of,
    viewing,
    whole,
)
from protonet.torch7.tensors.creation import clone


def longs(values: Sequence[int]) -> Storage:
    """A LongStorage, as sizes are."""
    return Storage("Long", len(values), np.array(values, np.int64))


@method("size")
def _size(tensor: Tensor, dim: Any = None) -> Any:
    if dim is None:
        return longs(tensor.shape)
    return tensor.shape[axis_of(tensor, dim)]


@method("stride")
def _stride(tensor: Tensor, dim: Any = None) -> Any:
    if dim is None:
        return longs(tensor.strides)
    return tensor.strides[axis_of(tensor, dim)]


@method("dim", "nDimension")
def _dim(tensor: Tensor) -> int:
    return len(tensor.shape)


@method("nElement", "numel")
def _count(tensor: Tensor) -> int:
    return tensor.count


@method("storageOffset")
def _offset(tensor: Tensor) -> int:
    return tensor.offset + 1


@method("elementSize")
def _element_size(tensor: Tensor) -> int:
    return tensor.array.itemsize


@method("isContiguous")
def _is_contiguous(tensor: Tensor) -> bool:
    return is_contiguous(tensor)


@method("isSameSizeAs")
def _same_size(tensor: Tensor, other: Any) -> bool:
    return tensor.shape == a_tensor(other).shape


@method("isSize")
def _is_size(tensor: Tensor, *sizes: Any) -> bool:
    return list(tensor.shape) == sizes_of(sizes)


@method("isSetTo")
def _is_set_to(tensor: Tensor, other: Any) -> bool:
    return a_tensor(other).place == tensor.place and other.strides == tensor.strides


@method("contiguous")
def contiguous(torch: Torch, tensor: Tensor) -> Tensor:
    """The tensor itself if it is contiguous, else a copy."""
    return tensor if is_contiguous(tensor) else clone(torch, tensor)


def wanted_sizes(count: int, sizes: Sequence[int], of: Tensor) -> list[int]:
    """Sizes for so many elements; one of them may be -1, for what is left."""
    known = math.prod(size for size in sizes if size != -1)
    found = [count // known if size == -1 and known > 0 else size for size in sizes]
    if sizes.count(-1) > 1 or math.prod(found) != count or min(found, default=1) < 0:
        raise LayerError(f"a tensor of size {size_text(of.shape)} as {size_text(sizes)}")
    return found


@method("view")
def _view(tensor: Tensor, *sizes: Any) -> Tensor:
    """The same elements in another shape; ``result:view(source, ...)`` sets ``result``."""
    if sizes and isinstance(sizes[0], Tensor) and sizes[0].kind == tensor.kind:
        seen = _view(sizes[0], *sizes[1:])
        return put_view(tensor, seen.storage, seen.offset, seen.shape)
    if not is_contiguous(tensor):
        raise LayerError("the tensor is not contiguous; call :contiguous() first")
    return viewing(tensor, tensor.offset, wanted_sizes(tensor.count, sizes_of(sizes), tensor))


@method("viewAs")
def _view_as(tensor: Tensor, other: Any) -> Tensor:
    return _view(tensor, *a_tensor(other).shape)


@method("reshape")
def _reshape(torch: Torch, tensor: Tensor, *sizes: Any) -> Tensor:
    wanted = wanted_sizes(tensor.count, sizes_of(sizes), tensor)
    copy = clone(torch, tensor)
    return put_view(copy, copy.storage, 0, wanted)


@method("narrow")
def narrow(tensor: Tensor, dim: Any, index: Any, size: Any) -> Tensor:
    """A part of an axis."""
    axis, first, count = axis_of(tensor, dim), whole(index, "index"), whole(size, "size")
    if first < 1 or count < 1 or first + count - 1 > tensor.shape[axis]:
        raise LayerError(
            f"{first} to {first + count - 1} of dimension {axis + 1} of a tensor of size "
            f"{size_text(tensor.shape)}"
        )
    shape = (*tensor.shape[:axis], count, *tensor.shape[axis + 1 :])
    return viewing(
        tensor, tensor.offset + (first - 1) * tensor.strides[axis], shape, tensor.strides
    )


@method("sub")
def _sub(tensor: Tensor, *bounds: Any) -> Tensor:
    """``sub(first1, last1, first2, last2, ...)``; negative ones count from the end."""
    for axis in range(len(bounds) // 2):
        size = tensor.shape[axis_of(tensor, axis + 1)]
        first, last = (whole(each, "a bound") for each in bounds[2 * axis : 2 * axis + 2])
        first, last = (each + size + 1 if each < 0 else each for each in (first, last))
        tensor = narrow(tensor, axis + 1, first, last - first + 1)
    return tensor


@method("select")
def select(tensor: Tensor, dim: Any, index: Any) -> Any:
    """One place of an axis: a tensor without it, or a number of a vector."""
    axis, place = axis_of(tensor, dim), whole(index, "index")
    if place < 0:
        place += tensor.shape[axis] + 1
    if not 1 <= place <= tensor.shape[axis]:
        raise LayerError(
            f"{place} of dimension {axis + 1} of a tensor of size {size_text(tensor.shape)}"
        )
    offset = tensor.offset + (place - 1) * tensor.strides[axis]
    shape = tensor.shape[:axis] + tensor.shape[axis + 1 :]
    if not shape:
        assert tensor.storage is not None
        return tensor.storage.data[offset].item()
    return viewing(tensor, offset, shape, tensor.strides[:axis] + tensor.strides[axis + 1 :])


@method("transpose")
def transpose(tensor: Tensor, dim1: Any, dim2: Any) -> Tensor:
    """Two axes exchanged."""
    axes = list(range(len(tensor.shape)))
    one, two = axis_of(tensor, dim1), axis_of(tensor, dim2)
    axes[one], axes[two] = two, one
    return _in_order(tensor, axes)


@method("t")
def _t(tensor: Tensor) -> Tensor:
    if len(tensor.shape) != 2:
        raise LayerError(f"expected a matrix, got a tensor of size {size_text(tensor.shape)}")
    return _in_order(tensor, [1, 0])


@method("permute")
def _permute(tensor: Tensor, *dims: Any) -> Tensor:
    axes = [axis_of(tensor, dim) for dim in dims]
    if sorted(axes) != list(range(len(tensor.shape))):
        raise LayerError(f"expected each of the {len(tensor.shape)} dimensions once")
    return _in_order(tensor, axes)


def _in_order(tensor: Tensor, axes: Sequence[int]) -> Tensor:
    shape = [tensor.shape[axis] for axis in axes]
    return viewing(tensor, tensor.offset, shape, [tensor.strides[axis] for axis in axes])


@method("squeeze")
def _squeeze(tensor: Tensor, dim: Any = None) -> Any:
    """Without axes of 1; a number of a single element."""
    chosen = range(len(tensor.shape)) if dim is None else [axis_of(tensor, dim)]
    kept = [a for a in range(len(tensor.shape)) if a not in chosen or tensor.shape[a] != 1]
    if not kept and tensor.count == 1:
        return tensor.array.reshape(-1)[0].item()
    return _in_order(tensor, kept)


@method("unsqueeze")
def _unsqueeze(tensor: Tensor, dim: Any) -> Tensor:
    axis = whole(dim, "dimension") - 1
    if not 0 <= axis <= len(tensor.shape):
        raise LayerError(f"dimension {axis + 1} of a tensor of size {size_text(tensor.shape)}")
    step = tensor.shape[axis] * tensor.strides[axis] if axis < len(tensor.shape) else 1
    shape = (*tensor.shape[:axis], 1, *tensor.shape[axis:])
    return viewing(
        tensor, tensor.offset, shape, (*tensor.strides[:axis], step, *tensor.strides[axis:])
    )


@method("expand")
def _expand(tensor: Tensor, *sizes: Any) -> Tensor:
    """Axes of 1 repeated without a copy."""
    wanted = sizes_of(sizes)
    if len(wanted) != len(tensor.shape):
        raise LayerError(f"a tensor of size {size_text(tensor.shape)} to {size_text(wanted)}")
    strides = []
    for size, extent, stride in zip(wanted, tensor.shape, tensor.strides, strict=True):
        if size != extent and extent != 1:
            raise LayerError(f"a tensor of size {size_text(tensor.shape)} to {size_text(wanted)}")
        strides.append(stride if size == extent else 0)
    return viewing(tensor, tensor.offset, wanted, strides)


@method("expandAs")
def _expand_as(tensor: Tensor, other: Any) -> Tensor:
    return _expand(tensor, *a_tensor(other).shape)


@method("repeatTensor")
def _repeat(tensor: Tensor, *sizes: Any) -> Tensor:
    """A copy with the tensor so many times along each axis."""
    times = sizes_of(sizes)
    if len(times) < len(tensor.shape):
        raise LayerError(f"expected {len(tensor.shape)} numbers or more, got {len(times)}")
    return of_array(np.tile(tensor.array, times), tensor.kind)


@method("split")
def _split(tensor: Tensor, size: Any, dim: Any = 1) -> Table:
    """Parts of this size; the last may be smaller."""
    extent, step = tensor.shape[axis_of(tensor, dim)], whole(size, "size")
    if step < 1:
        raise LayerError(f"parts of {step}")
    return Table.of(
        narrow(tensor, dim, first + 1, min(step, extent - first))
        for first in range(0, extent, step)
    )


@method("chunk")
def _chunk(tensor: Tensor, count: Any, dim: Any = 1) -> Table:
    """So many parts."""
    number = whole(count, "the number of parts")
    if number < 1:
        raise LayerError(f"{number} parts")
    return _split(tensor, -(-tensor.shape[axis_of(tensor, dim)] // number), dim)
