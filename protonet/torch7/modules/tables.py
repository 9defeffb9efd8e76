"""Modules on tables: what makes, joins, splits and rearranges them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from protonet.errors import LayerError
from protonet.torch7.arguments import flag, whole
from protonet.torch7.axes import concat, dimension, drop, insert, merge, replace_axes, split
from protonet.torch7.axes import permute as permuted
from protonet.torch7.builder import Blob, NetBuilder, Value
from protonet.torch7.modules.base import Module, module
from protonet.torch7.objects import Storage, Table


class TableModule(Module):
    """A module that takes a table."""

    def construct(self, *_: Any) -> None:
        self["gradInput"] = Table()

    def blobs(self, x: Value, at_least: int = 1) -> list[Blob]:
        """The input: a table of tensors.

        Raises:
            LayerError: for a tensor, tables inside, or fewer than ``at_least``.
        """
        values = self.several(x)
        if len(values) < at_least:
            raise LayerError(f"expected a table of at least {at_least}, got {len(values)}")
        return [self.one(value) for value in values]

    def pair(self, x: Value) -> tuple[Value, Value]:
        """The input: a table of two."""
        values = self.several(x)
        if len(values) != 2:
            raise LayerError(f"expected a table of 2, got {len(values)}")
        return values[0], values[1]


class Along(TableModule):
    """A module that takes a dimension, and the number of those of an item."""

    def construct(self, dimension: int, nInputDims: int | None = None) -> None:
        self["dimension"] = whole("dimension", dimension)
        self["nInputDims"] = nInputDims

    def axis(self, x: Blob) -> int:
        """The axis for an input."""
        item = None if self.get("nInputDims") is None else self.integer("nInputDims")
        return dimension(x, self.integer("dimension"), item)


@module("nn.JoinTable")
class JoinTable(Along):
    """The tensors of a table, joined along a dimension."""

    def construct(self, dimension: int, nInputDims: int | None = None) -> None:
        super().construct(dimension, nInputDims)
        self["size"] = Storage("Long", 0)
        self["gradInput"] = Table()

    def layers(self, net: NetBuilder, x: Value) -> Value:
        blobs = self.blobs(x)
        axis = self.axis(blobs[0])
        for blob in blobs[1:]:
            if _without(blob, axis) != _without(blobs[0], axis):
                raise LayerError(f"cannot join {blobs[0]} and {blob} along dimension {axis + 1}")
        return concat(net, blobs, axis)


@module("nn.SplitTable")
class SplitTable(Along):
    """A table of the values of a dimension, without the dimension."""

    def layers(self, net: NetBuilder, x: Value) -> Value:
        blob = self.one(x)
        return [*split(net, blob, self.axis(blob))]


@module("nn.SelectTable")
class SelectTable(TableModule):
    """One value of a table; negative indices count from the end."""

    def construct(self, index: int) -> None:
        super().construct()
        self["index"] = whole("index", index)

    def layers(self, net: NetBuilder, x: Value) -> Value:
        values, index = self.several(x), self.integer("index")
        place = len(values) + index if index < 0 else index - 1
        if not 0 <= place < len(values):
            raise LayerError(f"index {index} does not exist in a table of {len(values)}")
        return values[place]


@module("nn.NarrowTable")
class NarrowTable(TableModule):
    """``length`` values of a table from ``offset`` on."""

    def construct(self, offset: int, length: int | None = None) -> None:
        super().construct()
        self["offset"] = whole("offset", offset)
        self["length"] = whole("length", length, 1)
        self["output"] = Table()

    def layers(self, net: NetBuilder, x: Value) -> Value:
        values, first = self.several(x), self.integer("offset") - 1
        last = first + self.integer("length")
        if not 0 <= first < last <= len(values):
            raise LayerError(
                f"a table of {len(values)} has no values {first + 1} to {last} to narrow to"
            )
        return values[first:last]


@module("nn.FlattenTable")
class FlattenTable(TableModule):
    """The tensors of nested tables in one table."""

    def construct(self) -> None:
        super().construct()
        self["output"] = Table()
        self["input_map"] = Table()

    def layers(self, net: NetBuilder, x: Value) -> Value:
        return [*_flat(self.several(x))]


@module("nn.ZipTable")
class ZipTable(TableModule):
    """``{{a1, a2}, {b1, b2}}`` as ``{{a1, b1}, {a2, b2}}``."""

    def construct(self) -> None:
        super().construct()
        self["output"] = Table()

    def layers(self, net: NetBuilder, x: Value) -> Value:
        rows = [self.several(row) for row in self.several(x)]
        if len({len(row) for row in rows}) > 1:
            raise LayerError(f"expected tables of one length, got {[len(row) for row in rows]}")
        return [list(column) for column in zip(*rows, strict=True)]


@module("nn.ZipTableOneToMany")
class ZipTableOneToMany(TableModule):
    """``{v, {a, b}}`` as ``{{v, a}, {v, b}}``."""

    def construct(self) -> None:
        super().construct()
        self["output"] = Table()
        self["gradInputEl"] = self.tensor()

    def layers(self, net: NetBuilder, x: Value) -> Value:
        one, many = self.pair(x)
        return [[one, each] for each in self.several(many)]


@module("nn.ReverseTable")
class ReverseTable(TableModule):
    """The values of a table from the last to the first."""

    def construct(self) -> None:
        super().construct()
        self["output"] = Table()

    def layers(self, net: NetBuilder, x: Value) -> Value:
        return self.several(x)[::-1]


@module("nn.MixtureTable")
class MixtureTable(TableModule):
    """The sum of experts, each times its gate: ``{gates, {expert, ...}}``, or the experts as one
    tensor along ``dim``.
    """

    def construct(self, dim: int | None = None) -> None:
        super().construct()
        self["dim"] = dim
        self["size"], self["size2"] = Storage("Long", 0), Storage("Long", 0)
        self["batchSize"] = 0
        self["backwardSetup"] = False

    def layers(self, net: NetBuilder, x: Value) -> Value:
        gates, experts = self.pair(x)
        gate = self.one(gates)
        batched = len(gate.shape) > 1
        if len(gate.shape) > 2:
            raise LayerError(f"expected gates of 1 or 2 dimensions, got {gate}")
        if isinstance(experts, list):
            stacked, shape = self._stack(net, [self.one(each) for each in experts], int(batched))
        else:
            stacked, shape = self._moved(net, experts, int(batched))
        if stacked.shape[-2] != gate.shape[-1] or stacked.shape[:-2] != gate.shape[:-1]:
            raise LayerError(f"expected a gate for each expert, got {gate} for {stacked}")
        weighed = net.layer("MatMul", [insert(net, gate, int(batched)), stacked])
        sums = drop(net, weighed, int(batched))
        return replace_axes(net, sums, int(batched), 1, shape)

    def _stack(
        self, net: NetBuilder, experts: Sequence[Blob], axis: int
    ) -> tuple[Blob, tuple[int, ...]]:
        """The experts as matrices, a row for each; and the shape of an item of one."""
        rows = []
        for each in experts:
            if each.shape != experts[0].shape:
                raise LayerError(f"expected experts of one shape, got {experts[0]} and {each}")
            rows.append(insert(net, _as_vectors(net, each, axis), axis))
        return concat(net, rows, axis), experts[0].shape[axis:]

    def _moved(self, net: NetBuilder, experts: Blob, axis: int) -> tuple[Blob, tuple[int, ...]]:
        """The same of one tensor, which has the experts along ``dim``."""
        place = dimension(experts, self.integer("dim", axis + 1))
        others = [each for each in range(len(experts.shape)) if each != place]
        moved = permuted(net, experts, [*others[:axis], place, *others[axis:]])
        return _as_vectors(net, moved, axis + 1), moved.shape[axis + 1 :]


@module("nn.CAddTensorTable")
class CAddTensorTable(TableModule):
    """``{v, {a, b}}`` as ``{a + v, b + v}``."""

    def layers(self, net: NetBuilder, x: Value) -> Value:
        one, many = self.pair(x)
        return [
            net.layer("Eltwise", [self.one(each), self.one(one)]) for each in self.several(many)
        ]


@module("nn.MM")
class MM(TableModule):
    """The product of two matrices, or of pairs of them; ``transA`` and ``transB`` transpose."""

    def construct(self, transA: bool | None = None, transB: bool | None = None) -> None:
        self["transA"], self["transB"] = bool(transA), bool(transB)
        self["gradInput"] = Table.of([self.tensor(), self.tensor()])

    def layers(self, net: NetBuilder, x: Value) -> Value:
        a, b = map(self.one, self.pair(x))
        if len(a.shape) not in (2, 3) or len(b.shape) != len(a.shape):
            raise LayerError(f"expected two matrices, or two batches of them, got {a} and {b}")
        return multiply(net, a, b, bool(self.get("transA")), bool(self.get("transB")))


@module("nn.MV")
class MV(TableModule):
    """The product of a matrix and a vector, or of pairs of them; ``trans`` transposes."""

    def construct(self, trans: bool | None = None) -> None:
        self["trans"] = flag("trans", trans)
        self["gradInput"] = Table.of([self.tensor(), self.tensor()])

    def layers(self, net: NetBuilder, x: Value) -> Value:
        m, v = map(self.one, self.pair(x))
        if len(m.shape) not in (2, 3) or len(v.shape) != len(m.shape) - 1:
            raise LayerError(f"expected a matrix and a vector, or batches, got {m} and {v}")
        y = multiply(net, m, insert(net, v, len(v.shape)), bool(self.get("trans")))
        return drop(net, y, len(y.shape) - 1)


def multiply(net: NetBuilder, a: Blob, b: Blob, turn_a: bool = False, turn_b: bool = False) -> Blob:
    """The products of matrices."""
    fields: dict[str, Any] = {"transpose_a": turn_a, "transpose_b": turn_b}
    return net.layer("MatMul", [a, b], mat_mul_param={k: v for k, v in fields.items() if v})


def _as_vectors(net: NetBuilder, x: Blob, first: int) -> Blob:
    """``x`` with all axes from ``first`` on as one."""
    left = len(x.shape) - first
    return merge(net, x, first, left) if left else insert(net, x, first)


def _without(x: Blob, axis: int) -> tuple[int, ...]:
    return x.shape[:axis] + x.shape[axis + 1 :]


def _flat(values: Sequence[Value]) -> list[Blob]:
    return [b for value in values for b in ([value] if isinstance(value, Blob) else _flat(value))]
