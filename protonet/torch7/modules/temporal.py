"""Windows over sequences: frames x features, with or without a batch axis."""

from __future__ import annotations

import math
from collections.abc import Callable

from protonet.errors import LayerError
from protonet.torch7.builder import Blob, NetBuilder, Value
from protonet.torch7.modules.base import lua, module
from protonet.torch7.modules.sliding import Sliding, insert_axis, merge_axes, with_batch
from protonet.torch7.objects import TorchObject


class Temporal(Sliding):
    """Base: the window, and features that must fit."""

    axes = "W"

    def sequences(
        self, net: NetBuilder, x: Value, size: str = ""
    ) -> tuple[Blob, Callable[[Blob], Blob]]:
        """The input as batch x frames x features, and what makes an output of the input's form.

        Raises:
            LayerError: for another number of features, or a sequence shorter than the window.
        """
        given = self.one(x)
        blob, undone = with_batch(net, given, 3)
        if size and blob.shape[2] != self.integer(size):
            raise LayerError(f"expected {self.integer(size)} features in a frame, got {given}")
        if blob.shape[1] < self.integer("kW"):
            raise LayerError(
                f"expected at least {self.integer('kW')} frames, those of a window, got {given}"
            )
        return blob, undone

    def pool(self, net: NetBuilder, blob: Blob, method: str) -> Blob:
        """Reduce windows of batch x frames x features."""
        settings = {
            "pool": method,
            "kernel_h": self.integer("kW"),
            "kernel_w": 1,
            "stride_h": self.integer("dW"),
            "stride_w": 1,
            "round_mode": "FLOOR",
        }
        y = net.layer("Pooling", insert_axis(net, blob, 1), pooling_param=settings)
        return merge_axes(net, y, 1)

    def _draw(self, inputs: int, stdv: float | None) -> None:
        bound = stdv * math.sqrt(3) if stdv is not None else 1 / math.sqrt(inputs)
        self.uniform("weight", bound)
        self.uniform("bias", bound)


@module("nn.TemporalConvolution")
class TemporalConvolution(Temporal):
    """Each output is a product of all features of a window with the weight."""

    def construct(
        self, inputFrameSize: int, outputFrameSize: int, kW: int, dW: int | None = None
    ) -> None:
        self.whole(1, inputFrameSize=inputFrameSize, outputFrameSize=outputFrameSize, kW=kW)
        self.whole(1, dW=1 if dW is None else dW)
        self.with_gradient("weight", outputFrameSize, inputFrameSize * kW)
        self.with_gradient("bias", outputFrameSize)
        self.reset()

    @lua
    def reset(self, stdv: float | None = None) -> None:
        self._draw(self.integer("kW") * self.integer("inputFrameSize"), stdv)

    def layers(self, net: NetBuilder, x: Value) -> Value:
        blob, undone = self.sequences(net, x, "inputFrameSize")
        return undone(self._convolve(net, blob, self.integer("kW"), self.integer("dW"), 0))

    def _convolve(self, net: NetBuilder, blob: Blob, window: int, step: int, pad: int) -> Blob:
        """The sequence is an image of one plane, and a window as wide as that."""
        features, outputs = blob.shape[2], self.integer("outputFrameSize")
        has_bias = self.get("bias") is not None
        y = net.layer(
            "Convolution",
            insert_axis(net, blob, 1),
            weights=[self.bound("weight", (outputs, 1, window, features))]
            + ([self.bound("bias")] if has_bias else []),
            convolution_param={
                "num_output": outputs,
                "kernel_size": [window, features],
                "stride": [step, 1],
                "pad": [pad, 0],
                "bias_term": has_bias,
            },
        )
        moved = net.layer("Permute", y, permute_param={"order": [0, 2, 1, 3]})
        return merge_axes(net, moved, 2)


@module("cudnn.TemporalConvolution")
class CudnnTemporalConvolution(TemporalConvolution):
    """TemporalConvolution with padding; kW is the features, kH the frames of a window."""

    def construct(
        self,
        inputFrameSize: int,
        outputFrameSize: int,
        kH: int,
        dH: int | None = None,
        padH: int | None = None,
    ) -> None:
        self.whole(1, inputFrameSize=inputFrameSize, outputFrameSize=outputFrameSize, kH=kH)
        self.whole(1, dH=1 if dH is None else dH, dW=1, groups=1)
        self.whole(0, padW=0, padH=0 if padH is None else padH)
        self["nInputPlane"], self["nOutputPlane"] = 1, self["outputFrameSize"]
        self["kW"] = self["inputFrameSize"]
        self.with_gradient("weight", outputFrameSize, inputFrameSize * kH)
        self.with_gradient("bias", outputFrameSize)
        self.reset()

    @lua
    def reset(self, stdv: float | None = None) -> None:
        self._draw(self.integer("kW") * self.integer("kH"), stdv)

    def layers(self, net: NetBuilder, x: Value) -> Value:
        given, size = self.one(x), self.integer("inputFrameSize")
        blob, undone = with_batch(net, given, 3)
        window, pad = self.integer("kH"), self.integer("padH", 0)
        if blob.shape[2] != size or blob.shape[1] + 2 * pad < window:
            raise LayerError(
                f"expected at least {window - 2 * pad} frames of {size} features, got {given}"
            )
        return undone(self._convolve(net, blob, window, self.integer("dH"), pad))


