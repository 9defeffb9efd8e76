"""Losses of losses."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from protonet.errors import LayerError
from protonet.layers import layer_class
from protonet.proto.caffe_pb2 import LayerParameter
from protonet.torch7.axes import insert
from protonet.torch7.builder import Blob, NetBuilder, Placed, Value
from protonet.torch7.modules.base import Criterion, Module, lua, module
from protonet.torch7.objects import Storage, Table, TorchObject


def _hold(net: NetBuilder, placed: Sequence[Placed]) -> None:
    """Exclude parameters from learning."""
    specs = {spec.name: spec for spec in net.specs}
    for each in placed:
        params = specs[each.layer].param
        while len(params) <= each.index:
            params.add()
        params[each.index].lr_mult = 0


def losses(net: NetBuilder, first: int) -> list[tuple[LayerParameter, float]]:
    """The losses among the layers from ``first`` on, with their weights."""
    found = []
    for spec in net.specs[first:]:
        if spec.loss_weight:
            found.append((spec, spec.loss_weight[0]))
        elif layer_class(spec.type).is_loss:
            found.append((spec, 1.0))
    return found


def loss_as_value(net: NetBuilder, criterion: Criterion, x: Value, target: Value) -> Blob:
    """The loss of a criterion as a vector of one value, without a part in the objective."""
    first = len(net.specs)
    criterion.loss(net, x, target)
    terms = losses(net, first)
    for spec, _ in terms:
        spec.loss_weight[:] = [0]
    tops, weights = [Blob(spec.top[0], ()) for spec, _ in terms], [weight for _, weight in terms]
    if len(tops) == 1:
        made = net.layer("Power", tops, power_param={"scale": weights[0]})
    else:
        made = net.layer("Eltwise", tops, eltwise_param={"coeff": weights})
    return insert(net, made, 0)


class _Criterions(Criterion):
    """Criterions with weights."""

    def append(self, criterion: TorchObject) -> int:
        """Append a criterion; returns their number.

        Raises:
            LayerError: for anything else.
        """
        made = self.criterion(criterion)
        criterions = self.table_field("criterions")
        criterions[len(criterions.sequence) + 1] = made.object
        return len(criterions.sequence)

    def criterion(self, made: object) -> Criterion:
        """The class of a criterion inside this one."""
        inside = self.wrap(made)
        if not isinstance(inside, Criterion):
            raise LayerError(f"expected a criterion, got {inside.object.typename}")
        return inside

    def part(self, net: NetBuilder, place: int, x: Value, target: Value) -> Blob:
        """The loss of one of the criterions, counted from 0, times its weight."""
        inside = self.criterion(self.table_field("criterions")[place + 1])
        weight = self.weight(place)
        before = len(net.specs)
        with net.at(inside):
            found = inside.loss(net, x, target)
        if weight != 1:
            for spec, own in losses(net, before):
                spec.loss_weight[:] = [weight * own]
        return found

    def weight(self, place: int) -> float:
        """The weight of a criterion, counted from 0."""
        raise NotImplementedError

    def count(self) -> int:
        """The number of criterions.

        Raises:
            LayerError: if there are none.
        """
        found = len(self.table_field("criterions").sequence)
        if not found:
            raise LayerError("has no criterion; add one with :add(criterion)")
        return found


@module("nn.MultiCriterion")
class MultiCriterion(_Criterions):
    """The weighted sum of several criterions of one input and target."""

    def construct(self) -> None:
        self["criterions"] = Table()
        self["weights"] = Storage("Double", 0)

    @lua
    def add(self, criterion: TorchObject, weight: float | None = None) -> TorchObject:
        """Append a criterion with a weight of 1, or another; returns this one."""
        count = self.append(criterion)
        values = np.append(self["weights"].data[: count - 1], 1.0 if weight is None else weight)
        self["weights"] = Storage("Double", count, values.astype(np.float64))
        return self.object

    def weight(self, place: int) -> float:
        weights = self["weights"]
        if not isinstance(weights, Storage) or weights.size <= place:
            raise LayerError(f"expected a weight for each criterion, got {weights}")
        return float(weights.data[place])

    def loss(self, net: NetBuilder, x: Value, target: Value) -> Blob:
        losses = [self.part(net, place, x, target) for place in range(self.count())]
        return losses[0]


@module("nn.ParallelCriterion")
class ParallelCriterion(_Criterions):
    """The weighted sum of criterions, each of its own input and target of a table."""

    def construct(self, repeatTarget: bool | None = None) -> None:
        self["criterions"], self["weights"], self["gradInput"] = Table(), Table(), Table()
        if repeatTarget is not None:
            self["repeatTarget"] = repeatTarget

    @lua
    def add(self, criterion: TorchObject, weight: float | None = None) -> TorchObject:
        """Append a criterion with a weight of 1, or another; returns this one."""
        self.table_field("weights")[self.append(criterion)] = 1 if weight is None else weight
        return self.object

    def weight(self, place: int) -> float:
        weight = self.table_field("weights").get(place + 1)
        if not isinstance(weight, int | float):
            raise LayerError(f"expected a weight for each criterion, got {weight}")
        return float(weight)

    def loss(self, net: NetBuilder, x: Value, target: Value) -> Blob:
        count, inputs = self.count(), self.several(x)
        repeated = bool(self.get("repeatTarget"))
        if not repeated and isinstance(target, Blob):
            raise LayerError(
                "expected a table of targets, got a tensor",
                hint="nn.ParallelCriterion(true) gives the target to each criterion",
            )
        # A table, as tensors were refused.
        targets: list[Value] = [target] * count if repeated else list(target)  # type: ignore[arg-type]
        if len(inputs) < count or len(targets) < count:
            raise LayerError(
                f"has {count} criterions, but {len(inputs)} inputs and {len(targets)} targets"
            )
        losses = [self.part(net, i, inputs[i], targets[i]) for i in range(count)]
        return losses[0]


@module("nn.ModuleCriterion")
class ModuleCriterion(_Criterions):
    """A criterion of what modules make of the input and of the target."""

    def construct(
        self,
        criterion: TorchObject,
        inputModule: TorchObject | None = None,
        targetModule: TorchObject | None = None,
        castTarget: bool | None = None,
    ) -> None:
        for name, made in (("inputModule", inputModule), ("targetModule", targetModule)):
            if made is not None:
                self[name] = made
        self["castTarget"] = True if castTarget is None else castTarget
        self["criterion"] = self.criterion(criterion).object

    def loss(self, net: NetBuilder, x: Value, target: Value) -> Blob:
        before = len(net.placed)
        if (made := self._module("inputModule")) is not None:
            x = net.add(made, x)
        if (made := self._module("targetModule")) is not None:
            target = net.add(made, target)
        _hold(net, net.placed[before:])
        inside = self.criterion(self["criterion"])
        with net.at(inside):
            return inside.loss(net, x, target)

    def _module(self, name: str) -> Module | None:
        made = self.get(name)
        return None if made is None else self.wrap(made)


@module("nn.CriterionTable")
class CriterionTable(Module):
    """A criterion as a module: a table of input and target to a number."""

    learned = ()

    def construct(self, criterion: TorchObject) -> None:
        inside = self.wrap(criterion)
        if not isinstance(inside, Criterion):
            raise LayerError(f"nn.CriterionTable: expected a criterion, got {criterion.typename}")
        self["criterion"] = inside.object
        self["gradInput"] = Table.of([inside["gradInput"]])

    def layers(self, net: NetBuilder, x: Value) -> Value:
        pair, inside = self.several(x), self.wrap(self["criterion"])
        if len(pair) != 2:
            raise LayerError(f"expected a table of input and target, got {len(pair)} tensors")
        assert isinstance(inside, Criterion), inside.object.typename
        with net.at(inside):
            return loss_as_value(net, inside, pair[0], pair[1])
