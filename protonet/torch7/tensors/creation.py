"""New tensors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from protonet.errors import LayerError
from protonet.torch7.objects import DTYPES, Storage, Table, Tensor
from protonet.torch7.tensors.base import (
    Torch,
    a_tensor,
    axis_of,
    empty,
    function,
    method,
    of_array,
    put_view,
    real,
    size_text,
    sizes_of,
    viewing,
    whole,
)


def new_tensor(kind: str, *arguments: Any) -> Tensor:
    """``torch.<kind>Tensor(...)``: of sizes, a table of numbers, a storage, or a tensor."""
    if not arguments:
        return Tensor(kind)
    first = arguments[0]
    if isinstance(first, Tensor):
        if first.kind != kind:
            raise LayerError(f"a {kind}Tensor cannot view a {first.kind}Tensor")
        return viewing(first, first.offset, first.shape, first.strides)
    if isinstance(first, Table) and len(arguments) == 1:
        return of_array(np.asarray(_nested(first), np.float64), kind)
    if isinstance(first, Storage) and (first.kind != "Long" or len(arguments) > 1):
        return _of_storage(kind, first, arguments[1:])
    return empty(kind, sizes_of(arguments))


def new_storage(kind: str, *arguments: Any) -> Storage:
    """``torch.<kind>Storage(...)``: of a size or a table of numbers."""
    if arguments and isinstance(arguments[0], Table):
        values = np.asarray(_nested(arguments[0]), DTYPES[kind])
        return Storage(kind, values.size, values.reshape(-1))
    return Storage(kind, whole(arguments[0], "the size") if arguments else 0)


def _of_storage(kind: str, storage: Storage, rest: Sequence[Any]) -> Tensor:
    if storage.kind != kind:
        raise LayerError(f"a {kind}Tensor cannot view a {storage.kind}Storage")
    offset = whole(rest[0], "the offset") - 1 if rest else 0
    sizes = sizes_of(rest[1:2]) if len(rest) > 1 else [storage.size - offset]
    strides = sizes_of(rest[2:3]) if len(rest) > 2 else None
    return view_of_storage(Tensor(kind), storage, offset, sizes, strides)


def view_of_storage(
    tensor: Tensor,
    storage: Storage,
    offset: int,
    sizes: Sequence[int],
    strides: Sequence[int] | None = None,
) -> Tensor:
    """Make a tensor view a storage, all of whose elements must be inside."""
    put_view(tensor, storage, offset, sizes, strides)
    last = offset + sum((n - 1) * step for n, step in zip(sizes, tensor.strides, strict=True))
    if offset < 0 or min(tensor.strides, default=0) < 0 or min(sizes, default=1) < 1:
        raise LayerError(f"cannot view a storage as {size_text(sizes)}")
    if sizes and last >= storage.size:
        raise LayerError(f"{size_text(sizes)} is more than the storage of {storage.size} has")
    return tensor


def _nested(table: Table) -> list[Any]:
    """The numbers of a table of tables, whose rows must have the same lengths."""
    rows = [_nested(each) if isinstance(each, Table) else each for each in table.sequence]
    lengths = {len(each) if isinstance(each, list) else None for each in rows}
    if len(lengths) > 1:
        raise LayerError("a table of tables must have rows of the same length")
    for each in rows:
        if not isinstance(each, list):
            real(each, "an element")
    return rows


@function("zeros")
def _zeros(torch: Torch, *sizes: Any) -> Tensor:
    return empty(torch.kind, sizes_of(sizes))


@function("ones")
def _ones(torch: Torch, *sizes: Any) -> Tensor:
    made = empty(torch.kind, sizes_of(sizes))
    torch.random.write(made, "fill", 1)
    return made


@function("range")
def _range(torch: Torch, first: Any, last: Any, step: Any = 1) -> Tensor:
    first, last, step = real(first), real(last), real(step, "the step")
    if step == 0 or (last - first) * step < 0:
        raise LayerError(f"from {first:g} to {last:g} in steps of {step:g}")
    count = math.floor((last - first) / step) + 1
    return of_array(first + step * np.arange(_bounded(count)), torch.kind)


@function("linspace")
def _linspace(torch: Torch, first: Any, last: Any, count: Any = 100) -> Tensor:
    number = _bounded(whole(count, "the number of elements"))
    return of_array(np.linspace(real(first), real(last), number), torch.kind)


@function("eye")
def _eye(torch: Torch, rows: Any, columns: Any = None) -> Tensor:
    high = whole(rows, "the number of rows")
    wide = high if columns is None else whole(columns, "the number of columns")
    _bounded(high * wide)
    return of_array(np.eye(high, wide), torch.kind)


def _bounded(count: int) -> int:
    if not 0 < count <= 2**31:
        raise LayerError(f"a tensor of {count} elements")
    return count


@function("cat")
def _cat(first: Any, *rest: Any) -> Tensor:
    """``torch.cat(a, b, dim)`` or ``torch.cat({a, b, ...}, dim)``."""
    if isinstance(first, Table):
        parts, rest = first.sequence, rest
    else:
        parts, rest = [first, a_tensor(rest[0] if rest else None)], rest[1:]
    tensors = [a_tensor(part, "each part") for part in parts]
    if not tensors:
        raise LayerError("nothing to join")
    dim = rest[0] if rest else max(len(tensors[0].shape), 1)
    axis = axis_of(tensors[0], dim)
    shapes = {(each.shape[:axis], each.shape[axis + 1 :]) for each in tensors}
    if len(shapes) > 1 or len({len(each.shape) for each in tensors}) > 1:
        told = ", ".join(size_text(each.shape) for each in tensors)
        raise LayerError(f"tensors of sizes {told} along dimension {axis + 1}")
    return of_array(np.concatenate([each.array for each in tensors], axis), tensors[0].kind)


@method("clone")
def clone(torch: Torch, tensor: Tensor) -> Tensor:
    """A copy with a storage of its own."""
    made = empty(tensor.kind, tensor.shape)
    torch.random.copy(made, tensor)
    return made


@method("new")
def _new(tensor: Tensor, *arguments: Any) -> Tensor:
    return new_tensor(tensor.kind, *arguments)


@method("type")
def _type(torch: Torch, tensor: Tensor, name: Any = None) -> Any:
    """The type's name, or the tensor as one of another type."""
    if name is None:
        return f"torch.{tensor.kind}Tensor"
    return converted(torch, tensor, kind_of(name))


