"""Transposes of convolutions: full convolutions, of planes and volumes."""

from __future__ import annotations

from typing import Any

from protonet.errors import LayerError
from protonet.torch7.builder import Blob, NetBuilder, Value
from protonet.torch7.modules.base import module
from protonet.torch7.modules.convolution import Convolving
from protonet.torch7.modules.sliding import only
from protonet.torch7.objects import Tensor


class FullConvolution(Convolving):
    """The transpose of a convolution, with the layer Deconvolution."""

    def _fill(self, nInputPlane: int, nOutputPlane: int, numbers: dict[str, Any]) -> None:
        """Set all fields: of ``numbers`` strides are 1 and others 0 where nil."""
        self.whole(1, nInputPlane=nInputPlane, nOutputPlane=nOutputPlane)
        for name, given in numbers.items():
            stride = name[0] == "d"
            default = int(stride) if name[0] != "k" else None
            self.whole(int(stride or name[0] == "k"), **{name: default if given is None else given})
        for axis in self.axes:
            if self[f"adj{axis}"] >= self[f"d{axis}"]:
                raise LayerError(
                    f"{self.object.typename}: adj{axis} must be below d{axis}, "
                    f"{self[f'd{axis}']}, got {self[f'adj{axis}']}"
                )
        self.with_gradient("weight", nInputPlane, nOutputPlane, *self.extents("k"))
        self.with_gradient("bias", nOutputPlane)
        self["ones"] = Tensor(self.session.kind)

    def layers(self, net: NetBuilder, x: Value) -> Value:
        more = self.extents("adj", 0)
        if isinstance(x, list):
            x, more = self._sized_by(self.several(x))
        blob, undone = self.planes(net, x)
        outputs = self.integer("nOutputPlane")
        settings = self.settings(outputs)
        if any(more):
            settings["output_padding"] = only(more, 0)
        shape = (blob.shape[1], outputs, *self.extents("k"))
        y = net.layer(
            "Deconvolution",
            blob,
            weights=self.bounds(self.bound("weight", shape)),
            convolution_param=settings,
        )
        return undone(y)

    def _sized_by(self, table: list[Value]) -> tuple[Value, list[int]]:
        """The input of a table of two, and what makes an output as large as the second one."""
        if len(table) != 2 or not isinstance(table[1], Blob):
            raise LayerError(
                f"expected a table of the input and a tensor with the size of the output, got "
                f"{len(table)}"
            )
        sizes = table[1].shape[-len(self.axes) :]
        numbers = zip(sizes, self.extents("k"), self.pads(), self.extents("d"), strict=True)
        return table[0], [(size + 2 * p - k) % d for size, k, p, d in numbers]


@module("nn.SpatialFullConvolution")
class SpatialFullConvolution(FullConvolution):
    """The transpose of a convolution of planes."""

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
        adjW: int | None = None,
        adjH: int | None = None,
    ) -> None:
        numbers = {"kW": kW, "kH": kH, "dW": dW, "dH": dH, "padW": padW, "padH": padH}
        self._fill(nInputPlane, nOutputPlane, {**numbers, "adjW": adjW, "adjH": adjH})
        self.reset()


@module("nn.VolumetricFullConvolution")
class VolumetricFullConvolution(FullConvolution):
    """The transpose of a convolution of volumes."""

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
        adjT: int | None = None,
        adjW: int | None = None,
        adjH: int | None = None,
    ) -> None:
        strides, pads = {"dT": dT, "dW": dW, "dH": dH}, {"padT": padT, "padW": padW, "padH": padH}
        given = {**strides, **pads, "adjT": adjT, "adjW": adjW, "adjH": adjH}
        self._fill(nInputPlane, nOutputPlane, {"kT": kT, "kW": kW, "kH": kH, **given})
        for name in ("finput", "fgradInput"):
            self[name] = Tensor(self.session.kind)
        self.reset()
