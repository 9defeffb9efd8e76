"""Sums of windows with a weight for each plane."""

from __future__ import annotations

import math

from protonet.errors import LayerError
from protonet.torch7.builder import NetBuilder, Value
from protonet.torch7.modules.base import lua, module
from protonet.torch7.modules.sliding import Sliding, with_batch


@module("nn.SpatialSubSampling")
class SpatialSubSampling(Sliding):
    """``y = w s + b`` for each plane, where s is the sum of a window."""

    def construct(
        self, nInputPlane: int, kW: int, kH: int, dW: int | None = None, dH: int | None = None
    ) -> None:
        self.whole(1, nInputPlane=nInputPlane, kW=kW, kH=kH)
        self.whole(1, dW=1 if dW is None else dW, dH=1 if dH is None else dH)
        self.with_gradient("weight", nInputPlane)
        self.with_gradient("bias", nInputPlane)
        self.reset()

    @lua
    def reset(self, stdv: float | None = None) -> None:
        count = math.prod(self.extents("k"))
        bound = stdv * math.sqrt(3) if stdv is not None else 1 / math.sqrt(count)
        self.uniform("weight", bound)
        self.uniform("bias", bound)

    def layers(self, net: NetBuilder, x: Value) -> Value:
        blob, undone = with_batch(net, self.one(x), 4)
        if blob.shape[1] != self.integer("nInputPlane"):
            raise LayerError(
                f"expected {self.integer('nInputPlane')} input planes, got {self.one(x)}"
            )
        (kernel_h, kernel_w), (stride_h, stride_w) = self.extents("k"), self.extents("d")
        mean = net.layer(
            "Pooling",
            blob,
            pooling_param={
                "pool": "AVE",
                "kernel_h": kernel_h,
                "kernel_w": kernel_w,
                "stride_h": stride_h,
                "stride_w": stride_w,
                "round_mode": "FLOOR",
            },
        )
        total = net.layer("Power", mean, power_param={"scale": kernel_h * kernel_w})
        y = net.layer(
            "Scale",
            total,
            weights=[self.bound("weight"), self.bound("bias")],
            scale_param={"bias_term": True},
        )
        return undone(y)