def kind_of(name: Any) -> str:
    """``Float`` of ``torch.FloatTensor``."""
    kind = str(name).removeprefix("torch.").removesuffix("Tensor")
    if kind not in DTYPES:
        raise LayerError(f"there is no tensor type '{name}'")
    return kind


def converted(torch: Torch, tensor: Tensor, kind: str) -> Tensor:
    """The tensor itself if it is of this type, else a copy."""
    if tensor.kind == kind:
        return tensor
    made = empty(kind, tensor.shape)
    torch.random.copy(made, tensor)
    return made


def _conversion(kind: str) -> Any:
    def convert(torch: Torch, tensor: Tensor) -> Tensor:
        return converted(torch, tensor, kind)

    return convert


for _name in ("Float", "Double", "Half", "Byte", "Char", "Short", "Int", "Long", "Cuda"):
    method(_name.lower())(_conversion(_name))
for _name in ("cudaHalf", "cudaDouble", "cudaByte", "cudaLong", "cudaInt"):
    method(_name)(_conversion(f"C{_name[1:]}"))


@method("typeAs")
def _type_as(torch: Torch, tensor: Tensor, other: Any) -> Tensor:
    return converted(torch, tensor, a_tensor(other).kind)


@method("copy")
def _copy(torch: Torch, tensor: Tensor, source: Any) -> Tensor:
    other = a_tensor(source, "the source")
    if other.count != tensor.count:
        raise LayerError(f"{size_text(other.shape)} into {size_text(tensor.shape)}")
    torch.random.copy(tensor, other)
    return tensor


@method("totable")
def _totable(tensor: Tensor) -> Table:
    return _as_table(tensor.array.tolist())


def _as_table(rows: list[Any]) -> Table:
    return Table.of(_as_table(row) if isinstance(row, list) else row for row in rows)


@method("storage")
def _storage(tensor: Tensor) -> Storage | None:
    return tensor.storage


@method("resize")
def _resize(tensor: Tensor, *sizes: Any) -> Tensor:
    return resized(tensor, sizes_of(sizes))


@method("resizeAs")
def _resize_as(tensor: Tensor, other: Any) -> Tensor:
    return resized(tensor, list(a_tensor(other).shape))


def resized(tensor: Tensor, shape: Sequence[int]) -> Tensor:
    """Give a tensor another size; its first elements stay."""
    if tensor.shape == tuple(shape):
        return tensor
    fresh = empty(tensor.kind, shape)
    fits = tensor.storage is not None and tensor.offset + fresh.count <= tensor.storage.size
    if fits:
        return put_view(tensor, tensor.storage, tensor.offset, fresh.shape)
    assert fresh.storage is not None
    if tensor.storage is not None and (tensor.storage.settle or not tensor.storage.untouched):
        old = tensor.storage.data[tensor.offset :]
        fresh.storage.allocated()[: old.size] = old
    return put_view(tensor, fresh.storage, 0, fresh.shape)


@method("set")
def _set(tensor: Tensor, source: Any = None, *rest: Any) -> Tensor:
    """View what another tensor views, or a part of a storage."""
    if source is None:
        return put_view(tensor, None, 0, ())
    if isinstance(source, Storage):
        other = (
            new_tensor(tensor.kind, source, *rest) if rest else _of_storage(tensor.kind, source, ())
        )
    else:
        other = a_tensor(source, "the source")
    if other.kind != tensor.kind:
        raise LayerError(f"a {tensor.kind}Tensor cannot view a {other.kind}Tensor")
    return put_view(tensor, other.storage, other.offset, other.shape, other.strides)
