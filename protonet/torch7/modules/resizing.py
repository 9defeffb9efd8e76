"""Planes and volumes of another size."""

from __future__ import annotations

from typing import Any, ClassVar

from protonet.errors import LayerError
from protonet.torch7.builder import Blob, NetBuilder, Value
from protonet.torch7.modules.base import module
from protonet.torch7.modules.sliding import Sliding, with_batch
from protonet.torch7.objects import Storage, Table


class Resizing(Sliding):
    """Base: a factor, or for linear interpolation a size, and what both kinds do."""

    sizes: ClassVar[int] = 4
    """The most axes that an input has."""

    def _set_factor(self, scale: Any) -> None:
        self.whole(1, scale_factor=scale)

    def _set_size(self, params: Table, names: tuple[str, ...], optional: str = "") -> None:
        for name in names:
            value = params.get(name)
            if value is not None or name != optional:
                self.whole(1, **{name: value})

    def _set_storages(self) -> None:
        for name in ("inputSize", "outputSize"):
            self[name] = Storage("Long", self.sizes)

    def target(self, blob: Blob, axes: str) -> list[int]:
        """The size of the output, of the last axes of the input."""
        if self.get("scale_factor") is not None:
            return [extent * self.integer("scale_factor") for extent in blob.shape[-len(axes) :]]
        names = {"T": "odepth", "H": "oheight", "W": "owidth"}
        return [self.integer(names[axis]) for axis in axes]


def nearest(net: NetBuilder, blob: Blob, factor: int) -> Blob:
    """Repeat each value of planes, N x C x H x W, in both directions."""
    return net.layer("Upsample", blob, upsample_param={"scale": factor})


def linear(net: NetBuilder, blob: Blob, size: list[int]) -> Blob:
    """Interpolate planes, N x C x H x W, with aligned corners."""
    return net.layer("Interp", blob, interp_param={"height": size[0], "width": size[1]})


@module("nn.SpatialUpSamplingNearest")
class SpatialUpSamplingNearest(Resizing):
    """Each value repeated ``scale`` times in both directions."""

    def construct(self, scale: int) -> None:
        self._set_factor(scale)
        self._set_storages()

    def layers(self, net: NetBuilder, x: Value) -> Value:
        blob, undone = with_batch(net, self.one(x), 4)
        return undone(nearest(net, blob, self.integer("scale_factor")))


@module("nn.SpatialUpSamplingBilinear")
class SpatialUpSamplingBilinear(Resizing):
    """Planes interpolated to ``scale`` times their size, or to a table's oheight and owidth."""

    def construct(self, params: Any) -> None:
        if isinstance(params, Table):
            self._set_size(params, ("owidth", "oheight"))
        else:
            self._set_factor(params)
        self._set_storages()

    def layers(self, net: NetBuilder, x: Value) -> Value:
        blob, undone = with_batch(net, self.one(x), 4)
        return undone(linear(net, blob, self.target(blob, "HW")))


@module("nn.UpSampling")
class UpSampling(Resizing):
    """Planes or volumes, of nearest values or interpolated."""

    sizes = 5

    def construct(self, params: Any, mode: str | None = None) -> None:
        smooth = mode in ("linear", "bilinear", "trilinear")
        self["mode"] = "linear" if smooth else "nearest"
        if not isinstance(params, Table):
            self._set_factor(params)
        elif smooth:
            self._set_size(params, ("odepth", "owidth", "oheight"), optional="odepth")
        else:
            raise LayerError(f"{self.object.typename}: nearest values need a scale_factor")
        self._set_storages()

    def layers(self, net: NetBuilder, x: Value) -> Value:
        blob = self.one(x)
        if len(blob.shape) not in (4, 5):
            raise LayerError(f"expected an input of 4 or 5 axes, got {blob}")
        if len(blob.shape) == 4:
            return self._planes(net, blob, self.target(blob, "HW"))
        return self._volume(net, blob)

    def _planes(self, net: NetBuilder, blob: Blob, size: list[int]) -> Blob:
        if self["mode"] == "nearest":
            return nearest(net, blob, self.integer("scale_factor"))
        return linear(net, blob, size)

    def _volume(self, net: NetBuilder, blob: Blob) -> Blob:
        """Resize the planes of all frames, then the frames as rows of all places."""
        (_, channels, frames, *plane), (depth, height, width) = blob.shape, self.target(blob, "THW")

        def seen(values: Blob, *dims: int) -> Blob:
            return net.layer("Reshape", values, reshape_param={"shape": {"dim": [0, *dims]}})

        y = self._planes(net, seen(blob, channels * frames, *plane), [height, width])
        rows = seen(y, channels, frames, height * width)
        if self["mode"] == "nearest":
            scale = {"scale_h": self.integer("scale_factor"), "scale_w": 1}
            rows = net.layer("Upsample", rows, upsample_param=scale)
        else:
            rows = linear(net, rows, [depth, height * width])
        return seen(rows, channels, depth, height, width)


@module("nn.PixelShuffle")
class PixelShuffle(Sliding):
    """Blocks of ``upscaleFactor`` squared channels become blocks of places."""

    def construct(self, upscaleFactor: int) -> None:
        self.whole(1, upscaleFactor=upscaleFactor)
        self["upscaleFactorSquared"] = self["upscaleFactor"] ** 2

    def layers(self, net: NetBuilder, x: Value) -> Value:
        blob, undone = with_batch(net, self.one(x), 4)
        block = self.integer("upscaleFactor")
        if block == 1:
            return x
        return undone(net.layer("Reshape", blob, reshape_param={"pixelshuffler": block}))
