"""A constant in place of the input, inputs with their axes in another order, places of maxima."""

from __future__ import annotations

import math

from protonet.errors import LayerError
from protonet.torch7.arguments import flag, real, whole
from protonet.torch7.axes import dimension, drop, insert, merge, permute, replace_axes, select
from protonet.torch7.builder import Blob, NetBuilder, Value
from protonet.torch7.modules.base import Module, module
from protonet.torch7.modules.containers import Container
from protonet.torch7.objects import Tensor


@module("nn.Constant")
class Constant(Module):
    """A constant, whatever the input is; one for each item if that has more than ``nInputDim``
    axes.
    """

    learned = ()

    def construct(self, value: float | Tensor | None = None, nInputDim: int | None = None) -> None:
        if isinstance(value, bool) or not isinstance(value, int | float | Tensor):
            raise LayerError(f"nn.Constant: expected a number or tensor, got {value}")
        self["value"] = value if isinstance(value, Tensor) else self.tensor(1, fill=value)
        self["nInputDim"] = nInputDim

    def layers(self, net: NetBuilder, x: Value) -> Value:
        blob, shape = self.one(x), self.tensor_field("value").shape
        if len(blob.shape) <= self.integer("nInputDim", len(blob.shape)):
            param = {"shape": {"dim": list(shape)}}
            return net.layer("Parameter", [], weights=[self.bound("value")], parameter_param=param)
        zero = insert(net, self._zeros(net, blob), 1)
        count = math.prod(shape)
        if count > 1:
            zero = net.layer("Tile", zero, tile_param={"tiles": count})
        made = net.layer("Bias", zero, weights=[self.bound("value", (count,))])
        return replace_axes(net, made, 1, 1, shape)

    def _zeros(self, net: NetBuilder, x: Blob) -> Blob:
        """A 0 for each item."""
        if len(x.shape) == 1:
            return net.layer("Power", x, power_param={"scale": 0})
        return net.layer("Reduction", x, reduction_param={"axis": 1, "coeff": 0})


@module("nn.Convert")
class Convert(Container):
    """The axes of the input in another order: ``nn.Convert('bchw', 'bf')``.

    The letters name axes: b is the batch. To ``bf`` the axes of an item become one; to ``b`` the
    first value of the other axis is taken; ``b`` becomes ``bt`` with one value.
    """

    def construct(self, inputShape: str | None = None, outputShape: str | None = None) -> None:
        super().construct()
        if inputShape is None and outputShape is not None:
            raise LayerError("nn.Convert: expected an inputShape beside the outputShape")
        given = "b*" if inputShape is None else inputShape
        wanted = given if outputShape is None else outputShape
        shapes = [each if "b" in each else f"b{each}" for each in (given, wanted)]
        if shapes[0] != shapes[1] and "b*" in shapes:
            raise LayerError("nn.Convert: both shapes are b*, or neither")
        for name, shape in zip(("input", "output"), shapes, strict=True):
            self[f"{name}Shape"] = shape
            self[f"{name}BatchDim"] = shape.index("b") + 1
            self[f"n{name.capitalize()}Dim"] = -1 if shape == "b*" else len(shape)
        if sorted(shapes[0]) == sorted(shapes[1]):
            self["transposition"] = True

    def layers(self, net: NetBuilder, x: Value) -> Value:
        blob, given, wanted = self.one(x), str(self["inputShape"]), str(self["outputShape"])
        if given == wanted:
            return blob
        alone = len(blob.shape) < len(given)
        if alone:
            blob = insert(net, blob, given.index("b"))
        if len(blob.shape) != len(given):
            raise LayerError(f"expected an input of {len(given)} dimensions, {given}, got {blob}")
        y = self._converted(net, blob, given, wanted)
        return drop(net, y, wanted.index("b")) if alone else y

    def _converted(self, net: NetBuilder, x: Blob, given: str, wanted: str) -> Blob:
        batch = given.index("b")
        if sorted(given) == sorted(wanted):
            return permute(net, x, [given.index(letter) for letter in wanted])
        if (wanted == "bf" and given != "bt") or (wanted, given) == ("bt", "b"):
            order = list(range(len(given)))
            order[0], order[batch] = batch, 0
            turned = permute(net, x, order)
            left = len(given) - 1
            return merge(net, turned, 1, left) if left else insert(net, turned, 1)
        if wanted == "b" and given in ("bt", "tb", "bf", "fb"):
            if "f" in given and x.shape[1 - batch] > 1:
                raise LayerError(f"cannot convert {given} to b when there are features: {x}")
            return select(net, x, 1 - batch, 0)
        raise LayerError(f"cannot convert shape {given} to {wanted}")


@module("nn.ArgMax")
class ArgMax(Module):
    """The place of the largest along ``dim``, from 1: of dpnn. It has no gradient."""

    def construct(
        self, dim: int | None = None, nInputDim: int | None = None, asLong: bool | None = None
    ) -> None:
        self["dim"] = whole("dim", dim, 1)
        self["nInputDim"] = whole("nInputDim", nInputDim, 9999)
        self["asLong"] = flag("asLong", asLong, True)
        if self["asLong"]:
            self["output"] = Tensor("Long")

    def layers(self, net: NetBuilder, x: Value) -> Value:
        blob = self.one(x)
        batched = len(blob.shape) > self.integer("nInputDim", 9999)
        axis = dimension(blob, self.integer("dim", 1) + batched)
        place = net.layer("ArgMax", blob, argmax_param={"axis": axis})
        counted = net.layer("Power", place, power_param={"shift": 1})
        return counted if len(blob.shape) == 1 else drop(net, counted, axis)


@module("nn.Clip")
class Clip(Module):
    """Values between two bounds; the gradient passes where they were clipped too: of dpnn."""

    def construct(self, minval: float, maxval: float) -> None:
        self["minval"], self["maxval"] = real("minval", minval), real("maxval", maxval)

    def layers(self, net: NetBuilder, x: Value) -> Value:
        blob = self.one(x)
        bounds = {"min": self.number("minval"), "max": self.number("maxval")}
        clipped = net.layer("Clip", blob, clip_param=bounds)
        # x + (clipped - x), where what is in the parentheses has no gradient
        beyond = net.layer("Eltwise", [clipped, blob], eltwise_param={"coeff": [1, -1]})
        fixed = net.layer("Power", beyond, propagate_down=[False])
        return net.layer("Eltwise", [blob, fixed])
