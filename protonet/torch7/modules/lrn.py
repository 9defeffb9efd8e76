"""Local response normalization."""

from __future__ import annotations

from protonet.torch7.builder import NetBuilder, Value
from protonet.torch7.modules.base import module
from protonet.torch7.modules.sliding import Sliding, with_batch


@module("nn.SpatialCrossMapLRN")
class SpatialCrossMapLRN(Sliding):
    """``y = x (k + alpha / size sum x^2)^-beta``, the sum over ``size`` neighbouring planes."""

    def construct(
        self,
        size: int,
        alpha: float | None = None,
        beta: float | None = None,
        k: float | None = None,
    ) -> None:
        self.whole(1, size=size)
        self["alpha"] = 0.0001 if alpha is None else alpha
        self["beta"] = 0.75 if beta is None else beta
        self["k"] = 1 if k is None else k

    def layers(self, net: NetBuilder, x: Value) -> Value:
        blob, undone = with_batch(net, self.one(x), 4)
        settings = {
            "local_size": self.integer("size"),
            "alpha": self.number("alpha"),
            "beta": self.number("beta"),
            "k": self.number("k", self.get("K", 1)),
        }
        return undone(net.layer("LRN", blob, lrn_param=settings))


@module("cudnn.SpatialCrossMapLRN")
class CudnnCrossMapLRN(SpatialCrossMapLRN):
    """SpatialCrossMapLRN of 5 planes by default."""

    def construct(
        self,
        size: int | None = None,
        alpha: float | None = None,
        beta: float | None = None,
        k: float | None = None,
    ) -> None:
        super().construct(5 if size is None else size, alpha, beta, k)
