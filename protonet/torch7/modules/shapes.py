"""Other views of the same elements."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from protonet.errors import LayerError
from protonet.torch7.arguments import whole
from protonet.torch7.axes import drop, insert, merge, permute, replace_axes, view
from protonet.torch7.builder import Blob, NetBuilder, Value
from protonet.torch7.modules.base import Module, lua, module
from protonet.torch7.modules.fields import table_field, whole_numbers
from protonet.torch7.objects import Storage, Table, TorchObject


def sizes_of(arguments: tuple[Any, ...]) -> list[int]:
    """Extents, given as numbers or as one LongStorage."""
    if len(arguments) == 1 and isinstance(arguments[0], Storage):
        return [int(size) for size in arguments[0].data]
    return [whole("size", given) for given in arguments]


def longs(values: list[int]) -> Storage:
    """A ``torch.LongStorage``."""
    return Storage("Long", len(values), np.array(values, np.int64))


class Counting(Module):
    """A module that is told how many axes an item has."""

    @lua
    def setNumInputDims(self, numInputDims: int | None = None) -> TorchObject:
        """Tell how many axes an item has; returns the module."""
        self["numInputDims"] = numInputDims
        return self.object

    @property
    def item_axes(self) -> int | None:
        """How many axes an item has; None if the module was not told."""
        return None if self.get("numInputDims") is None else self.integer("numInputDims")


@module("nn.View")
class View(Counting):
    """The elements in another shape; -1 stands for what is left.

    What the sizes do not hold is a batch axis; with ``numInputDims``, also each axis before these.
    """

    def construct(self, *sizes: Any) -> None:
        self.resetSize(*sizes)

    @lua
    def resetSize(self, *sizes: Any) -> TorchObject:
        """Set another shape; returns the module."""
        extents = sizes_of(sizes)
        if min(extents, default=0) < -1 or extents.count(-1) > 1:
            raise LayerError(
                f"nn.View: sizes must be positive, and one may be -1, got {_text(extents)}"
            )
        self["size"] = longs(extents)
        self["numElements"] = math.prod(extent for extent in extents if extent != -1)
        return self.object

    def layers(self, net: NetBuilder, x: Value) -> Value:
        blob, extents = self.one(x), whole_numbers(self, "size")
        count, axes = math.prod(extent for extent in extents if extent != -1), len(blob.shape)
        item = axes if self.item_axes is None else self.item_axes
        if item > axes:
            raise LayerError(f"expected an input of at least {item} dimensions, got {blob}")
        elements = math.prod(blob.shape[axes - item :])
        if not count or elements % count:
            raise LayerError(f"cannot view {blob} as {_text(extents)}")
        batch = 1 if -1 in extents else elements // count
        batch *= math.prod(blob.shape[: axes - item])
        if batch == 1 and axes == item:
            return view(net, blob, extents)
        if -1 not in extents:
            return view(net, blob, [batch, *extents])
        return merge(net, replace_axes(net, blob, axes - item, item, extents), 0, axes - item)


@module("nn.Reshape")
class Reshape(Module):
    """The elements in another shape, for each item of a batch.

    ``batchMode`` tells whether there is a batch axis; if nil, there is one unless the elements are
    as many as those of the shape, and the first axis has more than one.
    """

    def construct(self, *arguments: Any) -> None:
        if arguments and isinstance(arguments[-1], bool):
            self["batchMode"] = arguments[-1]
            arguments = arguments[:-1]
        while arguments and arguments[-1] is None:
            arguments = arguments[:-1]
        extents = sizes_of(arguments)
        self["size"] = longs(extents)
        self["nelement"] = math.prod(extents)
        self["batchsize"] = longs([0, *extents])

    def layers(self, net: NetBuilder, x: Value) -> Value:
        blob, extents = self.one(x), whole_numbers(self, "size")
        batched = self.get("batchMode")
        if batched is None:
            alone = math.prod(blob.shape) == math.prod(extents) and blob.shape[0] != 1
            batched = not alone
        if not batched:
            return view(net, blob, extents)
        if math.prod(blob.shape[1:]) != abs(math.prod(extents)) and -1 not in extents:
            raise LayerError(
                f"expected {math.prod(extents)} elements in an item to make {_text(extents)}, got "
                f"{math.prod(blob.shape[1:])} in {blob}"
            )
        return view(net, blob, [blob.shape[0], *extents])


@module("nn.InferReshape")
class InferReshape(Module):
    """The elements in another shape: 0 stands for the axis of the input, -1 for what is left."""

    def construct(self, *arguments: Any) -> None:
        if arguments and isinstance(arguments[-1], bool):
            self["batchMode"] = arguments[-1]
            arguments = arguments[:-1]
        extents = sizes_of(arguments)
        self["size"] = longs(extents)
        self["batchsize"] = longs([0, *extents])
        self["inferedSize"] = longs([])

    def layers(self, net: NetBuilder, x: Value) -> Value:
        blob, extents = self.one(x), whole_numbers(self, "size")
        batched = bool(self.get("batchMode"))
        own = blob.shape[1:] if batched else blob.shape
        if extents.count(-1) > 1 or any(not e and i >= len(own) for i, e in enumerate(extents)):
            raise LayerError(f"cannot view {blob} as {_text(extents)}")
        filled = [own[i] if extent == 0 else extent for i, extent in enumerate(extents)]
        return view(net, blob, [blob.shape[0], *filled] if batched else filled)


@module("nn.Transpose")
class Transpose(Counting):
    """Pairs of axes change places, one after the other."""

    def construct(self, *permutations: Table) -> None:
        for pair in permutations:
            _pair(pair)
        self["permutations"] = Table.of(permutations)

    def layers(self, net: NetBuilder, x: Value) -> Value:
        blob = self.one(x)
        axes = len(blob.shape)
        before = 0 if self.item_axes is None else axes - self.item_axes
        order = list(range(axes))
        for pair in table_field(self, "permutations").sequence:
            one, other = (whole("an axis", each) - 1 + before for each in _pair(pair))
            if not (0 <= one < axes and 0 <= other < axes):
                raise LayerError(f"cannot transpose {list(pair.sequence)} of {blob}")
            order[one], order[other] = order[other], order[one]
        return permute(net, blob, order)


@module("nn.Squeeze")
class Squeeze(Counting):
    """Without the axis ``dim`` if it has extent 1, or without all axes of extent 1."""

    def construct(self, dim: int | None = None, numInputDims: int | None = None) -> None:
        self["dim"] = None if dim is None else whole("dim", dim)
        self["numInputDims"] = numInputDims

    def layers(self, net: NetBuilder, x: Value) -> Value:
        blob = self.one(x)
        axes = len(blob.shape)
        batched = self.item_axes is not None and axes == self.item_axes + 1
        if self.get("dim") is not None:
            gone = [self.integer("dim") - 1 + batched]
            if not 0 <= gone[0] < axes:
                raise LayerError(f"{blob} has no dimension {gone[0] + 1} to squeeze")
        else:
            gone = list(range(int(batched), axes))
        for axis in reversed(gone):
            if blob.shape[axis] == 1 and len(blob.shape) > 1:
                blob = drop(net, blob, axis)
        return blob


@module("nn.Unsqueeze")
class Unsqueeze(Counting):
    """With a new axis of extent 1 at ``pos``."""

    def construct(self, pos: int, numInputDims: int | None = None) -> None:
        self["pos"] = whole("pos", pos)
        self["numInputDims"] = numInputDims

    def layers(self, net: NetBuilder, x: Value) -> Value:
        blob = self.one(x)
        item = len(blob.shape) if self.item_axes is None else self.item_axes
        place = self.integer("pos") + len(blob.shape) - item
        if item > len(blob.shape) or not 1 <= place <= len(blob.shape) + 1:
            raise LayerError(
                f"cannot insert dimension {self.integer('pos')}: the input is {blob}, and an item "
                f"has {item} dimensions"
            )
        return insert(net, blob, place - 1)


@module("nn.Collapse")
class Collapse(Module):
    """The axes of an item as one."""

    def construct(self, nInputDim: int) -> None:
        self["nInputDim"] = whole("nInputDim", nInputDim)

    def layers(self, net: NetBuilder, x: Value) -> Value:
        blob: Blob = self.one(x)
        first = 1 if len(blob.shape) > self.integer("nInputDim") else 0
        return merge(net, blob, first, len(blob.shape) - first)


def _pair(given: Any) -> list[Any]:
    """The two axes that change places."""
    if not isinstance(given, Table) or len(given.sequence) != 2:
        raise LayerError(f"nn.Transpose: expected pairs such as {{2, 3}}, got {given}")
    return given.sequence


def _text(extents: list[int]) -> str:
    return "x".join(map(str, extents))
