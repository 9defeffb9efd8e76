"""Functions of each element, without bends."""

from __future__ import annotations

from typing import Any, ClassVar

from protonet.errors import LayerError
from protonet.torch7.arguments import flag, real
from protonet.torch7.builder import NetBuilder, Value
from protonet.torch7.modules.base import Module, create, module
from protonet.torch7.objects import Tensor


class Pointwise(Module):
    """A module that is one layer without a choice."""

    kind: ClassVar[str] = ""

    def construct(self) -> None:
        """No arguments."""

    def layers(self, net: NetBuilder, x: Value) -> Value:
        return net.layer(self.kind, self.one(x))


@module("nn.Abs")
class Abs(Pointwise):
    """``y = |x|``."""

    kind = "AbsVal"


@module("nn.Exp")
class Exp(Pointwise):
    """``y = exp(x)``."""

    kind = "Exp"


@module("nn.Log")
class Log(Pointwise):
    """``y = log(x)``."""

    kind = "Log"


@module("nn.Tanh")
class Tanh(Pointwise):
    """``y = tanh(x)``."""

    kind = "TanH"


@module("nn.Sigmoid")
class Sigmoid(Pointwise):
    """``y = 1 / (1 + exp(-x))``."""

    kind = "Sigmoid"


@module("nn.Square")
class Square(Module):
    """``y = x^2``."""

    def construct(self, args: Any = None) -> None:
        """The argument has no effect."""

    def layers(self, net: NetBuilder, x: Value) -> Value:
        return net.layer("Power", self.one(x), power_param={"power": 2})


@module("nn.Power")
class Power(Module):
    """``y = x^p``."""

    def construct(self, p: float | None = None) -> None:
        self["pow"] = real("nn.Power(power)", p)

    def layers(self, net: NetBuilder, x: Value) -> Value:
        return net.layer("Power", self.one(x), power_param={"power": self.number("pow")})


@module("nn.MulConstant")
class MulConstant(Module):
    """``y = c x``."""

    def construct(self, constant_scalar: float | None = None, ip: bool | None = None) -> None:
        self["constant_scalar"] = real("constant_scalar", constant_scalar)
        self["inplace"] = flag("in-place flag", ip)

    def layers(self, net: NetBuilder, x: Value) -> Value:
        return net.layer(
            "Power", self.one(x), power_param={"scale": self.number("constant_scalar")}
        )


@module("nn.AddConstant")
class AddConstant(Module):
    """``y = x + c``, with a number c, or a vector of the extent of the last dimension."""

    def construct(self, constant_scalar: Any = None, ip: bool | None = None) -> None:
        if not isinstance(constant_scalar, Tensor):
            constant_scalar = real("constant_scalar", constant_scalar)
        self["constant_scalar"] = constant_scalar
        self["inplace"] = flag("in-place flag", ip)

    def layers(self, net: NetBuilder, x: Value) -> Value:
        blob, constant = self.one(x), self["constant_scalar"]
        if not isinstance(constant, Tensor):
            return net.layer("Power", blob, power_param={"shift": self.number("constant_scalar")})
        if len(blob.shape) > 2 or blob.shape[-1] != constant.count:
            raise LayerError(f"expected vectors of {constant.count}, as the constant, got {blob}")
        axis = len(blob.shape) - 1
        return net.layer(
            "Bias", blob, weights=[self.bound("constant_scalar")], bias_param={"axis": axis}
        )


@module("nn.TanhShrink")
class TanhShrink(Module):
    """``y = x - tanh(x)``."""

    def construct(self) -> None:
        self["tanh"] = create("nn.Tanh", [], self.session)

    def layers(self, net: NetBuilder, x: Value) -> Value:
        blob = self.one(x)
        y = net.layer("TanH", blob)
        return net.layer("Eltwise", [blob, y], eltwise_param={"coeff": [1, -1]})


@module("nn.Sqrt")
class Sqrt(Module):
    """The square root, of slope 0 at 0. What the argument says has no effect, as in Torch7."""

    def construct(self, b: float | None = None) -> None:
        self["eps"] = real("eps", b, 0)

    def layers(self, net: NetBuilder, x: Value) -> Value:
        return net.layer("Elementwise", self.one(x), elementwise_param={"operation": "SQRT"})


@module("nn.SoftSign")
class SoftSign(Module):
    """``y = x / (1 + |x|)``."""

    def construct(self) -> None:
        """No arguments."""

    def layers(self, net: NetBuilder, x: Value) -> Value:
        return net.layer("Elementwise", self.one(x), elementwise_param={"operation": "SOFTSIGN"})


@module("nn.SoftPlus")
class SoftPlus(Module):
    """``y = log(1 + exp(beta x)) / beta``."""

    def construct(self, beta: float | None = None) -> None:
        self["beta"] = real("beta", beta, 1)
        self["threshold"] = 20

    def layers(self, net: NetBuilder, x: Value) -> Value:
        beta = self.number("beta", 1)
        if beta == 1:
            return net.layer("BNLL", self.one(x))
        param = {"operation": "SOFTPLUS", "beta": beta}
        return net.layer("Elementwise", self.one(x), elementwise_param=param)


@module("nn.LogSigmoid")
class LogSigmoid(Module):
    """``y = log(sigmoid(x))``."""

    def construct(self) -> None:
        """No arguments."""

    def layers(self, net: NetBuilder, x: Value) -> Value:
        return net.layer("Elementwise", self.one(x), elementwise_param={"operation": "LOG_SIGMOID"})


class SoftMaxLike(Module):
    """A function along the channels: those of a vector, of a map, or of a batch of either."""

    def construct(self) -> None:
        """No arguments."""

    def axis_of(self, shape: tuple[int, ...]) -> int:
        """The axis of the channels."""
        if not 1 <= len(shape) <= 4:
            raise LayerError(f"expected an input of 1 to 4 dimensions, got {len(shape)}")
        return 1 - len(shape) % 2


@module("nn.SoftMax", "nn.SpatialSoftMax")
class SoftMax(SoftMaxLike):
    """``y = exp(x) / sum(exp(x))`` along the channels."""

    def layers(self, net: NetBuilder, x: Value) -> Value:
        blob = self.one(x)
        return net.layer("Softmax", blob, softmax_param={"axis": self.axis_of(blob.shape)})


@module("nn.LogSoftMax", "nn.SpatialLogSoftMax")
class LogSoftMax(SoftMaxLike):
    """``y = x - log(sum(exp(x)))`` along the channels."""

    def layers(self, net: NetBuilder, x: Value) -> Value:
        blob = self.one(x)
        return net.layer("LogSoftmax", blob, softmax_param={"axis": self.axis_of(blob.shape)})


@module("nn.SoftMin")
class SoftMin(SoftMaxLike):
    """``y = exp(-x) / sum(exp(-x))`` along the channels."""

    def layers(self, net: NetBuilder, x: Value) -> Value:
        blob = net.layer("Power", self.one(x), power_param={"scale": -1})
        return net.layer("Softmax", blob, softmax_param={"axis": self.axis_of(blob.shape)})
