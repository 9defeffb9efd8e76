"""Modules of modules."""

from __future__ import annotations

from protonet.torch7.builder import NetBuilder, Value
from protonet.torch7.modules.base import Module, lua, module
from protonet.torch7.objects import Table, TorchObject


class Container(Module):
    """A module with others inside, in the field ``modules``."""

    learned = ()

    def construct(self) -> None:
        self["modules"] = Table()

    @lua
    def add(self, inside: TorchObject) -> TorchObject:
        """Append a module; returns the container."""
        modules = self["modules"]
        modules[len(modules.sequence) + 1] = self.wrap(inside).object
        return self.object


@module("nn.Sequential")
class Sequential(Container):
    """One module after the other."""

    def layers(self, net: NetBuilder, x: Value) -> Value:
        for child in self.children:
            x = net.add(child, x)
        return x
