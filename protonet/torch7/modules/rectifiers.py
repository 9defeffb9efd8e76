"""Piecewise activations."""

from __future__ import annotations

from typing import ClassVar

from protonet.errors import LayerError
from protonet.torch7.arguments import flag, real, whole
from protonet.torch7.axes import insert, replace_axes
from protonet.torch7.builder import NetBuilder, Value
from protonet.torch7.modules.base import Module, create, module
from protonet.torch7.modules.compounds import filled
from protonet.torch7.modules.containers import Sequential
from protonet.torch7.objects import Tensor


class Thresholding(Module):
    """``y = x`` where x is above a threshold, a value elsewhere."""

    def fill(self, threshold: float, value: float, inplace: bool | None) -> None:
        """Set the fields."""
        self["threshold"], self["val"] = threshold, value
        self["inplace"] = flag("in-place flag", inplace)
        if self["inplace"] and value > threshold:
            raise LayerError(
                f"in-place processing requires value ({value:g}) not exceed threshold "
                f"({threshold:g})"
            )

    def layers(self, net: NetBuilder, x: Value) -> Value:
        threshold, value = self.number("threshold", 1e-6), self.number("val", 0)
        if threshold == value == 0:
            return net.layer("ReLU", self.one(x))
        param = {"operation": "THRESHOLD", "threshold": threshold, "value": value}
        return net.layer("Elementwise", self.one(x), elementwise_param=param)


@module("nn.Threshold")
class Threshold(Thresholding):
    """``y = x`` where x is above a threshold, a value elsewhere."""

    def construct(
        self, th: float | None = None, v: float | None = None, ip: bool | None = None
    ) -> None:
        self.fill(real("threshold", th, 1e-6), real("value", v, 0), ip)


@module("nn.ReLU")
class ReLU(Thresholding):
    """``y = max(x, 0)``."""

    def construct(self, p: bool | None = None) -> None:
        self.fill(0, 0, p)


class Bounded(Module):
    """``y = x`` between two bounds, the bound beyond; on a bound the slope is 0."""

    def fill(self, low: float | None, high: float | None, inplace: bool | None = None) -> None:
        """Set the fields."""
        least, most = real("min_value", low, -1), real("max_value", high, 1)
        if not most > least:
            raise LayerError(f"max_value must be larger than min_value, got {most:g} and {least:g}")
        self["min_val"], self["max_val"] = least, most
        self["inplace"] = flag("in-place flag", inplace)

    def layers(self, net: NetBuilder, x: Value) -> Value:
        low, high = self.number("min_val", -1), self.number("max_val", 1)
        param = {"min": low, "max": high, "zero_slope_at_bounds": True}
        return net.layer("Clip", self.one(x), clip_param=param)


@module("nn.HardTanh")
class HardTanh(Bounded):
    """``y = x`` between two bounds, by default -1 and 1."""

    def construct(
        self,
        min_value: float | None = None,
        max_value: float | None = None,
        inplace: bool | None = None,
    ) -> None:
        self.fill(min_value, max_value, inplace)


@module("nn.Clamp")
class Clamp(Bounded):
    """As HardTanh, never in place."""

    def construct(self, min_value: float | None = None, max_value: float | None = None) -> None:
        self.fill(min_value, max_value)


class Shrink(Module):
    """0 where x is not beyond lambda."""

    operation: ClassVar[str] = ""

    def construct(self, lam: float | None = None) -> None:
        self["lambda"] = real("lambda", lam, 0.5)

    def layers(self, net: NetBuilder, x: Value) -> Value:
        param = {"operation": self.operation, "lambda": self.number("lambda", 0.5)}
        return net.layer("Elementwise", self.one(x), elementwise_param=param)


@module("nn.HardShrink")
class HardShrink(Shrink):
    """``y = x`` beyond lambda, 0 between."""

    operation = "HARD_SHRINK"


@module("nn.SoftShrink")
class SoftShrink(Shrink):
    """``y = x`` less lambda beyond it, 0 between."""

    operation = "SOFT_SHRINK"


@module("nn.RReLU")
class RReLU(Module):
    """``y = x`` where x is above 0, ``a x`` elsewhere; a is drawn in training."""

    def construct(
        self,
        lower: float | None = None,
        upper: float | None = None,
        inplace: bool | None = None,
    ) -> None:
        lower, upper = real("lower", lower, 1 / 8), real("upper", upper, 1 / 3)
        if not 0 <= lower <= upper:
            raise LayerError(f"expected 0 <= lower <= upper, got {lower:g} and {upper:g}")
        self["lower"], self["upper"] = lower, upper
        self["noise"] = Tensor(self.session.kind)
        self["train"] = True
        self["inplace"] = flag("in-place flag", inplace)

    def layers(self, net: NetBuilder, x: Value) -> Value:
        param = {"lower": self.number("lower", 1 / 8), "upper": self.number("upper", 1 / 3)}
        return net.layer("RReLU", self.one(x), rrelu_param=param)


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
        self.with_gradient("weight", planes or 1)
        self["weight"] = self.tensor(planes or 1, fill=0.25)

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

        both = [
            create("nn.Identity", [], self.session),
            create("nn.MulConstant", [-1], self.session),
        ]
        self.extend(
            filled(self, "nn.ConcatTable", [], both),
            create("nn.JoinTable", [2], self.session),
            create("nn.ReLU", [self["inplace"]], self.session),
        )

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
