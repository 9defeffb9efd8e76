"""Sums and products with a learned tensor."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from protonet.errors import LayerError
from protonet.torch7.arguments import flag, whole
from protonet.torch7.builder import Blob, NetBuilder, Value
from protonet.torch7.modules.base import Module, lua, module
from protonet.torch7.modules.norms import learned_blob
from protonet.torch7.modules.shapes import longs, sizes_of
from protonet.torch7.objects import Storage


class Operand(Module):
    """A module with one learned tensor, which is broadcast to the input."""

    field: ClassVar[str] = ""
    kind: ClassVar[str] = ""
    """The layer whose parameter covers axes that follow each other."""
    general: ClassVar[str] = ""
    """The layer of two blobs that broadcasts along any axes."""

    @lua
    def reset(self, stdv: float | None = None) -> None:
        count = self[self.field].count
        self.uniform(self.field, stdv * math.sqrt(3) if stdv is not None else 1 / math.sqrt(count))

    def over(self, net: NetBuilder, x: Blob, axis: int, axes: int) -> Blob:
        """The layer, with the tensor along ``axes`` axes from ``axis`` on; -1: all, 0: a number."""
        param: dict[str, Any] = {
            f"{self.kind.lower()}_param": {"axis": axis, "num_axes": axes},
        }
        return net.layer(self.kind, x, weights=[self.bound(self.field)], **param)

    def broadcast(self, net: NetBuilder, x: Blob) -> Blob:
        """The tensor's extents are those of the input, or 1."""
        small = self.tensor_field(self.field).shape
        if any(extent not in (1, whole) for extent, whole in zip(small, x.shape, strict=True)):
            raise LayerError(f"expected extents that are 1 or those of {x}, got {_text(small)}")
        wide = [axis for axis, extent in enumerate(small) if extent != 1]
        if not wide:
            return self.over(net, x, 0, 0)
        first, last = wide[0], wide[-1]
        if small[first : last + 1] == x.shape[first : last + 1]:
            return self.over(net, x, first, last - first + 1)
        return net.layer(self.general, [x, learned_blob(net, self, self.field)])


def _text(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))


class Componentwise(Operand):
    """The tensor is as large as the input, or as an item of it, or is expanded to it."""

    def construct(self, *sizes: Any) -> None:
        extents = sizes_of(sizes)
        if not extents or min(extents) < 1:
            raise LayerError(f"expected sizes of 1 or more, got {_text(tuple(extents)) or 'none'}")
        self["size"] = longs(extents)
        self.with_gradient(self.field, *extents)
        self["output"] = self.tensor(*extents)
        self.reset()

    def layers(self, net: NetBuilder, x: Value) -> Value:
        blob, tensor = self.one(x), self.tensor_field(self.field)
        if math.prod(blob.shape) == tensor.count:
            return self.over(net, blob, 0, -1)
        if len(blob.shape) == len(tensor.shape):
            return self.broadcast(net, blob)
        if tensor.count == 1:
            return self.over(net, blob, 0, 0)
        if len(blob.shape) < 2 or math.prod(blob.shape[1:]) != tensor.count:
            raise LayerError(
                f"{self.field} is {_text(tensor.shape)}: expected items of {tensor.count} values, "
                f"got {blob}"
            )
        return self.over(net, blob, 1, -1)


@module("nn.CMul")
class CMul(Componentwise):
    """``y = w x``, componentwise."""

    field, kind, general = "weight", "Scale", "Mul"


@module("nn.CAdd")
class CAdd(Componentwise):
    """``y = x + b``, componentwise."""

    field, kind, general = "bias", "Bias", "Add"


@module("nn.Mul")
class Mul(Operand):
    """``y = w x``, with one number w."""

    field, kind = "weight", "Scale"

    def construct(self) -> None:
        self.with_gradient("weight", 1)
        self.reset()

    def layers(self, net: NetBuilder, x: Value) -> Value:
        return self.over(net, self.one(x), 0, 0)


@module("nn.Add")
class Add(Operand):
    """``y = x + b``, with a b for each value of an item, or with ``scalar`` one for all."""

    field, kind = "bias", "Bias"

    def construct(self, inputSize: Any = None, scalar: bool | None = None) -> None:
        if isinstance(inputSize, Storage):
            extents = [whole("inputSize", each, least=1) for each in sizes_of((inputSize,))]
        else:
            extents = [whole("inputSize", 1 if scalar else inputSize, least=1)]
        self["scalar"] = None if scalar is None else flag("scalar", scalar)
        self.with_gradient("bias", *([1] if scalar else extents))
        self["_ones"] = self.tensor(1, fill=1)
        self.reset()

    @lua
    def reset(self, stdv: float | None = None) -> None:
        first = self["bias"].shape[0]
        self.uniform("bias", stdv * math.sqrt(3) if stdv is not None else 1 / math.sqrt(first))

    def layers(self, net: NetBuilder, x: Value) -> Value:
        blob, bias = self.one(x), self.tensor_field("bias")
        if self.get("scalar"):
            return self.over(net, blob, 0, 0)
        if blob.shape == bias.shape:
            return self.over(net, blob, 0, -1)
        if len(blob.shape) < 2 or math.prod(blob.shape[1:]) != bias.count:
            raise LayerError(f"expected items of {bias.count} values, got {blob}")
        return self.over(net, blob, 1, -1)
