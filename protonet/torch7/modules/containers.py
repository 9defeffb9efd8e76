"""Modules of modules: one after the other, side by side, on the parts of a table."""

from __future__ import annotations

from typing import Any, ClassVar

from protonet.errors import LayerError
from protonet.torch7.arguments import whole
from protonet.torch7.axes import concat, dimension, pad, split
from protonet.torch7.builder import Blob, NetBuilder, Value
from protonet.torch7.copying import copied
from protonet.torch7.modules.base import Module, lua, module
from protonet.torch7.modules.fields import first_child
from protonet.torch7.objects import Storage, Table, Tensor, TorchObject


class Container(Module):
    """A module with others inside, in the field ``modules``."""

    learned: ClassVar[tuple[str, ...]] = ()

    def construct(self, *_: Any) -> None:
        self["modules"] = Table()

    @lua
    def add(self, inside: TorchObject) -> TorchObject:
        """Append a module; returns the container."""
        modules = self["modules"]
        modules[len(modules.sequence) + 1] = self.wrap(inside).object
        return self.object

    @lua
    def reset(self, stdv: float | None = None) -> None:
        """Draw the initial values of all modules again."""
        for child in self.children:
            child.reset(stdv)

    @lua
    def extend(self, *inside: TorchObject) -> TorchObject:
        """Append modules; returns the container."""
        for each in inside:
            self.add(each)
        return self.object

    @lua
    def get(self, name: Any, default: Any = None) -> Any:
        """The module at an index, which counts from 1; else a field, as of any module."""
        if isinstance(name, int | float):
            return self["modules"].get(int(name))
        return super().get(name, default)

    @lua
    def size(self) -> int:
        """The number of modules."""
        return len(self["modules"].sequence)

    def blobs_of(self, net: NetBuilder, x: Value) -> list[Blob]:
        """The outputs of all modules for the same input, which must be tensors.

        Raises:
            LayerError: for a container without modules, or outputs with other numbers of axes.
        """
        outputs = [self.one(net.add(child, x)) for child in self.children]
        if not outputs:
            raise LayerError("expected a module inside, got none: add one")
        for output in outputs:
            if len(output.shape) != len(outputs[0].shape):
                raise LayerError(f"cannot join {outputs[0]} and {output}")
        return outputs


@module("nn.Sequential")
class Sequential(Container):
    """One module after the other."""

    @lua
    def add(self, inside: TorchObject) -> TorchObject:
        super().add(inside)
        self._take_ends()
        return self.object

    @lua
    def insert(self, inside: TorchObject, index: int | None = None) -> None:
        """Put a module before the one at ``index``; by default, append it."""
        inner = self["modules"].sequence
        place = len(inner) + 1 if index is None else int(index)
        if not 1 <= place <= len(inner) + 1:
            raise LayerError(
                f"{self.object.typename}: insert at 1 to {len(inner) + 1}, got {place}"
            )
        self._refill([*inner[: place - 1], self.wrap(inside).object, *inner[place - 1 :]])

    @lua
    def remove(self, index: int | None = None) -> None:
        """Take out the module at ``index``; by default, the last."""
        inner = self["modules"].sequence
        place = len(inner) if index is None else int(index)
        if not 1 <= place <= len(inner):
            raise LayerError(f"{self.object.typename}: remove 1 to {len(inner)}, got {place}")
        self._refill([*inner[: place - 1], *inner[place:]])
        if not self["modules"]:
            kind = self.get("_type", "torch.FloatTensor").split(".")[1].removesuffix("Tensor")
            self["output"], self["gradInput"] = Tensor(kind), Tensor(kind)

    def _refill(self, inner: list[TorchObject]) -> None:
        modules = self["modules"]
        modules.clear()
        modules.update(Table.of(inner))
        self._take_ends()

    def _take_ends(self) -> None:
        """The output is that of the last module, the gradient that of the first."""
        inner = self["modules"].sequence
        if inner:
            self["gradInput"] = inner[0].fields.get("gradInput")
            self["output"] = inner[-1].fields.get("output")

    def layers(self, net: NetBuilder, x: Value) -> Value:
        for child in self.children:
            x = net.add(child, x)
        return x


