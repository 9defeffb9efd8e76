"""Poolings of volumes."""

from __future__ import annotations

import math

from protonet.torch7.builder import Blob, NetBuilder, Value
from protonet.torch7.modules.base import module
from protonet.torch7.modules.pooling import Pooling, Unpooling
from protonet.torch7.objects import Tensor


class VolumetricPooling(Pooling):
    """Base: windows over frames, rows and columns."""

    axes = "THW"

    def construct(
        self,
        kT: int,
        kW: int,
        kH: int,
        dT: int | None = None,
        dW: int | None = None,
        dH: int | None = None,
        padT: int | None = None,
        padW: int | None = None,
        padH: int | None = None,
    ) -> None:
        numbers = {"kT": kT, "kW": kW, "kH": kH, "dT": dT, "dW": dW, "dH": dH}
        self.windows({**numbers, "padT": padT, "padW": padW, "padH": padH})


@module("nn.VolumetricMaxPooling")
class VolumetricMaxPooling(VolumetricPooling):
    """The greatest value of each window."""

    def construct(
        self,
        kT: int,
        kW: int,
        kH: int,
        dT: int | None = None,
        dW: int | None = None,
        dH: int | None = None,
        padT: int | None = None,
        padW: int | None = None,
        padH: int | None = None,
    ) -> None:
        super().construct(kT, kW, kH, dT, dW, dH, padT, padW, padH)
        self["indices"] = Tensor("Long")

    def layers(self, net: NetBuilder, x: Value) -> Value:
        return self.pool(net, x, "MAX")


@module("nn.VolumetricDilatedMaxPooling")
class VolumetricDilatedMaxPooling(VolumetricMaxPooling):
    """The greatest of values that are apart."""

    def construct(
        self,
        kT: int,
        kW: int,
        kH: int,
        dT: int | None = None,
        dW: int | None = None,
        dH: int | None = None,
        padT: int | None = None,
        padW: int | None = None,
        padH: int | None = None,
        dilationT: int | None = None,
        dilationW: int | None = None,
        dilationH: int | None = None,
    ) -> None:
        super().construct(kT, kW, kH, dT, dW, dH, padT, padW, padH)
        self.steps(dilationT=dilationT, dilationW=dilationW, dilationH=dilationH)


@module("cudnn.VolumetricAveragePooling")
class CudnnVolumetricAveragePooling(VolumetricPooling):
    """The mean of each window, the padding counted."""

    def layers(self, net: NetBuilder, x: Value) -> Value:
        return self.pool(net, x, "AVE")


@module("nn.VolumetricAveragePooling")
class VolumetricAveragePooling(VolumetricPooling):
    """The mean of each window."""

    def construct(  # type: ignore[override]  # it takes what Torch7's takes
        self,
        kT: int,
        kW: int,
        kH: int,
        dT: int | None = None,
        dW: int | None = None,
        dH: int | None = None,
    ) -> None:
        super().construct(kT, kW, kH, dT, dW, dH)
        for name in ("padT", "padW", "padH", "ceil_mode"):
            self.object.fields.pop(name)

    def layers(self, net: NetBuilder, x: Value) -> Value:
        return self.pool(net, x, "AVE")


@module("nn.VolumetricMaxUnpooling")
class VolumetricMaxUnpooling(Unpooling):
    """The inverse of a VolumetricMaxPooling: each value where that found its maximum."""

    axes = "THW"
    undoes = "nn.VolumetricMaxPooling"

    def layers(self, net: NetBuilder, x: Value) -> Value:
        blob, mask, whole, undone = self.pooled(net, x)
        frames, *plane = whole.shape[2:]
        values = _frames(net, blob)
        y = net.layer(
            "Upsample",
            [values, _frames(net, mask)],
            upsample_param={"upsample_h": frames, "upsample_w": math.prod(plane)},
        )
        dims = [0, 0, 0, *plane]
        return undone(net.layer("Reshape", y, reshape_param={"shape": {"dim": dims}}))


def _frames(net: NetBuilder, blob: Blob) -> Blob:
    """Volumes as planes: a row for each frame."""
    return net.layer("Reshape", blob, reshape_param={"shape": {"dim": [0, 0, 0, -1]}})
