"""Modules whose inputs are indices, which count from 1 in Torch7."""

from __future__ import annotations

from typing import Any

from protonet.errors import LayerError
from protonet.torch7.arguments import real, whole
from protonet.torch7.builder import Blob, NetBuilder, Value
from protonet.torch7.modules.base import Module, lua, module
from protonet.torch7.objects import TorchObject


def first_index(x: Blob) -> int:
    """What indices count from: 1, as in Torch7, unless they are labels of a database."""
    return 0 if x.base == 0 else 1


@module("nn.LookupTable")
class LookupTable(Module):
    """Each index becomes its row of the weight."""

    def construct(
        self,
        nIndex: int | None = None,
        nOutput: int | None = None,
        paddingValue: int | None = None,
        maxNorm: float | None = None,
        normType: float | None = None,
    ) -> None:
        rows, length = whole("nIndex", nIndex, least=1), whole("nOutput", nOutput, least=1)
        self.with_gradient("weight", rows, length)
        self["paddingValue"] = whole("paddingValue", paddingValue, 0)
        self["maxNorm"] = None if maxNorm is None else real("maxNorm", maxNorm)
        self["normType"] = None if normType is None else real("normType", normType)
        self.reset()

    @lua
    def reset(self, stdv: float | None = None) -> None:
        self.session.random.draw(self["weight"], "normal", 0, 1 if stdv is None else stdv)

    @lua
    def setPadding(self, paddingValue: int) -> TorchObject:
        """The row of this index gets no gradient; returns the module."""
        self["paddingValue"] = whole("paddingValue", paddingValue)
        return self.object

    @lua
    def setMaxNorm(self, maxNorm: float | None = None) -> TorchObject:
        """Rows are scaled to this norm when they are used and longer; returns the module."""
        self["maxNorm"] = None if maxNorm is None else real("maxNorm", maxNorm)
        return self.object

    @lua
    def setNormType(self, normType: float | None = None) -> TorchObject:
        """The p of that norm; returns the module."""
        self["normType"] = None if normType is None else real("normType", normType)
        return self.object

    @lua
    def scaleGradByFreq(self) -> TorchObject:
        """Gradients are divided by the number of uses in a batch; returns the module."""
        self["shouldScaleGradByFreq"] = True
        return self.object

    @lua
    def accUpdateOnly(self) -> TorchObject:
        """Torch7 keeps no gradient then; here it does. Returns the module."""
        self["gradWeight"] = None
        return self.object

    def layers(self, net: NetBuilder, x: Value) -> Value:
        blob, weight = self.one(x), self.tensor_field("weight", axes=2)
        if len(blob.shape) not in (1, 2):
            raise LayerError(f"expected a vector or matrix of indices, got {blob}")
        rows, length = weight.shape
        param: dict[str, Any] = {"input_dim": rows, "num_output": length, "bias_term": False}
        first = first_index(blob)
        padding = self.integer("paddingValue", 0)
        if 1 <= padding <= rows:
            param["padding_index"] = padding - 1 + first
        if self.get("maxNorm") is not None:
            param["max_norm"] = self.number("maxNorm")
            param["norm_type"] = self.number("normType", 2)
        if self.get("shouldScaleGradByFreq"):
            param["scale_grad_by_freq"] = True
        if first:
            param["first_index"] = first
        return net.layer("Embed", blob, weights=[self.bound("weight")], embed_param=param)


@module("nn.OneHot")
class OneHot(Module):
    """Each index becomes a vector of zeros and a one."""

    def construct(self, outputSize: int | None = None) -> None:
        self["outputSize"] = whole("outputSize", outputSize, least=1)

    def layers(self, net: NetBuilder, x: Value) -> Value:
        blob = self.one(x)
        param = {"num_output": self.integer("outputSize"), "first_index": first_index(blob)}
        return net.layer("OneHot", blob, one_hot_param=param)