@module("nn.TemporalMaxPooling")
class TemporalMaxPooling(Temporal):
    """The greatest value of each feature in a window."""

    def construct(self, kW: int, dW: int | None = None) -> None:
        self.whole(1, kW=kW, dW=kW if dW is None else dW)

    def layers(self, net: NetBuilder, x: Value) -> Value:
        blob, undone = self.sequences(net, x)
        return undone(self.pool(net, blob, "MAX"))


@module("nn.TemporalSubSampling")
class TemporalSubSampling(Temporal):
    """``y = w s + b`` for each feature, where s is the sum of a window."""

    def construct(self, inputFrameSize: int, kW: int, dW: int | None = None) -> None:
        self.whole(1, inputFrameSize=inputFrameSize, kW=kW, dW=1 if dW is None else dW)
        self.with_gradient("weight", inputFrameSize)
        self.with_gradient("bias", inputFrameSize)
        self.reset()

    @lua
    def reset(self, stdv: float | None = None) -> None:
        self._draw(self.integer("kW"), stdv)

    def layers(self, net: NetBuilder, x: Value) -> Value:
        blob, undone = self.sequences(net, x, "inputFrameSize")
        mean = self.pool(net, blob, "AVE")
        total = net.layer("Power", mean, power_param={"scale": self.integer("kW")})
        y = net.layer(
            "Scale",
            total,
            weights=[self.bound("weight"), self.bound("bias")],
            scale_param={"axis": 2, "bias_term": True},
        )
        return undone(y)


@module("nn.TemporalRowConvolution")
class TemporalRowConvolution(Temporal):
    """A convolution of each feature by itself."""

    def construct(
        self, inputFrameSize: int, kW: int, dW: int | None = None, featFirst: bool | None = None
    ) -> None:
        self.whole(1, inputFrameSize=inputFrameSize, kW=kW, dW=1 if dW is None else dW)
        self.with_gradient("weight", inputFrameSize, 1, kW)
        self.with_gradient("bias", inputFrameSize)
        self["featFirst"] = bool(featFirst)
        self.reset()

    @lua
    def reset(self, stdv: float | None = None) -> None:
        self._draw(self.integer("kW") * self.integer("inputFrameSize"), stdv)

    @lua
    def noBias(self) -> TorchObject:
        """Remove the bias; returns the module."""
        for name in ("bias", "gradBias"):
            self.object.fields.pop(name, None)
        return self.object

    def layers(self, net: NetBuilder, x: Value) -> Value:
        given, features = self.one(x), self.integer("inputFrameSize")
        blob, undone = with_batch(net, given, 3)
        first = bool(self.get("featFirst", False))
        if not first:
            blob = net.layer("Permute", blob, permute_param={"order": [0, 2, 1]})
        if blob.shape[1] != features:
            raise LayerError(f"expected {features} features, got {given}")
        has_bias = self.get("bias") is not None
        y = net.layer(
            "Convolution",
            blob,
            weights=[self.bound("weight"), *([self.bound("bias")] if has_bias else [])],
            convolution_param={
                "num_output": features,
                "group": features,
                "kernel_size": [self.integer("kW")],
                "stride": [self.integer("dW")],
                "bias_term": has_bias,
            },
        )
        if not first:
            y = net.layer("Permute", y, permute_param={"order": [0, 2, 1]})
        return undone(y)


@module("nn.TemporalDynamicKMaxPooling")
class TemporalDynamicKMaxPooling(Sliding):
    """The greatest values of each feature in their order: ``minK``, or ``factor`` of the frames."""

    def construct(self, minK: int, factor: float | None = None) -> None:
        self.whole(1, minK=minK)
        self["factor"] = 0 if factor is None else factor

    def layers(self, net: NetBuilder, x: Value) -> Value:
        blob, least = self.one(x), self.integer("minK")
        if len(blob.shape) not in (2, 3) or blob.shape[-2] < least:
            raise LayerError(f"expected at least {least} frames x features, got {blob}")
        most = max(least, math.ceil(self.number("factor") * blob.shape[-2]))
        return net.layer("KMaxPooling", blob, k_max_pooling_param={"k": most, "axis": -2})
