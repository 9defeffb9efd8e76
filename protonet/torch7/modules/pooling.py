"""Poolings of planes, and the inverse of one."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar

from protonet.errors import LayerError
from protonet.torch7.builder import Blob, NetBuilder, Value
from protonet.torch7.modules.base import create, lua, module
from protonet.torch7.modules.containers import Sequential
from protonet.torch7.modules.sliding import Sliding, with_batch
from protonet.torch7.objects import Storage, Tensor, TorchObject


class Pooling(Sliding):
    """Base: windows, their rounding, and the settings of the layers Pooling and Pooling3D."""

    stride_is_kernel: ClassVar[bool] = True
    """Whether a missing stride is the kernel's extent, and not 1."""

    def windows(self, numbers: dict[str, Any]) -> None:
        """Set the fields of the windows; nil strides and pads have their defaults."""
        for axis in self.axes:
            kernel, stride = numbers[f"k{axis}"], numbers.get(f"d{axis}")
            default = kernel if self.stride_is_kernel else 1
            pad = numbers.get(f"pad{axis}")
            self.whole(1, **{f"k{axis}": kernel, f"d{axis}": default if stride is None else stride})
            self.whole(0, **{f"pad{axis}": 0 if pad is None else pad})
        self["ceil_mode"] = False

    @lua
    def ceil(self) -> TorchObject:
        """Windows may reach over the end; returns the module."""
        self["ceil_mode"] = True
        return self.object

    @lua
    def floor(self) -> TorchObject:
        """Windows may not reach over the end; returns the module."""
        self["ceil_mode"] = False
        return self.object

    def settings(self, method: str) -> dict[str, Any]:
        """``pooling_param``."""
        kernel, stride, pad = self.extents("k"), self.extents("d"), self.extents("pad", 0)
        for axis, k, p in zip(self.axes, kernel, pad, strict=True):
            if p > k // 2:
                raise LayerError(f"pad{axis} must be at most half of the kernel, {k}, got {p}")
        found: dict[str, Any] = {"pool": method}
        if not self.get("ceil_mode", False):
            found["round_mode"] = "FLOOR"
        apart = self.extents("dilation", 1)
        if len(self.axes) > 2:
            for name, numbers in (("kernel", kernel), ("stride", stride), ("pad", pad)):
                found[f"{name}_shape"] = {"dim": numbers}
            if max(apart) > 1:
                found["dilation_shape"] = {"dim": apart}
            return found
        if max(apart) > 1:
            found.update(dilation_h=apart[0], dilation_w=apart[1])
        for name, (height, width) in (("kernel", kernel), ("stride", stride), ("pad", pad)):
            both = "kernel_size" if name == "kernel" else name
            each = {f"{name}_h": height, f"{name}_w": width}
            found.update({both: height} if height == width else each)
        return found

    def pool(self, net: NetBuilder, x: Value, method: str) -> Value:
        """Add the layer."""
        blob, undone = with_batch(net, self.one(x), len(self.axes) + 2)
        kind = "Pooling" if len(self.axes) == 2 else "Pooling3D"
        y = net.layer(kind, blob, pooling_param=self.settings(method))
        net.notes[id(self.object)] = (y, blob)
        return undone(y)


@module("nn.SpatialMaxPooling")
class SpatialMaxPooling(Pooling):
    """The greatest value of each window."""

    def construct(
        self,
        kW: int,
        kH: int,
        dW: int | None = None,
        dH: int | None = None,
        padW: int | None = None,
        padH: int | None = None,
    ) -> None:
        numbers = {"kW": kW, "kH": kH, "dW": dW, "dH": dH, "padW": padW, "padH": padH}
        self.windows(numbers)
        self["indices"] = Tensor("Long")

    def layers(self, net: NetBuilder, x: Value) -> Value:
        return self.pool(net, x, "MAX")


@module("nn.SpatialDilatedMaxPooling")
class SpatialDilatedMaxPooling(SpatialMaxPooling):
    """The greatest of values that are apart."""

    def construct(
        self,
        kW: int,
        kH: int,
        dW: int | None = None,
        dH: int | None = None,
        padW: int | None = None,
        padH: int | None = None,
        dilationW: int | None = None,
        dilationH: int | None = None,
    ) -> None:
        super().construct(kW, kH, dW, dH, padW, padH)
        self.whole(1, dilationW=1 if dilationW is None else dilationW)
        self.whole(1, dilationH=1 if dilationH is None else dilationH)


@module("nn.SpatialAveragePooling")
class SpatialAveragePooling(Pooling):
    """The mean of each window, or with a false ``divide`` its sum."""

    stride_is_kernel = False

    def construct(
        self,
        kW: int,
        kH: int,
        dW: int | None = None,
        dH: int | None = None,
        padW: int | None = None,
        padH: int | None = None,
    ) -> None:
        numbers = {"kW": kW, "kH": kH, "dW": dW, "dH": dH, "padW": padW, "padH": padH}
        self.windows(numbers)
        self["count_include_pad"] = True
        self["divide"] = True

    @lua
    def setCountIncludePad(self) -> TorchObject:
        """Means count the padding; returns the module."""
        self["count_include_pad"] = True
        return self.object

    @lua
    def setCountExcludePad(self) -> TorchObject:
        """Means do not count the padding; returns the module."""
        self["count_include_pad"] = False
        return self.object

    def layers(self, net: NetBuilder, x: Value) -> Value:
        counts = self.get("count_include_pad", True) or not any(self.extents("pad", 0))
        y = self.pool(net, x, "AVE" if counts else "AVE_EXC_PAD")
        if self.get("divide", False):
            return y
        return net.layer("Power", self.one(y), power_param={"scale": math.prod(self.extents("k"))})


