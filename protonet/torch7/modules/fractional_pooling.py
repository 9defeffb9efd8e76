"""Maxima of windows at random places, for outputs of any size."""

from __future__ import annotations

from typing import Any

from protonet.errors import LayerError
from protonet.torch7.builder import NetBuilder, Value
from protonet.torch7.modules.base import lua, module
from protonet.torch7.modules.sliding import Sliding, with_batch
from protonet.torch7.objects import TorchObject


class FractionalPooling(Sliding):
    """Base: the extents of windows, and the size of the output or its part of the input's."""

    def _set(self, pools: dict[str, Any], arguments: dict[str, Any]) -> None:
        for axis, extent in pools.items():
            self.whole(2, **{f"poolSize{axis}": extent})
        sized = all(_is_number(each) and each >= 1 for each in arguments.values())
        for axis, given in arguments.items():
            if sized:
                self.whole(1, **{f"out{axis}": given})
            elif _is_number(given) and 0 < given < 1:
                self[f"ratio{axis}"] = given
            else:
                raise LayerError(
                    f"{self.object.typename}: out{axis} must be at least 1 like the others, or "
                    f"between 0 and 1, got {given}"
                )
        self["newRandomPool"] = False

    @lua
    def fixPoolingRegions(self, val: bool | None = None) -> TorchObject:
        """Keep the random numbers of the first pass; returns the module."""
        self["newRandomPool"] = val is None or val
        return self.object

    def layers(self, net: NetBuilder, x: Value) -> Value:
        if self.get("newRandomPool", False):
            raise LayerError("protonet draws new regions for each pass: remove fixPoolingRegions")
        blob, undone = with_batch(net, self.one(x), len(self.axes) + 2)
        settings: dict[str, Any] = {"kernel_size": self.extents("poolSize")}
        if self.get(f"out{self.axes[0]}") is not None:
            settings["output_size"] = self.extents("out")
        else:
            settings["output_ratio"] = [self.number(f"ratio{axis}") for axis in self.axes]
        return undone(net.layer("FractionalPooling", blob, fractional_pooling_param=settings))


@module("nn.SpatialFractionalMaxPooling")
class SpatialFractionalMaxPooling(FractionalPooling):
    """Of planes."""

    def construct(self, poolSizeW: int, poolSizeH: int, arg1: float, arg2: float) -> None:
        self._set({"W": poolSizeW, "H": poolSizeH}, {"W": arg1, "H": arg2})


@module("nn.VolumetricFractionalMaxPooling")
class VolumetricFractionalMaxPooling(FractionalPooling):
    """Of volumes."""

    axes = "THW"

    def construct(
        self,
        poolSizeT: int,
        poolSizeW: int,
        poolSizeH: int,
        arg1: float,
        arg2: float,
        arg3: float,
    ) -> None:
        pools = {"T": poolSizeT, "W": poolSizeW, "H": poolSizeH}
        self._set(pools, {"T": arg1, "W": arg2, "H": arg3})


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