@module("nn.Concat")
class Concat(Container):
    """All modules on the same input; their outputs are joined along ``dimension``."""

    def construct(self, dimension: int) -> None:
        super().construct()
        self["outputSize"] = Storage("Long", 0)
        self["dimension"] = whole("dimension", dimension)

    def layers(self, net: NetBuilder, x: Value) -> Value:
        outputs = self.blobs_of(net, x)
        axis = dimension(outputs[0], self.integer("dimension"))
        return concat(net, self.fitted(net, outputs, axis), axis)

    def fitted(self, net: NetBuilder, outputs: list[Blob], axis: int) -> list[Blob]:
        """The outputs, as they are joined."""
        return outputs


@module("nn.DepthConcat")
class DepthConcat(Concat):
    """As nn.Concat; smaller outputs get a border of zeros, evenly before and after."""

    def fitted(self, net: NetBuilder, outputs: list[Blob], axis: int) -> list[Blob]:
        largest = [max(extents) for extents in zip(*(each.shape for each in outputs), strict=True)]
        fitted = []
        for output in outputs:
            missing = [
                0 if place == axis else whole - extent
                for place, (whole, extent) in enumerate(zip(largest, output.shape, strict=True))
            ]
            fitted.append(pad(net, output, [(each // 2, each - each // 2) for each in missing]))
        return fitted


@module("nn.ConcatTable")
class ConcatTable(Container):
    """All modules on the same input; the output is a table of theirs."""

    def construct(self) -> None:
        super().construct()
        self["output"] = Table()

    def layers(self, net: NetBuilder, x: Value) -> Value:
        return [net.add(child, x) for child in self.children]


@module("nn.Parallel")
class Parallel(Container):
    """A module for each value of ``inputDimension``; outputs are joined along
    ``outputDimension``.
    """

    def construct(self, inputDimension: int, outputDimension: int) -> None:
        super().construct()
        self["inputDimension"] = whole("inputDimension", inputDimension)
        self["outputDimension"] = whole("outputDimension", outputDimension)

    def layers(self, net: NetBuilder, x: Value) -> Value:
        blob, children = self.one(x), self.children
        axis = dimension(blob, self.integer("inputDimension"))
        if len(children) < blob.shape[axis]:
            raise LayerError(
                f"expected a module for each of the {blob.shape[axis]} values of dimension "
                f"{axis + 1} of {blob}, got {len(children)}"
            )
        parts = split(net, blob, axis)
        outputs = [
            self.one(net.add(child, part)) for child, part in zip(children, parts, strict=False)
        ]
        return concat(net, outputs, dimension(outputs[0], self.integer("outputDimension")))


@module("nn.ParallelTable")
class ParallelTable(Container):
    """A module for each value of a table; the output is a table of theirs."""

    def construct(self) -> None:
        super().construct()
        self["output"] = Table()
        self["gradInput"] = Table()

    def layers(self, net: NetBuilder, x: Value) -> Value:
        values, children = self.several(x), self.children
        if len(children) > len(values):
            raise LayerError(f"expected a table of {len(children)}, got one of {len(values)}")
        return [net.add(child, value) for child, value in zip(children, values, strict=False)]


@module("nn.MapTable")
class MapTable(Container):
    """One module on each value of a table: the same parameters, or with ``shared`` false copies."""

    def construct(self, inside: TorchObject | None = None, shared: bool | None = None) -> None:
        super().construct()
        self["shared"] = True if shared is None else shared
        self["sharedparams"] = Table.of(["weight", "bias", "gradWeight", "gradBias"])
        self["output"] = Table()
        self["gradInput"] = Table()
        if inside is not None:
            self.add(inside)

    @lua
    def add(self, inside: TorchObject) -> TorchObject:
        if self.get("module") is not None:
            raise LayerError("nn.MapTable: expected a single module, got a second one")
        self["module"] = self.wrap(inside).object
        self["modules"][1] = inside
        return self.object

    @lua
    def resize(self, n: int) -> None:
        """Make as many modules."""
        modules = self.table_field("modules")
        for place in range(len(modules.sequence) + 1, int(n) + 1):
            shared = self["sharedparams"].sequence if self.get("shared") else []
            modules[place] = copied(self["module"], shared)
        for place in range(int(n) + 1, len(modules.sequence) + 1):
            del modules[place]

    def layers(self, net: NetBuilder, x: Value) -> Value:
        values = self.several(x)
        if self.get("module") is None:
            raise LayerError("expected a module inside, got none")
        if self.get("shared") and len(self.table_field("modules").sequence) == 1:
            return [net.add(first_child(self), value) for value in values]
        self.resize(max(len(values), self.size()))
        return [net.add(child, value) for child, value in zip(self.children, values, strict=False)]
