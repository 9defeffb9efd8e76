"""Vectors of length 1, and of mean 0."""

from __future__ import annotations

import math
from typing import Any

from protonet.errors import LayerError
from protonet.torch7.arguments import flag, real, whole
from protonet.torch7.builder import Blob, NetBuilder, Value
from protonet.torch7.modules.base import Module, create, module
from protonet.torch7.modules.compounds import filled
from protonet.torch7.modules.containers import Sequential
from protonet.torch7.objects import TorchObject


def normalized(net: NetBuilder, x: Blob, p: float = 2, eps: float = 1e-24) -> Blob:
    """The vectors along the last axis, divided by their p-norm."""
    param = {"axis": len(x.shape) - 1, "p": p, "eps": eps}
    return net.layer("LpNormalization", x, lp_normalization_param=param)


def learned_blob(net: NetBuilder, owner: Module, name: str) -> Blob:
    """A tensor of a module as a blob, for layers that take it as a bottom."""
    shape = list(owner.tensor_field(name).shape)
    return net.layer(
        "Parameter", [], weights=[owner.bound(name)], parameter_param={"shape": {"dim": shape}}
    )


@module("nn.Normalize")
class Normalize(Module):
    """A vector, or each of a batch, is divided by its p-norm."""

    def construct(self, p: float | None = None, eps: float | None = None) -> None:
        self["p"], self["eps"] = real("p", p), real("eps", eps, 1e-10)
        if not self["p"] > 0:
            raise LayerError(f"{self['p']:g}-norm not supported: expected p above 0")

    def layers(self, net: NetBuilder, x: Value) -> Value:
        blob = self.one(x)
        if len(blob.shape) > 2:
            raise LayerError(f"expected vectors, got {blob}")
        return normalized(net, blob, self.number("p"), self.number("eps", 1e-10))


@module("nn.LayerNormalization")
class LayerNormalization(Sequential):
    """A vector has mean 0 and variance 1, then a learned gain and bias.

    Of a batch, Torch7 subtracts the means in another order than that of the vectors, since its
    Replicate takes them for one vector; so does this.
    """

    def construct(
        self,
        nOutput: int | None = None,
        bias: float | None = None,
        eps: float | None = None,
        affine: bool | None = None,
    ) -> None:
        super().construct()
        outputs = whole("nOutput", nOutput, least=1)

        def made(name: str, *arguments: Any) -> TorchObject:
            return create(f"nn.{name}", arguments, self.session)

        mean = filled(
            self, "nn.Sequential", [], [made("Mean", 1, 1), made("Replicate", outputs, 1, 1)]
        )
        parts = [
            filled(self, "nn.ConcatTable", [], [made("Identity"), mean]),
            made("CSubTable"),
            made("Normalize", 2, real("eps", eps, 1e-10)),
            made("MulConstant", math.sqrt(outputs)),
        ]
        if flag("affine", affine, True):
            shift, gain = made("Add", outputs, False), made("CMul", outputs)
            shift.fields["bias"].array[...] = real("bias", bias, 0)
            gain.fields["weight"].array[...] = 1
            parts += [gain, shift]
        self.extend(*parts)
