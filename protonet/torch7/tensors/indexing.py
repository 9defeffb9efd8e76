"""``t[i]``, ``t[{i, {first, last}, {}}]``, ``t[mask]``, and assignments to these."""

from __future__ import annotations

from typing import Any

import numpy as np

from protonet.errors import LayerError
from protonet.torch7.objects import Storage, Table, Tensor
from protonet.torch7.tensors.base import (
    Torch,
    a_tensor,
    as_type,
    axis_of,
    describe,
    method,
    of_array,
    real,
    size_text,
    whole,
)
from protonet.torch7.tensors.views import narrow, select


def get_item(tensor: Tensor, key: Any) -> Any:
    """``tensor[key]``: a number, or a tensor that shares its elements."""
    if isinstance(key, Tensor):
        return _masked_select(tensor, key)
    if isinstance(key, Table):
        return _part(tensor, key)
    if not tensor.shape:
        raise LayerError("the tensor is empty")
    return select(tensor, 1, whole(key, "index"))


def set_item(torch: Torch, tensor: Tensor, key: Any, value: Any) -> None:
    """``tensor[key] = value``: a number, or a tensor of as many elements."""
    if isinstance(key, Tensor):
        if isinstance(value, Tensor):
            _masked_copy(tensor, key, value)
        else:
            _masked_fill(tensor, key, value)
        return
    target = _part(tensor, key if isinstance(key, Table) else Table.of([key]), True)
    if isinstance(value, Tensor):
        if value.count != target.count:
            raise LayerError(f"{size_text(value.shape)} into {size_text(target.shape)}")
        torch.random.copy(target, value)
    else:
        torch.random.write(target, "fill", real(value))


def _part(tensor: Tensor, keys: Table, keep: bool = False) -> Any:
    """The part for one key an axis: a number, ``{first, last}``, ``{place}`` or ``{}``.

    With ``keep`` a single element is a tensor, too.
    """
    part, axis = tensor, 0
    chosen = keys.sequence
    if len(chosen) > len(tensor.shape):
        raise LayerError(f"{len(chosen)} indices for a tensor of size {size_text(tensor.shape)}")
    for place, key in enumerate(chosen):
        size = part.shape[axis]
        if isinstance(key, Table):
            bounds = [whole(each, "index") for each in key.sequence]
            if bounds:
                first, last = (b + size + 1 if b < 0 else b for b in (bounds[0], bounds[-1]))
                part = narrow(part, axis + 1, first, last - first + 1)
            axis += 1
        elif len(part.shape) == 1 and keep:
            number = whole(key, "index")
            part = narrow(part, 1, number + size + 1 if number < 0 else number, 1)
        else:
            part = select(part, axis + 1, key)
            if not isinstance(part, Tensor):
                assert place == len(chosen) - 1
    return part


def _mask_of(tensor: Tensor, mask: Any) -> np.ndarray:
    if not isinstance(mask, Tensor) or mask.kind not in ("Byte", "Cuda", "CudaByte"):
        raise LayerError(f"expected a mask such as torch.eq gives, got {describe(mask)}")
    if mask.count != tensor.count:
        raise LayerError(
            f"a mask of {size_text(mask.shape)} for a tensor of {size_text(tensor.shape)}"
        )
    found: np.ndarray = (mask.array != 0).reshape(tensor.shape)
    return found


@method("maskedSelect")
def _masked_select(tensor: Tensor, mask: Any) -> Tensor:
    return of_array(tensor.array[_mask_of(tensor, mask)], tensor.kind)


@method("maskedFill")
def _masked_fill(tensor: Tensor, mask: Any, value: Any) -> Tensor:
    number = np.asarray(real(value))
    tensor.array[_mask_of(tensor, mask)] = as_type(number, tensor.array.dtype)
    return tensor


@method("maskedCopy")
def _masked_copy(tensor: Tensor, mask: Any, source: Any) -> Tensor:
    where, values = _mask_of(tensor, mask), a_tensor(source).array.reshape(-1)
    count = int(where.sum())
    if values.size < count:
        raise LayerError(f"{values.size} elements for {count} places")
    tensor.array[where] = as_type(values[:count], tensor.array.dtype)
    return tensor


def _places(tensor: Tensor, dim: Any, indices: Any) -> tuple[int, np.ndarray]:
    axis = axis_of(tensor, dim)
    places = a_tensor(indices, "the indices").array.reshape(-1).astype(np.int64) - 1
    if places.size and not (places.min() >= 0 and places.max() < tensor.shape[axis]):
        raise LayerError(
            f"indices {places.min() + 1} to {places.max() + 1} of dimension {axis + 1} of a "
            f"tensor of size {size_text(tensor.shape)}"
        )
    return axis, places


@method("index")
def _index(tensor: Tensor, dim: Any, indices: Any) -> Tensor:
    axis, places = _places(tensor, dim, indices)
    return of_array(np.take(tensor.array, places, axis), tensor.kind)


@method("indexFill")
def _index_fill(tensor: Tensor, dim: Any, indices: Any, value: Any) -> Tensor:
    axis, places = _places(tensor, dim, indices)
    number = as_type(np.asarray(real(value)), tensor.array.dtype)
    np.moveaxis(tensor.array, axis, 0)[places] = number
    return tensor


@method("indexCopy")
def _index_copy(tensor: Tensor, dim: Any, indices: Any, source: Any) -> Tensor:
    axis, places = _places(tensor, dim, indices)
    other = a_tensor(source, "the source")
    target = np.moveaxis(tensor.array, axis, 0)
    values = np.moveaxis(other.array, axis, 0)
    if values.shape != (places.size, *target.shape[1:]):
        raise LayerError(f"{size_text(other.shape)} into {size_text(tensor.shape)}")
    target[places] = as_type(values, target.dtype)
    return tensor


def get_element(storage: Storage, key: Any) -> Any:
    """``storage[i]``."""
    return storage.data[_place(storage, key)].item()


def set_element(storage: Storage, key: Any, value: Any) -> None:
    """``storage[i] = value``."""
    storage.data[_place(storage, key)] = as_type(np.asarray(real(value)), storage.data.dtype)


def _place(storage: Storage, key: Any) -> int:
    place = whole(key, "index")
    if not 1 <= place <= storage.size:
        raise LayerError(f"index {place} of a {storage.kind}Storage of {storage.size}")
    return place - 1
