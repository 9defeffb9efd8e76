"""Borders around planes and volumes."""

from __future__ import annotations

from typing import ClassVar

from protonet.errors import LayerError
from protonet.torch7.builder import NetBuilder, Value
from protonet.torch7.modules.base import module
from protonet.torch7.modules.sliding import Sliding

_MOST = 1 << 31


@module("nn.SpatialZeroPadding")
class SpatialZeroPadding(Sliding):
    """Zeros on each side of planes; a negative number crops."""

    mode: ClassVar[str] = "CONSTANT"
    sides: ClassVar[tuple[str, ...]] = ("pad_t", "pad_b", "pad_l", "pad_r")
    """The fields: before and after each of the last axes."""

    def construct(
        self,
        pad_l: int,
        pad_r: int | None = None,
        pad_t: int | None = None,
        pad_b: int | None = None,
    ) -> None:
        self.whole(-_MOST, pad_l=pad_l)
        for name, given in (("pad_r", pad_r), ("pad_t", pad_t), ("pad_b", pad_b)):
            self.whole(-_MOST, **{name: pad_l if given is None else given})

    def layers(self, net: NetBuilder, x: Value) -> Value:
        blob, axes = self.one(x), len(self.sides) // 2
        if len(blob.shape) not in (axes + 1, axes + 2):
            raise LayerError(f"expected an input of {axes + 1} or {axes + 2} axes, got {blob}")
        paddings = [0, 0] * (len(blob.shape) - axes) + [self.integer(name) for name in self.sides]
        settings: dict[str, object] = {"paddings": paddings}
        if self.mode != "CONSTANT":
            settings["mode"] = self.mode
        return net.layer("Pad", blob, pad_param=settings)


@module("nn.SpatialReflectionPadding")
class SpatialReflectionPadding(SpatialZeroPadding):
    """Planes mirrored at their edges."""

    mode = "REFLECT"


@module("nn.SpatialReplicationPadding")
class SpatialReplicationPadding(SpatialZeroPadding):
    """The edges of planes repeated."""

    mode = "EDGE"


@module("nn.VolumetricReplicationPadding")
class VolumetricReplicationPadding(SpatialZeroPadding):
    """The edges of volumes repeated."""

    mode = "EDGE"
    axes = "THW"
    sides = ("pfront", "pback", "ptop", "pbottom", "pleft", "pright")

    def construct(
        self,
        pleft: int,
        pright: int | None = None,
        ptop: int | None = None,
        pbottom: int | None = None,
        pfront: int | None = None,
        pback: int | None = None,
    ) -> None:
        self.whole(-_MOST, pleft=pleft)
        for name, given in (
            ("pright", pright),
            ("ptop", ptop),
            ("pbottom", pbottom),
            ("pfront", pfront),
            ("pback", pback),
        ):
            self.whole(-_MOST, **{name: pleft if given is None else given})
