"""Functions of each element."""

from __future__ import annotations

from protonet.torch7.builder import NetBuilder, Value
from protonet.torch7.modules.base import Module, module


@module("nn.MulConstant")
class MulConstant(Module):
    """``y = c x``."""

    def construct(self, constant_scalar: float, ip: bool | None = None) -> None:
        self["constant_scalar"] = constant_scalar
        self["inplace"] = bool(ip)

    def layers(self, net: NetBuilder, x: Value) -> Value:
        return net.layer(
            "Power", self.one(x), power_param={"scale": self.number("constant_scalar")}
        )
