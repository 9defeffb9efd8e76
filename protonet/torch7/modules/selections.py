"""Parts of tensors, and more of them: select, narrow, index, pad, replicate."""

from __future__ import annotations

from protonet.errors import LayerError
from protonet.torch7.arguments import real, whole
from protonet.torch7.axes import (
    concat,
    dimension,
    insert,
    merge,
    narrow,
    pad,
    permute,
    select,
)
from protonet.torch7.builder import NetBuilder, Value
from protonet.torch7.modules.base import Module, module
from protonet.torch7.modules.tables import TableModule
from protonet.torch7.objects import Storage, Table, Tensor


@module("nn.Select")
class Select(Module):
    """One value of a dimension, without the dimension; negative numbers count from the end."""

    def construct(self, dimension: int, index: int) -> None:
        self["dimension"] = whole("dimension", dimension)
        self["index"] = whole("index", index)

    def layers(self, net: NetBuilder, x: Value) -> Value:
        blob, index = self.one(x), self.integer("index")
        axis = dimension(blob, self.integer("dimension"))
        extent = blob.shape[axis]
        place = extent + index if index < 0 else index - 1
        if not 0 <= place < extent:
            raise LayerError(f"dimension {axis + 1} of {blob} has no element {index}")
        return select(net, blob, axis, place)


@module("nn.Narrow")
class Narrow(Module):
    """``length`` values of a dimension from ``index`` on.

    A negative length counts from the end. A negative index stands for the first values, all but
    ``length``.
    """

    def construct(self, dimension: int, offset: int, length: int | None = None) -> None:
        self["dimension"] = whole("dimension", dimension)
        self["index"] = whole("offset", offset)
        self["length"] = whole("length", length, 1)

    def layers(self, net: NetBuilder, x: Value) -> Value:
        blob, start = self.one(x), self.integer("index")
        axis = dimension(blob, self.integer("dimension"))
        length, extent = self.integer("length"), blob.shape[axis]
        if length < 0:
            length = extent - start + length + 2
        if start < 0:
            start, length = 1, extent - length
        return narrow(net, blob, axis, start - 1, length)


@module("nn.Index")
class Index(TableModule):
    """``{x, indices}``: the values of a dimension of x at these places, which count from 1."""

    def construct(self, dimension: int) -> None:
        self["dimension"] = whole("dimension", dimension)
        self["gradInput"] = Table.of([self.tensor(), self.tensor()])

    def layers(self, net: NetBuilder, x: Value) -> Value:
        values, indices = map(self.one, self.pair(x))
        if len(indices.shape) != 1:
            raise LayerError(f"expected a vector of indices, got {indices}")
        axis = dimension(values, self.integer("dimension"))
        others = [each for each in range(len(values.shape)) if each != axis]
        places = net.classes_from_zero(indices)
        moved = permute(net, values, [axis, *others])
        taken = net.layer("BatchReindex", [moved, places])
        return permute(net, taken, [*range(1, axis + 1), 0, *range(axis + 1, len(others) + 1)])


@module("nn.MaskedSelect")
class MaskedSelect(TableModule):
    """``{x, mask}``: a vector of the values where the mask is not 0."""

    def construct(self) -> None:
        self["_maskIndices"], self["_maskIndexBuffer"] = Tensor("Long"), Tensor("Long")
        self["_maskIndexBufferCPU"] = Tensor("Float")
        self["_gradBuffer"] = self.tensor()
        self["_gradMask"] = Tensor("Byte")

    def layers(self, net: NetBuilder, x: Value) -> Value:
        values, mask = map(self.one, self.pair(x))
        if values.shape != mask.shape:
            raise LayerError(f"expected a mask of {values}, got {mask}")
        flat = [merge(net, each, 0, len(each.shape)) for each in (values, mask)]
        return net.layer("Filter", flat)


@module("nn.Padding")
class Padding(Module):
    """``pad`` values at the end of a dimension, or ``-pad`` before it if that is negative.

    ``index`` puts them before another element, counted from that side.
    """

    def construct(
        self,
        dim: int,
        pad: int,
        nInputDim: int | None = None,
        value: float | None = None,
        index: int | None = None,
    ) -> None:
        self["value"] = real("value", value, 0)
        self["index"] = whole("index", index, 1)
        self["dim"] = whole("dim", dim)
        self["pad"] = whole("pad", pad)
        self["nInputDim"] = nInputDim
        self["outputSize"] = Storage("Long", 0)

    def layers(self, net: NetBuilder, x: Value) -> Value:
        blob, count, value = self.one(x), self.integer("pad"), self.number("value", 0)
        other = self.integer("nInputDim", len(blob.shape)) != len(blob.shape)
        axis = dimension(blob, self.integer("dim") + other)
        extent, place = blob.shape[axis], self.integer("index", 1)
        if count > 0:
            place = extent - place + 2
        if not 1 <= place <= extent + 1:
            raise LayerError(f"dimension {axis + 1} of {blob} has no index {self['index']} to pad")
        ends = [(0, 0)] * len(blob.shape)
        if place in (1, extent + 1):
            ends[axis] = (abs(count), 0) if place == 1 else (0, abs(count))
            return pad(net, blob, ends, value)
        first = narrow(net, blob, axis, 0, place - 1)
        second = narrow(net, blob, axis, place - 1, extent - place + 1)
        ends[axis] = (0, abs(count))
        return concat(net, [pad(net, first, ends, value), second], axis)


@module("nn.Replicate")
class Replicate(Module):
    """``nfeatures`` copies along a new dimension; ``ndim`` is the number of those of an item."""

    def construct(self, nf: int, dim: int | None = None, ndim: int | None = None) -> None:
        self["nfeatures"] = whole("nf", nf, least=1)
        self["dim"] = whole("dim", dim, 1, least=1)
        self["ndim"] = ndim

    def layers(self, net: NetBuilder, x: Value) -> Value:
        blob = self.one(x)
        item = self.integer("ndim", len(blob.shape))
        axis = self.integer("dim", 1) - 1 + (len(blob.shape) > item)
        if not 0 <= axis <= len(blob.shape):
            raise LayerError(
                f"not enough input dimensions to replicate along dimension {axis + 1}: {blob}"
            )
        tiles = self.integer("nfeatures")
        new = insert(net, blob, axis)
        return (
            new if tiles == 1 else net.layer("Tile", new, tile_param={"axis": axis, "tiles": tiles})
        )
