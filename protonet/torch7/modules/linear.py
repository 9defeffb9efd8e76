"""Products with weights."""

from __future__ import annotations

import math

from protonet.errors import LayerError
from protonet.torch7.arguments import flag, whole
from protonet.torch7.builder import NetBuilder, Value
from protonet.torch7.modules.base import Module, lua, module
from protonet.torch7.objects import TorchObject


@module("nn.Linear")
class Linear(Module):
    """``y = x W' + b`` over the last axis of one or two."""

    def construct(
        self,
        inputSize: int | None = None,
        outputSize: int | None = None,
        bias: bool | None = None,
    ) -> None:
        inputs = whole("inputSize", inputSize, least=1)
        outputs = whole("outputSize", outputSize, least=1)
        self.with_gradient("weight", outputs, inputs)
        if flag("bias", bias, True):
            self.with_gradient("bias", outputs)
        self.reset()

    @lua
    def noBias(self) -> TorchObject:
        """Remove the bias; returns the module."""
        self["bias"] = self["gradBias"] = None
        return self.object

    @lua
    def reset(self, stdv: float | None = None) -> None:
        inputs = self["weight"].shape[1]
        bound = stdv * math.sqrt(3) if stdv is not None else 1 / math.sqrt(inputs)
        self.uniform("weight", bound)
        self.uniform("bias", bound)

    def layers(self, net: NetBuilder, x: Value) -> Value:
        weight = self.tensor_field("weight")
        blob = self.one(x)
        if len(blob.shape) not in (1, 2) or blob.shape[-1] != weight.shape[1]:
            raise LayerError(f"expected vectors of {weight.shape[1]}, got {blob}")
        has_bias = self.get("bias") is not None
        return net.layer(
            "InnerProduct",
            blob,
            weights=[self.bound("weight")] + ([self.bound("bias")] if has_bias else []),
            inner_product_param={
                "num_output": weight.shape[0],
                "bias_term": has_bias,
                "axis": len(blob.shape) - 1,
            },
        )
