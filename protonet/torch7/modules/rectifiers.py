"""Piecewise activations."""

from __future__ import annotations

from protonet.errors import LayerError
from protonet.torch7.arguments import flag, real, whole
from protonet.torch7.axes import insert, replace_axes
from protonet.torch7.builder import NetBuilder, Value
from protonet.torch7.modules.base import Module, create, module
from protonet.torch7.modules.containers import Sequential


@module("nn.ReLU")
class ReLU(Module):
    """``y = max(x, 0)``."""

    def construct(self, p: bool | None = None) -> None:
        self["threshold"], self["val"], self["inplace"] = 0, 0, flag("in-place flag", p)

    def layers(self, net: NetBuilder, x: Value) -> Value:
        return net.layer("ReLU", self.one(x))


@module("nn.ReLU6")
class ReLU6(Module):
    """``y = min(max(x, 0), 6)``."""

    def construct(self, inplace: bool | None = None) -> None:
        self["inplace"] = flag("in-place flag", inplace)

    def layers(self, net: NetBuilder, x: Value) -> Value:
        return net.layer("ReLU6", self.one(x))


@module("nn.LeakyReLU")
class LeakyReLU(Module):
    """``y = x`` where x is above 0, ``negval x`` elsewhere."""

    def construct(self, negval: float | bool | None = None, ip: bool | None = None) -> None:
        # a flag in place of the slope has no effect in Torch7 either
        slope = real("negval", None if isinstance(negval, bool) else negval, 1 / 100)
        self["negval"] = slope
        self["inplace"] = flag("in-place flag", ip) and slope >= 0

    def layers(self, net: NetBuilder, x: Value) -> Value:
        return net.layer(
            "ReLU", self.one(x), relu_param={"negative_slope": self.number("negval", 1 / 100)}
        )


@module("nn.PReLU")
class PReLU(Module):
    """``y = x`` where x is above 0, ``w x`` elsewhere; w for each channel, or one for all."""

    def construct(self, nOutputPlane: int | None = None) -> None:
        planes = whole("nOutputPlane", nOutputPlane, 0, least=0)
        self["nOutputPlane"] = planes
        self.with_gradient("weight", planes or 1).array[...] = 0.25

    def layers(self, net: NetBuilder, x: Value) -> Value:
        blob, planes = self.one(x), self.integer("nOutputPlane")
        flat = len(blob.shape) == 1
        if planes and blob.shape[0 if flat else 1] != planes:
            raise LayerError(f"expected {planes} planes, got {blob}")
        y = net.layer(
            "PReLU",
            insert(net, blob, 0) if flat else blob,
            weights=[self.bound("weight")],
            prelu_param={"channel_shared": not planes},
        )
        return replace_axes(net, y, 0, 1, []) if flat else y


@module("nn.ELU")
class ELU(Module):
    """``y = x`` where x is above 0, ``alpha (exp(x) - 1)`` elsewhere."""

    def construct(self, alpha: float | None = None, inplace: bool | None = None) -> None:
        self["alpha"] = real("alpha", alpha, 1)
        self["inplace"] = flag("in-place flag", inplace)

    def layers(self, net: NetBuilder, x: Value) -> Value:
        return net.layer("ELU", self.one(x), elu_param={"alpha": self.number("alpha", 1)})


@module("nn.CReLU")
class CReLU(Sequential):
    """``y = max([x, -x], 0)``, joined along the channels."""

    def construct(self, nInputDims: int | None = None, inplace: bool | None = None) -> None:
        super().construct()
        self["nInputDims"] = whole("nInputDims", nInputDims, least=1)
        self["inplace"] = flag("in-place flag", inplace)

        def made(name: str, *arguments: object) -> object:
            return create(f"nn.{name}", arguments, self.session)

        both = self.wrap(made("ConcatTable"))
        for each in (made("Identity"), made("MulConstant", -1)):
            both.add(each)  # type: ignore[attr-defined]
        for inside in (both.object, made("JoinTable", 2), made("ReLU", self["inplace"])):
            self.add(inside)  # type: ignore[arg-type]

    def layers(self, net: NetBuilder, x: Value) -> Value:
        blob = self.one(x)
        axis = 1 if len(blob.shape) == self.integer("nInputDims") + 1 else 0
        negative = net.layer("Power", blob, power_param={"scale": -1})
        joined = net.layer("Concat", [blob, negative], concat_param={"axis": axis})
        return net.layer("ReLU", joined)


@module("nn.GatedLinearUnit")
class GatedLinearUnit(Module):
    """``y = a sigmoid(b)``, with the halves a and b of a dimension, by default the last."""

    def construct(self, dim: int | None = None) -> None:
        self["dim"] = None if dim is None else whole("dim", dim, least=1)

    def layers(self, net: NetBuilder, x: Value) -> Value:
        blob = self.one(x)
        dim = self.integer("dim", len(blob.shape))
        if dim > len(blob.shape) or blob.shape[dim - 1] % 2:
            raise LayerError(f"expected an even extent of dimension {dim} to halve, got {blob}")
        a, b = net.layer_of_tops("Slice", blob, 2, slice_param={"axis": dim - 1})
        gate = net.layer("Sigmoid", b)
        return net.layer("Eltwise", [a, gate], eltwise_param={"operation": "PROD"})
