"""Modules that pass their input on, and change its gradient."""

from __future__ import annotations

from protonet.torch7.arguments import flag, real
from protonet.torch7.builder import NetBuilder, Value
from protonet.torch7.modules.base import Module, lua, module


@module("nn.GradientReversal")
class GradientReversal(Module):
    """The gradient is multiplied by -lambda (Ganin and Lempitsky, ICML 2015)."""

    def construct(self, lam: float | None = None) -> None:
        self["lambda"] = real("lambda", lam, 1)

    @lua
    def setLambda(self, lam: float) -> None:
        """Set another lambda."""
        self["lambda"] = real("lambda", lam)

    def layers(self, net: NetBuilder, x: Value) -> Value:
        param = {"scale": -self.number("lambda", 1)}
        return net.layer("GradientScale", self.one(x), gradient_scale_param=param)


@module("nn.L1Penalty")
class L1Penalty(Module):
    """The sum of the absolute values is part of the objective, times a weight; with
    ``sizeAverage`` their mean. Unless ``provideOutput``, what follows gives no gradient.
    """

    def construct(
        self,
        l1weight: float | None = None,
        sizeAverage: bool | None = None,
        provideOutput: bool | None = None,
    ) -> None:
        self["l1weight"] = real("l1weight", l1weight)
        self["sizeAverage"] = flag("sizeAverage", sizeAverage)
        self["provideOutput"] = flag("provideOutput", provideOutput, True)

    def layers(self, net: NetBuilder, x: Value) -> Value:
        blob, weight = self.one(x), self.number("l1weight")
        with net.with_labels():
            if self.get("sizeAverage"):
                size, operation = net.layer("AbsVal", blob), "MEAN"
            else:
                size, operation = blob, "ASUM"
            param = {"operation": operation, "axis": 0}
            net.layer("Reduction", size, reduction_param=param, loss_weight=[weight])
        if self.get("provideOutput", True):
            return blob
        return net.layer("GradientScale", blob, gradient_scale_param={"scale": 0})
