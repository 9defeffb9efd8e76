"""Other views of the same elements."""

from __future__ import annotations

import math

from protonet.errors import LayerError
from protonet.torch7.builder import NetBuilder, Value
from protonet.torch7.modules.base import Module, lua, module
from protonet.torch7.objects import Tensor, TorchObject


@module("nn.View")
class View(Module):
    """The elements in another shape; -1 stands for what is left, a batch axis is kept."""

    def construct(self, *sizes: int) -> None:
        self["size"] = Tensor.of(list(sizes), "Long")  # type: ignore[arg-type]
        self["numElements"] = abs(math.prod(sizes))

    @lua
    def setNumInputDims(self, numInputDims: int) -> TorchObject:
        """Tell how many axes an item has; returns the module."""
        self["numInputDims"] = numInputDims
        return self.object

    def layers(self, net: NetBuilder, x: Value) -> Value:
        blob = self.one(x)
        sizes = [int(size) for size in self.tensor_field("size").array]
        axes = self.get("numInputDims")
        batched = axes is not None and len(blob.shape) > axes
        count = math.prod(blob.shape[1:]) if batched else math.prod(blob.shape)
        known = math.prod(size for size in sizes if size != -1)
        if count % known or (-1 not in sizes and count != known):
            raise LayerError(f"cannot view {blob} as {'x'.join(map(str, sizes))}")
        return net.layer(
            "Reshape", blob, reshape_param={"shape": {"dim": [0, *sizes] if batched else sizes}}
        )
