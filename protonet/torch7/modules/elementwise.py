"""Modules that combine the tensors of a table, element by element."""

from __future__ import annotations

from protonet.errors import LayerError
from protonet.torch7.axes import view
from protonet.torch7.builder import Blob, NetBuilder, Value
from protonet.torch7.modules.base import module
from protonet.torch7.modules.tables import TableModule
from protonet.torch7.objects import Tensor


class Combination(TableModule):
    """Tensors of as many elements; all have the shape of the first."""

    def alike(self, net: NetBuilder, x: Value, at_least: int = 1) -> list[Blob]:
        """The input, in one shape.

        Raises:
            LayerError: for other numbers of elements.
        """
        blobs = self.blobs(x, at_least)
        return [blobs[0], *(self._as_first(net, blob, blobs[0]) for blob in blobs[1:])]

    def _as_first(self, net: NetBuilder, blob: Blob, first: Blob) -> Blob:
        if blob.shape == first.shape:
            return blob
        try:
            return view(net, blob, first.shape)
        except LayerError:
            raise LayerError(f"expected tensors of the same size, got {first} and {blob}") from None


@module("nn.CAddTable")
class CAddTable(Combination):
    """The sum."""

    def construct(self, ip: bool | None = None) -> None:
        super().construct()
        self["inplace"] = ip

    def layers(self, net: NetBuilder, x: Value) -> Value:
        return _eltwise(net, self.alike(net, x), "SUM")


@module("nn.CSubTable")
class CSubTable(Combination):
    """The first without the second."""

    def layers(self, net: NetBuilder, x: Value) -> Value:
        return net.layer("Eltwise", self.alike(net, x, 2)[:2], eltwise_param={"coeff": [1, -1]})


@module("nn.CMulTable")
class CMulTable(Combination):
    """The product."""

    def layers(self, net: NetBuilder, x: Value) -> Value:
        return _eltwise(net, self.alike(net, x), "PROD")


@module("nn.CDivTable")
class CDivTable(Combination):
    """The first over the second."""

    def layers(self, net: NetBuilder, x: Value) -> Value:
        a, b = self.alike(net, x, 2)[:2]
        return _eltwise(net, [a, net.layer("Power", b, power_param={"power": -1})], "PROD")


class Extreme(Combination):
    """The largest or the smallest: of equal elements, the first gets the gradient."""

    def construct(self) -> None:
        super().construct()
        for name in self.buffers:
            self[name] = Tensor(self.session.kind)

    buffers: tuple[str, ...] = ()


@module("nn.CMaxTable")
class CMaxTable(Extreme):
    """The largest of the elements at each place."""

    buffers = ("maxIdx", "mask", "maxVals", "gradMaxVals")

    def layers(self, net: NetBuilder, x: Value) -> Value:
        return _greatest(net, self.alike(net, x))


@module("nn.CMinTable")
class CMinTable(Extreme):
    """The smallest of the elements at each place."""

    buffers = ("minIdx", "mask", "minVals", "gradMaxVals")

    def layers(self, net: NetBuilder, x: Value) -> Value:
        return _negative(net, _greatest(net, [_negative(net, b) for b in self.alike(net, x)]))


def _eltwise(net: NetBuilder, blobs: list[Blob], operation: str) -> Blob:
    if len(blobs) == 1:
        return blobs[0]
    return net.layer("Eltwise", blobs, eltwise_param={"operation": operation})


def _greatest(net: NetBuilder, blobs: list[Blob]) -> Blob:
    # of two equal values, Eltwise gives the gradient to the second bottom, and to a later one only
    # if it is larger
    return _eltwise(net, [*blobs[1::-1], *blobs[2:]], "MAX")


def _negative(net: NetBuilder, x: Blob) -> Blob:
    return net.layer("Power", x, power_param={"scale": -1})
