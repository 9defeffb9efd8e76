"""Modules that Torch7 composes of others: Maxout; of dpnn Inception and FireModule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from protonet.errors import LayerError
from protonet.torch7.axes import drop, insert
from protonet.torch7.builder import NetBuilder, Value
from protonet.torch7.copying import copied
from protonet.torch7.modules.base import Module, create, module
from protonet.torch7.modules.containers import Container, Sequential
from protonet.torch7.modules.wrappers import Decorated
from protonet.torch7.objects import Table, TorchObject


def filled(outer: Module, typename: str, arguments: Sequence[Any], inside: Any) -> TorchObject:
    """A new container with modules inside, of the session of ``outer``."""
    made = create(typename, arguments, outer.session, outer.object.line)
    container = outer.wrap(made)
    assert isinstance(container, Container)
    container.extend(*inside)
    return made


@module("nn.Maxout")
class Maxout(Sequential):
    """The largest of ``maxoutNumber`` linear functions for each output."""

    def construct(
        self,
        inputSize: int | None = None,
        outputSize: int | None = None,
        maxoutNumber: int | None = None,
        preprocess: TorchObject | None = None,
    ) -> None:
        if inputSize is None or outputSize is None or maxoutNumber is None:
            raise LayerError("nn.Maxout(inputSize, outputSize, maxoutNumber): one of them is nil")
        super().construct()
        for name, *arguments in (
            ("nn.Linear", inputSize, outputSize * maxoutNumber),
            ("nn.View", maxoutNumber, outputSize),
        ):
            self.add(create(name, arguments, self.session, self.object.line))
        self["modules"][2].fields["numInputDims"] = 1
        if preprocess is not None:
            self.add(preprocess)
        self.add(create("nn.Max", [1, 2], self.session, self.object.line))


class Images(Decorated):
    """A module for batches of images, which takes a single one too."""

    def layers(self, net: NetBuilder, x: Value) -> Value:
        blob = self.one(x)
        if len(blob.shape) != 3:
            return super().layers(net, blob)
        return drop(net, self.one(super().layers(net, insert(net, blob, 0))), 0)


@module("nn.Inception")
class Inception(Images):
    """Columns of convolutions side by side: of dpnn, with a table of settings."""

    def construct(self, config: Any = None) -> None:
        if not isinstance(config, Table):
            raise LayerError(f"nn.Inception: expected a table of settings, got {config}")
        for name in ("inputSize", "outputSize", "reduceSize"):
            if config.get(name) is None:
                raise LayerError(f"nn.Inception: {name} is missing")
            self[name] = config[name]
        self._set_defaults(config)
        columns = [self._column(i) for i in range(1, len(self["kernelSize"].sequence) + 1)]
        last = len(columns) + 1
        columns.append([self["pool"], *self._reduction(last)])
        if self["reduceSize"].get(last + 1) is not None:
            columns.append(self._reduction(last + 1))
        inside = [filled(self, "nn.Sequential", [], column) for column in columns]
        super().construct(filled(self, "nn.DepthConcat", [2], inside))

    def _set_defaults(self, config: Table) -> None:
        defaults: dict[str, Any] = {
            "reduceStride": Table(),
            "padding": True,
            "kernelSize": Table.of([5, 3]),
            "kernelStride": Table.of([1, 1]),
            "poolSize": 3,
            "poolStride": 1,
        }
        for name, value in defaults.items():
            self[name] = value if config.get(name) is None else config[name]
        self["batchNorm"] = config.get("batchNorm")
        transfer, pool = config.get("transfer"), config.get("pool")
        self["transfer"] = self._new("nn.ReLU") if transfer is None else transfer
        window = [self["poolSize"]] * 2 + [self["poolStride"]] * 2
        self["pool"] = self._new("nn.SpatialMaxPooling", *window) if pool is None else pool

    def _new(self, typename: str, *arguments: Any) -> TorchObject:
        return create(typename, arguments, self.session, self.object.line)

    def _reduction(self, column: int) -> list[TorchObject]:
        """A 1x1 convolution of a column, if it has one."""
        size = self["reduceSize"].get(column)
        if size is None:
            return []
        stride = self["reduceStride"].get(column, 1)
        return self._convolution(self["inputSize"], size, 1, 1, stride, stride)

    def _column(self, column: int) -> list[TorchObject]:
        """A 1x1 convolution and one with a larger kernel."""
        size, stride = self["kernelSize"][column], self["kernelStride"].get(column, 1)
        pad = int(size) // 2 if self["padding"] else 0
        between, outputs = self["reduceSize"][column], self["outputSize"][column]
        convolution = self._convolution(between, outputs, size, size, stride, stride, pad)
        return [*self._reduction(column), *convolution]

    def _convolution(self, *arguments: Any) -> list[TorchObject]:
        norm = self.get("batchNorm")
        return [
            self._new("nn.SpatialConvolution", *arguments),
            *([self._new("nn.SpatialBatchNormalization", arguments[1])] if norm else []),
            copied(self["transfer"]),
        ]


@module("nn.FireModule")
class FireModule(Decorated):
    """A 1x1 convolution, then a 1x1 and a 3x3 one side by side (SqueezeNet): of dpnn."""

    def construct(
        self,
        nInputPlane: int | None = None,
        s1x1: int | None = None,
        e1x1: int | None = None,
        e3x3: int | None = None,
        activation: str | None = None,
    ) -> None:
        sizes = {"nInputPlane": nInputPlane, "s1x1": s1x1, "e1x1": e1x1, "e3x3": e3x3}
        for name, size in sizes.items():
            if size is None:
                raise LayerError(f"nn.FireModule: {name} is nil")
            self[name] = size
        self["activation"] = "ReLU" if activation is None else activation
        self["squeeze"] = self._new("SpatialConvolution", nInputPlane, s1x1, 1, 1)
        expanding = [
            self._new("SpatialConvolution", s1x1, e1x1, 1, 1),
            self._new("SpatialConvolution", s1x1, e3x3, 3, 3, 1, 1, 1, 1),
        ]
        self["expand"] = filled(self, "nn.Concat", [2], expanding)
        acting = [self._new(self["activation"]) for _ in range(2)]
        inside = [self["squeeze"], acting[0], self["expand"], acting[1]]
        self["module"] = filled(self, "nn.Sequential", [], inside)
        super().construct(self["module"])

    def _new(self, name: str, *arguments: Any) -> TorchObject:
        return create(f"nn.{name}", arguments, self.session, self.object.line)