class CudnnPooling(Pooling):
    """Base: poolings of cudnn, which have neither indices nor ways to count the padding."""

    def construct(
        self,
        kW: int,
        kH: int,
        dW: int | None = None,
        dH: int | None = None,
        padW: int | None = None,
        padH: int | None = None,
    ) -> None:
        numbers = {"kW": kW, "kH": kH, "dW": dW, "dH": dH, "padW": padW, "padH": padH}
        self.windows(numbers)
        self["iSize"] = Storage("Long", 4)


@module("cudnn.SpatialMaxPooling")
class CudnnMaxPooling(CudnnPooling):
    """SpatialMaxPooling of cudnn."""

    def layers(self, net: NetBuilder, x: Value) -> Value:
        return self.pool(net, x, "MAX")


@module("cudnn.SpatialAveragePooling")
class CudnnAveragePooling(CudnnPooling):
    """SpatialAveragePooling of cudnn: its stride is the kernel's extent by default, and the padding
    counts.
    """

    def layers(self, net: NetBuilder, x: Value) -> Value:
        return self.pool(net, x, "AVE")


class AdaptivePooling(Sliding):
    """Base: windows by the size of the output."""

    method: ClassVar[str]

    def construct(self, W: int, H: int) -> None:
        self.whole(1, W=W, H=H)

    def layers(self, net: NetBuilder, x: Value) -> Value:
        blob, undone = with_batch(net, self.one(x), 4)
        settings: dict[str, Any] = {"output_h": self.integer("H"), "output_w": self.integer("W")}
        if self.method != "MAX":
            settings["pool"] = self.method
        return undone(net.layer("AdaptivePooling", blob, adaptive_pooling_param=settings))


@module("nn.SpatialAdaptiveMaxPooling")
class SpatialAdaptiveMaxPooling(AdaptivePooling):
    """The greatest value of each window."""

    method = "MAX"


@module("nn.SpatialAdaptiveAveragePooling")
class SpatialAdaptiveAveragePooling(AdaptivePooling):
    """The mean of each window."""

    method = "AVE"


class Unpooling(Sliding):
    """Base: the inverse of a pooling of maxima."""

    undoes: ClassVar[str]

    def construct(self, poolingModule: TorchObject) -> None:
        kind = getattr(poolingModule, "typename", poolingModule)
        if kind != self.undoes:
            raise LayerError(
                f"{self.object.typename}: poolingModule must be an {self.undoes}, got {kind}"
            )
        pooling = self.wrap(poolingModule)
        if any(pooling[f"k{axis}"] != pooling[f"d{axis}"] for axis in self.axes):
            raise LayerError(
                f"{self.object.typename}: the pooling's stride must be its kernel's extent"
            )
        self["pooling"] = poolingModule

    def pooled(self, net: NetBuilder, x: Value) -> tuple[Blob, Blob, Blob, Callable[[Blob], Blob]]:
        """The input with a batch axis, the places of the maxima, the input of the pooling, and
        what removes the batch axis.
        """
        if id(self["pooling"]) not in net.notes:
            name = self.undoes.removeprefix("nn.")
            raise LayerError(f"the {name} must be in front of it in the same net")
        pooled, whole = net.notes[id(self["pooling"])]
        blob, undone = with_batch(net, self.one(x), len(self.axes) + 2)
        if blob.shape != pooled.shape:
            raise LayerError(f"expected an input as the pooling's output, {pooled}, got {blob}")
        return blob, net.second_top(pooled, "mask"), whole, undone


@module("nn.SpatialMaxUnpooling")
class SpatialMaxUnpooling(Unpooling):
    """The inverse of a SpatialMaxPooling: each value where that found its maximum."""

    undoes = "nn.SpatialMaxPooling"

    def layers(self, net: NetBuilder, x: Value) -> Value:
        blob, mask, whole, undone = self.pooled(net, x)
        height, width = whole.shape[2:]
        size = {"upsample_h": height, "upsample_w": width}
        return undone(net.layer("Upsample", [blob, mask], upsample_param=size))


@module("nn.SpatialLPPooling")
class SpatialLPPooling(Sequential):
    """The root of the sum of powers of each window."""

    def construct(
        self,
        nInputPlane: int,
        pnorm: float,
        kW: int,
        kH: int,
        dW: int | None = None,
        dH: int | None = None,
    ) -> None:
        super().construct()
        stride = (kW if dW is None else dW, kH if dH is None else dH)
        self["kW"], self["kH"], self["dW"], self["dH"] = kW, kH, *stride
        for name, *arguments in (
            ("Square",) if pnorm == 2 else ("Power", pnorm),
            ("SpatialAveragePooling", kW, kH, *stride),
            ("MulConstant", kW * kH),
            ("Sqrt",) if pnorm == 2 else ("Power", 1 / pnorm),
        ):
            self.add(create(f"nn.{name}", arguments, self.session, self.object.line))

    @lua
    def reset(self, stdv: float | None = None) -> None:
        """Nothing is drawn."""
