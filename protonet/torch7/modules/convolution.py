"""Convolutions of planes and volumes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from protonet.errors import LayerError
from protonet.torch7.builder import Blob, Bound, NetBuilder, Value
from protonet.torch7.modules.base import lua, module
from protonet.torch7.modules.sliding import Sliding, only, with_batch
from protonet.torch7.objects import TorchObject


class Convolving(Sliding):
    """Base: weight and bias, their initial values, and the settings of the layer."""

    @property
    def kernel_count(self) -> int:
        """How many places a kernel has."""
        return math.prod(self.extents("k"))

    @lua
    def noBias(self) -> TorchObject:
        """Remove the bias; returns the module."""
        for name in ("bias", "gradBias"):
            self.object.fields.pop(name, None)
        return self.object

    @lua
    def fastest(self, mode: bool | None = None) -> TorchObject:
        """Of cudnn: which of its algorithms run; without effect. Returns the module."""
        return self.object

    @lua
    def setMode(self, fmode: Any = None, bdmode: Any = None, bwmode: Any = None) -> TorchObject:
        """Of cudnn: which of its algorithms run; without effect. Returns the module."""
        return self.object

    @lua
    def resetMode(self) -> TorchObject:
        """Of cudnn: which of its algorithms run; without effect. Returns the module."""
        return self.object

    @lua
    def reset(self, stdv: float | None = None) -> None:
        inputs = self.kernel_count * self.integer("nInputPlane")
        bound = stdv * math.sqrt(3) if stdv is not None else 1 / math.sqrt(inputs)
        self.uniform("weight", bound)
        self.uniform("bias", bound)

    def settings(self, outputs: int, groups: int = 1) -> dict[str, Any]:
        """``convolution_param``."""
        found: dict[str, Any] = {"num_output": outputs, "kernel_size": only(self.extents("k"), 0)}
        for name, numbers, default in (
            ("stride", self.extents("d", 1), 1),
            ("pad", self.pads(), 0),
            ("dilation", self.extents("dilation", 1), 1),
        ):
            if given := only(numbers, default):
                found[name] = given
        if groups > 1:
            found["group"] = groups
        if self.get("bias") is None:
            found["bias_term"] = False
        return found

    def bounds(self, weight: Bound) -> list[Bound]:
        """The weight, and the bias if there is one."""
        return [weight] + ([self.bound("bias")] if self.get("bias") is not None else [])

    def planes(self, net: NetBuilder, x: Value) -> tuple[Blob, Callable[[Blob], Blob]]:
        """The input with a batch axis, and what removes it.

        Raises:
            LayerError: for another number of planes than the module's.
        """
        blob, undone = with_batch(net, self.one(x), len(self.axes) + 2)
        if blob.shape[1] != self.integer("nInputPlane"):
            raise LayerError(
                f"expected {self.integer('nInputPlane')} input planes, got {self.one(x)}"
            )
        return blob, undone


class Convolution(Convolving):
    """``y = W * x + b``, with the layer Convolution."""

    def layers(self, net: NetBuilder, x: Value) -> Value:
        blob, undone = self.planes(net, x)
        outputs, groups = self.integer("nOutputPlane"), self.integer("groups", 1)
        shape = (outputs, blob.shape[1] // groups, *self.extents("k"))
        y = net.layer(
            "Convolution",
            blob,
            weights=self.bounds(self.bound("weight", shape)),
            convolution_param=self.settings(outputs, groups),
        )
        return undone(y)


@module("nn.SpatialConvolution")
class SpatialConvolution(Convolution):
    """Convolution of planes."""

    flat = False
    """Whether the weight is a matrix."""

    def construct(
        self,
        nInputPlane: int,
        nOutputPlane: int,
        kW: int,
        kH: int,
        dW: int | None = None,
        dH: int | None = None,
        padW: int | None = None,
        padH: int | None = None,
    ) -> None:
        self._set(nInputPlane, nOutputPlane, kW, kH, dW, dH)
        self.whole(0, padW=padW or 0)
        self.whole(0, padH=self["padW"] if padH is None else padH)
        self._allocate(1)

    def _set(self, nInputPlane: Any, nOutputPlane: Any, kW: Any, kH: Any, dW: Any, dH: Any) -> None:
        self.whole(1, nInputPlane=nInputPlane, nOutputPlane=nOutputPlane, kW=kW, kH=kH)
        self.whole(1, dW=1 if dW is None else dW, dH=1 if dH is None else dH)

    def _allocate(self, groups: int) -> None:
        """Make weight and bias, and draw them."""
        outputs, inputs, kernel = self["nOutputPlane"], self["nInputPlane"], self.extents("k")
        shape = (inputs // groups, *kernel)
        self.with_gradient("weight", outputs, *([math.prod(shape)] if self.flat else shape))
        self.with_gradient("bias", outputs)
        self.reset()


@module("nn.SpatialConvolutionMM")
class SpatialConvolutionMM(SpatialConvolution):
    """SpatialConvolution whose weight is a matrix."""

    flat = True


@module("cudnn.SpatialConvolution")
class GroupedConvolution(SpatialConvolution):
    """SpatialConvolution with groups of planes."""

    def construct(
        self,
        nInputPlane: int,
        nOutputPlane: int,
        kW: int,
        kH: int,
        dW: int | None = None,
        dH: int | None = None,
        padW: int | None = None,
        padH: int | None = None,
        groups: int | None = None,
    ) -> None:
        self._set(nInputPlane, nOutputPlane, kW, kH, dW, dH)
        self.whole(0, padW=padW or 0, padH=padH or 0)
        self.whole(1, groups=1 if groups is None else groups)
        for name in ("nInputPlane", "nOutputPlane"):
            if self[name] % self["groups"]:
                raise LayerError(
                    f"{self.object.typename}: groups must divide {name}, {self[name]}, got "
                    f"{self['groups']}"
                )
        self._allocate(self["groups"])


@module("nn.SpatialDilatedConvolution")
class SpatialDilatedConvolution(SpatialConvolution):
    """SpatialConvolution of values that are apart."""

    def construct(
        self,
        nInputPlane: int,
        nOutputPlane: int,
        kW: int,
        kH: int,
        dW: int | None = None,
        dH: int | None = None,
        padW: int | None = None,
        padH: int | None = None,
        dilationW: int | None = None,
        dilationH: int | None = None,
    ) -> None:
        super().construct(nInputPlane, nOutputPlane, kW, kH, dW, dH, padW, padH)
        self.whole(1, dilationW=1 if dilationW is None else dilationW)
        self.whole(1, dilationH=1 if dilationH is None else dilationH)


@module("nn.SpatialDepthWiseConvolution")
class SpatialDepthWiseConvolution(SpatialConvolution):
    """A convolution of each plane by itself: nOutputPlane outputs for each of them."""

    def _allocate(self, groups: int) -> None:
        outputs, inputs = self["nOutputPlane"], self["nInputPlane"]
        self.with_gradient("weight", outputs, inputs * self.kernel_count)
        self.with_gradient("bias", outputs, inputs)
        self.reset()

    def layers(self, net: NetBuilder, x: Value) -> Value:
        """The planes are repeated for each output, so that parameters stay in their order, with
        outputs first; the order of the output is by planes.
        """
        blob, undone = self.planes(net, x)
        outputs, inputs = self.integer("nOutputPlane"), blob.shape[1]
        if outputs > 1:
            blob = net.layer("Tile", blob, tile_param={"tiles": outputs})
        shape = (outputs * inputs, 1, *self.extents("k"))
        y = net.layer(
            "Convolution",
            blob,
            weights=self.bounds(self.bound("weight", shape)),
            convolution_param=self.settings(outputs * inputs, outputs * inputs),
        )
        if outputs > 1:
            y = net.layer("ShuffleChannel", y, shuffle_channel_param={"group": outputs})
        return undone(y)


@module("nn.SpatialConvolutionLocal")
class SpatialConvolutionLocal(Convolving):
    """A convolution with weights of its own at each place, for planes of iH x iW."""

    def construct(
        self,
        nInputPlane: int,
        nOutputPlane: int,
        iW: int,
        iH: int,
        kW: int,
        kH: int,
        dW: int | None = None,
        dH: int | None = None,
        padW: int | None = None,
        padH: int | None = None,
    ) -> None:
        self.whole(1, nInputPlane=nInputPlane, nOutputPlane=nOutputPlane, kW=kW, kH=kH)
        self.whole(1, iW=iW, iH=iH, dW=1 if dW is None else dW, dH=1 if dH is None else dH)
        self.whole(0, padW=padW or 0)
        self.whole(0, padH=self["padW"] if padH is None else padH)
        for axis in "WH":
            size, kernel = self[f"i{axis}"] + 2 * self[f"pad{axis}"], self[f"k{axis}"]
            if size < kernel:
                raise LayerError(
                    f"{self.object.typename}: k{axis} must be at most {size}, got {kernel}"
                )
            self[f"o{axis}"] = (size - kernel) // self[f"d{axis}"] + 1
        places, kernels = (self["oH"], self["oW"]), self.extents("k")
        self.with_gradient("weight", *places, nOutputPlane, nInputPlane, *kernels)
        self.with_gradient("bias", nOutputPlane, *places)
        self.reset()

    def layers(self, net: NetBuilder, x: Value) -> Value:
        blob, undone = self.planes(net, x)
        size = tuple(self.extents("i"))
        if blob.shape[2:] != size:
            raise LayerError(f"expected planes of {size[0]}x{size[1]}, got {self.one(x)}")
        y = net.layer(
            "LocallyConnected",
            blob,
            weights=self.bounds(self.bound("weight")),
            convolution_param=self.settings(self.integer("nOutputPlane")),
        )
        return undone(y)


@module("nn.VolumetricConvolution")
class VolumetricConvolution(Convolution):
    """Convolution of volumes."""

    axes = "THW"

    def construct(
        self,
        nInputPlane: int,
        nOutputPlane: int,
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
        self.whole(1, nInputPlane=nInputPlane, nOutputPlane=nOutputPlane, kT=kT, kW=kW, kH=kH)
        self.steps(dT=dT, dW=dW, dH=dH)
        pad: int | None = 0
        for name, given in (("padT", padT), ("padW", padW), ("padH", padH)):
            pad = pad if given is None else given
            self.whole(0, **{name: pad})
        self.with_gradient("weight", nOutputPlane, nInputPlane, *self.extents("k"))
        self.with_gradient("bias", nOutputPlane)
        self.reset()


@module("nn.VolumetricDilatedConvolution")
class VolumetricDilatedConvolution(VolumetricConvolution):
    """VolumetricConvolution of values that are apart."""

    def construct(
        self,
        nInputPlane: int,
        nOutputPlane: int,
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
        super().construct(nInputPlane, nOutputPlane, kT, kW, kH, dT, dW, dH, padT, padW, padH)
        self.steps(dilationT=dilationT, dilationW=dilationW, dilationH=dilationH)
