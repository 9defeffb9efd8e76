"""Modules that pass their input on, and modules around another one."""

from __future__ import annotations

from typing import Any

from protonet.errors import LayerError
from protonet.torch7.axes import merge, replace_axes
from protonet.torch7.builder import NetBuilder, Value
from protonet.torch7.modules.base import Module, lua, module
from protonet.torch7.modules.containers import Container
from protonet.torch7.modules.fields import first_child
from protonet.torch7.objects import TorchObject


class Passing(Module):
    """The output is the input."""

    def layers(self, net: NetBuilder, x: Value) -> Value:
        return x


@module("nn.Identity")
class Identity(Passing):
    """The output is the input."""


@module("nn.Contiguous")
class Contiguous(Passing):
    """The output is the input, in one piece."""


@module("nn.Copy")
class Copy(Passing):
    """The output is the input, in another type."""

    def construct(
        self,
        intype: str | None = None,
        outtype: str | None = None,
        forceCopy: bool | None = None,
        dontCast: bool | None = None,
    ) -> None:
        self["dontCast"] = dontCast


@module("nn.PrintSize")
class PrintSize(Passing):
    """The output is the input. What Torch7 prints in each pass is not printed."""

    def construct(self, prefix: str | None = None) -> None:
        self["prefix"] = "PrintSize" if prefix is None else prefix


@module("nn.ZeroGrad")
class ZeroGrad(Module):
    """The output is the input, whose gradient is 0."""

    def layers(self, net: NetBuilder, x: Value) -> Value:
        if isinstance(x, list):
            return [self.layers(net, each) for each in x]
        return net.layer("Power", x, propagate_down=[False])


class Decorated(Container):
    """A module around another one."""

    def construct(self, *arguments: Any) -> None:
        if not arguments or arguments[0] is None:
            raise LayerError(f"{self.object.typename}: expected a module, got nil")
        super().construct()
        self.add(arguments[0])

    def layers(self, net: NetBuilder, x: Value) -> Value:
        return net.add(first_child(self), x)


@module("nn.Decorator")
class Decorator(Decorated):
    """As the module inside."""


@module("nn.DontCast")
class DontCast(Decorated):
    """As the module inside; its type does not change."""

    def construct(
        self,
        inside: TorchObject | None = None,
        castin: bool | None = None,
        castout: bool | None = None,
        moduleType: str | None = None,
    ) -> None:
        super().construct(inside)
        self["castin"] = castin
        self["castout"] = castin if castout is None else castout
        casts = self.get("castin") or self.get("castout")
        own = f"torch.{self.session.kind}Tensor" if casts else None
        self["moduleType"] = own if moduleType is None else moduleType


@module("nn.Serial")
class Serial(Decorated):
    """As the module inside."""

    def construct(self, inside: TorchObject | None = None, tensortype: str | None = None) -> None:
        super().construct(inside)
        self["tensortype"] = tensortype

    @lua
    def mediumSerial(self, *_: Any) -> TorchObject:
        """Of dpnn, as the next two: how much is saved. Nothing changes here."""
        return self.object

    @lua
    def lightSerial(self, *_: Any) -> TorchObject:
        """As mediumSerial."""
        return self.object

    @lua
    def heavySerial(self, *_: Any) -> TorchObject:
        """As mediumSerial."""
        return self.object


@module("nn.NaN")
class NaN(Decorated):
    """As the module inside. That there are no NaN is not checked."""

    def construct(self, inside: TorchObject | None = None, number: int | None = None) -> None:
        super().construct(inside)
        self["id"] = 1 if number is None else number


@module("nn.Profile")
class Profile(Decorated):
    """As the module inside. Times are not printed."""

    def construct(
        self,
        inside: TorchObject | None = None,
        print_interval: int | None = None,
        name: str | None = None,
    ) -> None:
        super().construct(inside)
        self["print_interval"] = 100 if print_interval is None else print_interval
        self["name"] = first_child(self).object.typename if name is None else name
        self["module"] = inside
        for counter in ("numFwds", "numBwds", "summedFwdTime", "summedBwdTime"):
            self[counter] = 0


@module("nn.GPU")
class GPU(Decorated):
    """As the module inside, on the device of the net."""

    def construct(
        self,
        inside: TorchObject | None = None,
        device: int | None = None,
        outdevice: int | None = None,
    ) -> None:
        if not isinstance(device, int | float):
            raise LayerError(f"nn.GPU: expected the number of a device, got {device}")
        super().construct(inside)
        self["device"] = device
        self["outdevice"] = device if outdevice is None else outdevice


@module("nn.Bottle")
class Bottle(Decorated):
    """As the module inside, with the first axes of the input as one.

    ``nInputDim`` and ``nOutputDim`` are the numbers of axes that the module takes and gives.
    """

    def construct(
        self,
        inside: TorchObject | None = None,
        nInputDim: int | None = None,
        nOutputDim: int | None = None,
    ) -> None:
        super().construct(inside)
        taken = 2 if nInputDim is None else nInputDim
        given = taken if nOutputDim is None else nOutputDim
        self["nInputDim"], self["nOutputDim"] = taken, given
        self["dimDelta"] = taken - given
        self["inShape"], self["outShape"] = self.tensor(int(taken)), self.tensor(int(given))

    def layers(self, net: NetBuilder, x: Value) -> Value:
        blob = self.one(x)
        merged = len(blob.shape) - self.integer("nInputDim") + 1
        if merged <= 1:
            return super().layers(net, blob)
        y = self.one(super().layers(net, merge(net, blob, 0, merged)))
        if len(y.shape) != self.integer("nOutputDim"):
            raise LayerError(
                f"expected an output of {self['nOutputDim']} dimensions from the module inside, "
                f"got {y}"
            )
        return replace_axes(net, y, 0, 1, [-1, *blob.shape[1:merged]])


@module("nn.DataParallelTable")
class DataParallelTable(Container):
    """As the module inside, which cunn runs on parts of the batch, each on its device."""

    def construct(
        self,
        dimension: int = 1,
        flattenParams: bool | None = None,
        usenccl: bool | None = None,
    ) -> None:
        super().construct()
        self["dimension"] = dimension
        self["flattenParams"], self["usenccl"] = bool(flattenParams), bool(usenccl)

    @property
    def children(self) -> list[Module]:
        """The first: the others are the same on other devices."""
        return super().children[:1]

    @lua
    def add(self, inside: TorchObject, *_: Any) -> TorchObject:
        """Set the module; the numbers of devices are not used."""
        super().add(inside)
        return self.object

    @lua
    def threads(self, *_: Any) -> TorchObject:
        """Of cunn: how devices are driven; nothing changes here."""
        return self.object

    def layers(self, net: NetBuilder, x: Value) -> Value:
        return net.add(first_child(self), x)
