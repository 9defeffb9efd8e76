"""All parameters of a model in one vector, in Torch7's order: what ``getParameters`` gives."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from protonet.errors import FormatError
from protonet.torch7.modules.base import module_class
from protonet.torch7.objects import Storage, Tensor, TorchObject, contiguous_strides


def parameters_of(model: TorchObject) -> tuple[list[Tensor], list[Tensor]]:
    """The parameters of a model and their gradients; an empty tensor stands for a missing one."""
    values, gradients = [], []
    for owner, name in module_class(model.typename)(model).parameters():
        values.append(owner.fields[name])
        gradient = owner.fields.get(f"grad{name[0].upper()}{name[1:]}")
        gradients.append(gradient if isinstance(gradient, Tensor) else Tensor(values[-1].kind))
    return values, gradients


def flatten(tensors: Sequence[Tensor]) -> Tensor:
    """Move tensors into one storage, and return all of it as a vector.

    Storages follow each other in the order in which tensors name them; elements that no tensor
    shows are left out (torch/nn, Module.lua).
    """
    shown = [each for each in tensors if each.count and each.storage is not None]
    kind = shown[0].kind if shown else "Float"
    starts, total = _starts(shown)
    used = np.zeros(total, np.bool_)
    values = np.zeros(total, np.float64 if kind.endswith("Double") else np.float32)
    for each in shown:
        places = _places(each, starts)
        used[places] = True
        values[places] = each.array.reshape(-1) if isinstance(places, slice) else each.array
    rank = None if used.all() else np.cumsum(used) - 1
    storage = Storage(kind, int(used.sum()), values if rank is None else values[used])
    for each in shown:
        places, begin = _places(each, starts), starts[id(each.storage)] + each.offset
        if rank is not None and not isinstance(places, slice):
            each.strides = _strides(places, rank, each.shape)
        each.offset = begin if rank is None else int(rank[begin])
    for each in shown:
        each.storage = storage
    return Tensor(kind, storage, 0, (storage.size,), (1,)) if shown else Tensor(kind)


def put_flat(model: TorchObject, values: np.ndarray, name: str) -> None:
    """Set all parameters of a model from a vector, such as that of a ``_Weights.t7`` file.

    Raises:
        FormatError: for another number of values.
    """
    flat = flatten(parameters_of(model)[0])
    if values.size != flat.count:
        raise FormatError(
            f"{name}: has {values.size:,} weights, but the parameters of the net are {flat.count:,}"
        )
    flat.array[...] = values.reshape(-1)


def _starts(tensors: Sequence[Tensor]) -> tuple[dict[int, int], int]:
    """Where each storage begins when they follow each other, and where they end."""
    starts: dict[int, int] = {}
    total = 0
    for each in tensors:
        if each.storage is not None and id(each.storage) not in starts:
            starts[id(each.storage)] = total
            total += each.storage.size
    return starts, total


def _places(tensor: Tensor, starts: dict[int, int]) -> slice | np.ndarray:
    """The place of each element, in the tensor's shape; a slice for a contiguous tensor."""
    begin = starts[id(tensor.storage)] + tensor.offset
    if tensor.strides == contiguous_strides(tensor.shape):
        return slice(begin, begin + tensor.count)
    places = np.full(tensor.shape, begin, np.int64)
    for axis, stride in enumerate(tensor.strides):
        steps = np.arange(tensor.shape[axis]) * stride
        places += steps.reshape([-1 if each == axis else 1 for each in range(len(tensor.shape))])
    return places


def _strides(places: np.ndarray, rank: np.ndarray, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The strides after elements that no tensor shows have gone."""
    first = rank[places]
    return tuple(
        int(first.take(1, axis).flat[0] - first.flat[0])
        if extent > 1
        else int(np.prod(shape[axis + 1 :]))
        for axis, extent in enumerate(shape)
    )
