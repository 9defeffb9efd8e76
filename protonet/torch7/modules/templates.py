"""Distances and similarities of an input to learned vectors."""

from __future__ import annotations

import math

from protonet.errors import LayerError
from protonet.torch7.arguments import whole
from protonet.torch7.axes import drop, insert
from protonet.torch7.builder import Blob, NetBuilder, Value
from protonet.torch7.modules.base import Module, lua, module

_TINY = 1e-7
"""What Torch7 adds to distances before it divides by them."""


class Templates(Module):
    """Base: ``weight`` has a vector for each output."""

    turned = False
    """Whether the vectors are columns."""

    @lua
    def reset(self, stdv: float | None = None) -> None:
        first = self["weight"].shape[0]
        self.uniform("weight", stdv * math.sqrt(3) if stdv is not None else 1 / math.sqrt(first))

    def items(self, x: Value) -> tuple[Blob, int, int]:
        """The input, the number of values of an item, and of outputs.

        Raises:
            LayerError: unless the input is a vector of that length, or a matrix of such rows.
        """
        blob, shape = self.one(x), self.tensor_field("weight", axes=2).shape
        inputs, outputs = shape if self.turned else shape[::-1]
        if len(blob.shape) not in (1, 2) or blob.shape[-1] != inputs:
            raise LayerError(f"expected vectors of {inputs}, got {blob}")
        return blob, inputs, outputs


class _Distances(Templates):
    """Distances to the columns of ``weight``."""

    turned = True

    def columns(self, inputSize: object, outputSize: object) -> None:
        """Make the parameters."""
        inputs, outputs = (
            whole(name, given, least=1)
            for name, given in (("inputSize", inputSize), ("outputSize", outputSize))
        )
        for name in self.learned:
            self.with_gradient(name, inputs, outputs)

    def layers(self, net: NetBuilder, x: Value) -> Value:
        blob, _, outputs = self.items(x)
        alone = len(blob.shape) == 1
        rows = insert(net, insert(net, blob, 0) if alone else blob, 1)
        # w - x, a row for each output
        y = net.layer("Power", rows, power_param={"scale": -1})
        if outputs > 1:
            y = net.layer("Tile", y, tile_param={"axis": 1, "tiles": outputs})
        param = {"axis": 1, "num_axes": 2}
        y = net.layer("Bias", y, weights=[self.bound("weight", axes=(1, 0))], bias_param=param)
        if len(self.learned) > 1:
            scales = [self.bound(self.learned[1], axes=(1, 0))]
            y = net.layer("Scale", y, weights=scales, scale_param=param)
        y = net.layer("PairwiseDistance", y, pairwise_distance_param={"axis": 2, "eps": _TINY})
        return drop(net, y, 0) if alone else y


@module("nn.Euclidean")
class Euclidean(_Distances):
    """``y_j = |w_j - x|``."""

    learned = ("weight",)

    def construct(self, inputSize: int | None = None, outputSize: int | None = None) -> None:
        self.columns(inputSize, outputSize)
        inputs, outputs = self["weight"].shape
        self["gradInput"], self["output"] = self.tensor(inputs), self.tensor(outputs)
        self["fastBackward"] = True
        self.reset()


@module("nn.WeightedEuclidean")
class WeightedEuclidean(_Distances):
    """``y_j = |c_j (w_j - x)|``, with a factor for each value."""

    learned = ("weight", "diagCov")

    def construct(self, inputSize: int | None = None, outputSize: int | None = None) -> None:
        self.columns(inputSize, outputSize)
        self.reset()

    @lua
    def reset(self, stdv: float | None = None) -> None:
        super().reset(stdv)
        self["diagCov"].array[...] = 1


@module("nn.Cosine")
class Cosine(Templates):
    """``y_j = w_j x / (|w_j| |x|)``."""

    learned = ("weight",)

    def construct(self, inputSize: int | None = None, outputSize: int | None = None) -> None:
        inputs, outputs = (
            whole("inputSize", inputSize, least=1),
            whole("outputSize", outputSize, least=1),
        )
        self.with_gradient("weight", outputs, inputs)
        self.reset()

    def layers(self, net: NetBuilder, x: Value) -> Value:
        blob, inputs, outputs = self.items(x)
        alone = len(blob.shape) == 1
        vectors = net.layer(
            "Parameter",
            [],
            weights=[self.bound("weight")],
            parameter_param={"shape": {"dim": [outputs, inputs]}},
        )
        rows = insert(net, blob, 0) if alone else blob
        unit = {"eps": 1e-24}
        both = [
            net.layer("LpNormalization", each, lp_normalization_param=unit)
            for each in (rows, vectors)
        ]
        y = net.layer("MatMul", both, mat_mul_param={"transpose_b": True})
        return drop(net, y, 0) if alone else y
