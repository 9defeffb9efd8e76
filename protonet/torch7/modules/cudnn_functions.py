"""Functions of cudnn.torch whose fields, or axes, are not those of nn."""

from __future__ import annotations

from typing import ClassVar

from protonet.errors import LayerError
from protonet.torch7.arguments import flag, real
from protonet.torch7.axes import merge, replace_axes
from protonet.torch7.builder import NetBuilder, Value
from protonet.torch7.modules.base import Module, create, module


class CudnnPointwise(Module):
    """A function of each value that may work in place."""

    kind: ClassVar[str] = ""

    def construct(self, inplace: bool | None = None) -> None:
        self["inplace"] = flag("inplace", inplace)

    def layers(self, net: NetBuilder, x: Value) -> Value:
        return net.layer(self.kind, self.one(x))


@module("cudnn.ReLU")
class CudnnReLU(CudnnPointwise):
    """``y = max(x, 0)``."""

    kind = "ReLU"


@module("cudnn.Tanh")
class CudnnTanh(CudnnPointwise):
    """``y = tanh(x)``."""

    kind = "TanH"


@module("cudnn.Sigmoid")
class CudnnSigmoid(CudnnPointwise):
    """``y = 1 / (1 + exp(-x))``."""

    kind = "Sigmoid"


@module("cudnn.ClippedReLU")
class ClippedReLU(Module):
    """``y = min(max(x, 0), ceiling)``."""

    def construct(self, ceiling: float | None = None, inplace: bool | None = None) -> None:
        self["ceiling"], self["inplace"] = real("ceiling", ceiling), flag("inplace", inplace)
        if not self["ceiling"] > 0:
            raise LayerError(f"expected a ceiling above 0, got {self['ceiling']:g}")

    def layers(self, net: NetBuilder, x: Value) -> Value:
        param = {"min": 0, "max": self.number("ceiling"), "zero_slope_at_bounds": True}
        return net.layer("Clip", self.one(x), clip_param=param)


class CudnnSoftmax(Module):
    """A softmax, along the channels or over all values of an item."""

    kind: ClassVar[str] = "Softmax"
    mode: ClassVar[str | None] = None
    item_axes: ClassVar[int] = 3
    whole: ClassVar[bool] = False

    def construct(self, fast: bool | None = None) -> None:
        fine = "FAST" if flag("fast", fast) else "ACCURATE"
        self["algorithm"] = f"CUDNN_SOFTMAX_{'LOG' if self.mode else fine}"
        self["mode"] = self.mode

    def layers(self, net: NetBuilder, x: Value) -> Value:
        blob = self.one(x)
        count = len(blob.shape)
        if count not in (1, 2, self.item_axes, self.item_axes + 1):
            raise LayerError(
                f"expected vectors, or items of {self.item_axes} dimensions, got {blob}"
            )
        axis = 0 if count in (1, self.item_axes) else 1
        if not self.whole or count - axis == 1:
            return net.layer(self.kind, blob, softmax_param={"axis": axis})
        y = net.layer(self.kind, merge(net, blob, axis, count - axis), softmax_param={"axis": axis})
        return replace_axes(net, y, axis, 1, blob.shape[axis:])


@module("cudnn.SpatialSoftMax")
class CudnnSpatialSoftMax(CudnnSoftmax):
    """Along the channels."""


@module("cudnn.SpatialLogSoftMax")
class CudnnSpatialLogSoftMax(CudnnSoftmax):
    """The logarithm, along the channels."""

    kind, mode = "LogSoftmax", "CUDNN_SOFTMAX_MODE_CHANNEL"


@module("cudnn.SoftMax")
class CudnnSoftMax(CudnnSoftmax):
    """Over all values of an item; nn's goes along the channels."""

    whole = True


@module("cudnn.LogSoftMax")
class CudnnLogSoftMax(CudnnSoftmax):
    """The logarithm, over all values of an item; nn's goes along the channels."""

    kind, whole = "LogSoftmax", True


@module("cudnn.VolumetricSoftMax")
class VolumetricSoftMax(CudnnSoftmax):
    """Along the channels of volumes."""

    item_axes = 4
    inside: ClassVar[str] = "cudnn.SpatialSoftMax"

    def construct(self, fast: bool | None = None) -> None:
        self["ssm"] = create(self.inside, [fast], self.session)


@module("cudnn.VolumetricLogSoftMax")
class VolumetricLogSoftMax(VolumetricSoftMax):
    """The logarithm, along the channels of volumes."""

    kind, inside = "LogSoftmax", "cudnn.SpatialLogSoftMax"
