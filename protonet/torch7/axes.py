"""Layers that move values and axes: what modules of shapes and tables are made of.

Axes count from 0. None of them writes the extent of the batch axis into the net: what is made at
one batch size runs at any other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from protonet.errors import LayerError
from protonet.torch7.builder import Blob, NetBuilder


def dimension(x: Blob, given: int, item_axes: int | None = None) -> int:
    """The axis for a dimension of Torch7, which counts from 1, or from the end if it is negative.

    ``item_axes`` is the number of axes of an item: with one more there is a batch axis before them,
    which positive dimensions leave out; it is then dimension 0.

    Raises:
        LayerError: for an input that has no such dimension.
    """
    count = len(x.shape)
    axis = given + count if given < 0 else given - 1
    if given >= 0 and item_axes is not None and count == item_axes + 1:
        axis += 1
    if not 0 <= axis < count:
        raise LayerError(f"an input of {count} dimensions ({x}) has no dimension {given}")
    return axis


def replace_axes(net: NetBuilder, x: Blob, first: int, count: int, extents: Sequence[int]) -> Blob:
    """``x`` with ``count`` axes replaced by others of the same elements; one may be -1."""
    given = list(x.shape[first : first + count])
    if given == list(extents):
        return x
    return net.layer(
        "Reshape",
        x,
        reshape_param={"shape": {"dim": list(extents)}, "axis": first, "num_axes": count},
    )


def merge(net: NetBuilder, x: Blob, first: int, count: int) -> Blob:
    """``x`` with ``count`` axes as one."""
    return x if count == 1 else replace_axes(net, x, first, count, [-1])


def insert(net: NetBuilder, x: Blob, axis: int) -> Blob:
    """``x`` with a new axis of extent 1."""
    return replace_axes(net, x, axis, 0, [1])


def drop(net: NetBuilder, x: Blob, axis: int) -> Blob:
    """``x`` without an axis, whose extent is 1."""
    assert x.shape[axis] == 1, f"axis {axis} of {x}"
    return replace_axes(net, x, axis, 1, [])


def permute(net: NetBuilder, x: Blob, order: Sequence[int]) -> Blob:
    """``x`` with its axes in another order."""
    if list(order) == list(range(len(x.shape))):
        return x
    return net.layer("Permute", x, permute_param={"order": list(order)})


def pad(net: NetBuilder, x: Blob, ends: Sequence[tuple[int, int]], value: float = 0.0) -> Blob:
    """``x`` with a border before and after each axis; a negative one is cut off."""
    flat = [end for both in ends for end in both]
    if not any(flat):
        return x
    return net.layer("Pad", x, pad_param={"paddings": flat, "constant_values": value})


def narrow(net: NetBuilder, x: Blob, axis: int, start: int, length: int) -> Blob:
    """``length`` values of an axis from ``start`` on.

    Raises:
        LayerError: when the axis has not as many.
    """
    extent = x.shape[axis]
    if not (start >= 0 and 1 <= length <= extent - start):
        raise LayerError(
            f"dimension {axis + 1} of {x} has no elements {start + 1} to {start + length}"
        )
    points = [point for point in (start, start + length) if 0 < point < extent]
    if not points:
        return x
    slice_param = {"axis": axis, "slice_point": points}
    parts = net.layer_of_tops("Slice", x, len(points) + 1, slice_param=slice_param)
    return parts[1 if start else 0]


def select(net: NetBuilder, x: Blob, axis: int, index: int) -> Blob:
    """One value of an axis, without the axis."""
    if len(x.shape) < 2:
        raise LayerError(f"expected at least 2 dimensions to select from, got a vector of {x}")
    return drop(net, narrow(net, x, axis, index, 1), axis)


def split(net: NetBuilder, x: Blob, axis: int) -> list[Blob]:
    """All values of an axis, each without the axis."""
    extent = x.shape[axis]
    if len(x.shape) < 2:
        raise LayerError(f"expected at least 2 dimensions to split, got a vector of {x}")
    if extent == 1:
        return [drop(net, x, axis)]
    slice_param = {"axis": axis, "slice_point": list(range(1, extent))}
    parts = net.layer_of_tops("Slice", x, extent, slice_param=slice_param)
    return [drop(net, part, axis) for part in parts]


def concat(net: NetBuilder, xs: Sequence[Blob], axis: int) -> Blob:
    """The blobs joined along an axis."""
    return xs[0] if len(xs) == 1 else net.layer("Concat", xs, concat_param={"axis": axis})


def view(net: NetBuilder, x: Blob, extents: Sequence[int]) -> Blob:
    """The elements of ``x`` in another shape; one extent may be -1.

    The first extent follows the batch if it is that of ``x``, or if another follows from nothing
    else.
    """
    known = math.prod(extent for extent in extents if extent != -1)
    count = math.prod(x.shape)
    if count % known or (-1 not in extents and count != known):
        raise LayerError(f"cannot view {x} as {'x'.join(map(str, extents))}")
    dims = list(extents)
    if dims[:1] == list(x.shape[:1]):
        dims[0] = 0
    elif -1 not in dims:
        dims[0] = -1
    if [count // known if each == -1 else each for each in extents] == list(x.shape):
        return x
    return net.layer("Reshape", x, reshape_param={"shape": {"dim": dims}})
