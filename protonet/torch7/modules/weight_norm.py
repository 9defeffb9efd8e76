"""Weights as a length and a direction for each output."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from protonet.errors import LayerError
from protonet.layers.base import shape_text
from protonet.torch7.arguments import whole
from protonet.torch7.axes import drop, insert, merge, permute, replace_axes
from protonet.torch7.builder import Blob, NetBuilder, Value
from protonet.torch7.modules.base import module
from protonet.torch7.modules.fields import first_child
from protonet.torch7.modules.shapes import longs
from protonet.torch7.modules.tables import multiply
from protonet.torch7.modules.wrappers import Decorated
from protonet.torch7.objects import TorchObject

EPS = 1e-4
"""Added to squared lengths (torch/nn, WeightNorm.lua)."""


@module("nn.WeightNorm")
class WeightNorm(Decorated):
    """The module inside, with the weight ``g v / |v|`` for each output (Salimans and Kingma, 2016).

    ``v`` and ``g`` are the parameters in place of the weight; ``outputDim`` is the dimension of the
    weight that counts outputs.
    """

    learned = ("v", "g", "bias")

    def construct(self, inside: TorchObject, outputDim: int | None = None) -> None:
        super().construct(inside)
        weight = inside.fields.get("weight")
        if weight is None:
            raise LayerError(f"nn.WeightNorm: {inside.typename} has no weight")
        for name in ("bias", "gradBias", "gradWeight", "weight"):
            self[name] = inside.fields.get(name)
        axis = whole("outputDim", outputDim, 1, least=1)
        if axis > len(weight.shape):
            raise LayerError(f"nn.WeightNorm: the weight has no dimension {axis}")
        outputs = weight.shape[axis - 1]
        others = math.prod(weight.shape) // outputs
        moved = [outputs, *weight.shape[: axis - 1], *weight.shape[axis:]]
        self["outputDim"], self["otherDims"] = axis, others
        self["viewIn"] = longs([outputs, others])
        self["viewOut"], self["weightSize"] = longs(moved), longs(list(weight.shape))
        for name in ("v", "gradV"):
            self[name] = self.tensor(outputs, others)
        for name in ("_norm", "_scale", "gradG"):
            self[name] = self.tensor(outputs)
        self["g"] = self.tensor(outputs, 1)  # the norm along an axis keeps the axis
        self._draw()

    def _draw(self) -> None:
        """What ``resetInit`` of Torch7 does."""
        v, others = self["v"], self["viewIn"].data[1]
        self.session.random.draw(v, "normal", 0, math.sqrt(2 / others))
        self["g"].array[...] = np.sqrt((v.array.astype(np.float64) ** 2).sum(1, keepdims=True))
        if self.get("bias") is not None:
            self["bias"].array[...] = 0

    def parameters(self) -> Iterator[tuple[TorchObject, str]]:
        for name in self.learned:
            if self.get(name) is not None:
                yield self.object, name

    def layers(self, net: NetBuilder, x: Value) -> Value:
        inside, blob = first_child(self).object, self.one(x)
        if inside.name == "Linear":
            return self._linear(net, blob)
        if inside.name in ("SpatialConvolution", "SpatialConvolutionMM"):
            return self._convolution(net, blob, inside)
        raise LayerError(
            f"protonet normalizes weights of nn.Linear and nn.SpatialConvolution, "
            f"not of {inside.typename}"
        )

    def _extents(self) -> tuple[int, ...]:
        """How many outputs there are, and weights for each."""
        shape = self.tensor_field("v").shape
        if len(shape) != 2:
            raise LayerError(f"nn.WeightNorm: v must be a matrix, got {shape_text(shape)}")
        return shape

    def _weight(self, net: NetBuilder) -> Blob:
        """The weight: a row for each output."""
        if self.integer("outputDim", 1) != 1:
            raise LayerError("protonet normalizes weights along dimension 1 only")
        outputs, inputs = self._extents()
        v, g = (
            net.layer(
                "Parameter", [], weights=[self.bound(name, shape)],
                parameter_param={"shape": {"dim": shape}},
            )
            for name, shape in (("v", [outputs, inputs]), ("g", [outputs]))
        )  # fmt: skip
        param = {"operation": "SUMSQ", "axis": 1}
        squares = net.layer("Reduction", v, reduction_param=param)
        inverse = net.layer("Power", squares, power_param={"power": -0.5, "shift": EPS})
        scale = net.layer("Eltwise", [inverse, g], eltwise_param={"operation": "PROD"})
        return net.layer("Scale", [v, scale], scale_param={"axis": 0})

    def _linear(self, net: NetBuilder, x: Blob) -> Blob:
        inputs = self._extents()[1]
        if len(x.shape) not in (1, 2) or x.shape[-1] != inputs:
            raise LayerError(f"expected vectors of {inputs}, got {x}")
        rows = insert(net, x, 0) if len(x.shape) == 1 else x
        y = self._biased(net, multiply(net, rows, self._weight(net), turn_b=True))
        return drop(net, y, 0) if len(x.shape) == 1 else y

    def _biased(self, net: NetBuilder, y: Blob) -> Blob:
        if self.get("bias") is None:
            return y
        return net.layer("Bias", y, weights=[self.bound("bias")], bias_param={"axis": 1})

    def _convolution(self, net: NetBuilder, x: Blob, inside: TorchObject) -> Blob:
        """The product with all windows, laid out as rows."""
        fields = inside.fields
        if len(x.shape) not in (3, 4) or x.shape[-3] != fields["nInputPlane"]:
            raise LayerError(f"expected images of {fields['nInputPlane']} planes, got {x}")
        images = insert(net, x, 0) if len(x.shape) == 3 else x
        param = {
            f"{ours}_{axis.lower()}": int(fields.get(f"{theirs}{axis}") or 0)
            for ours, theirs in (("kernel", "k"), ("stride", "d"), ("pad", "pad"))
            for axis in "HW"
        }
        columns = net.layer("Im2col", images, convolution_param=param)
        _, count, height, width = columns.shape
        turned = permute(net, columns, [0, 2, 3, 1])
        rows = merge(net, turned, 0, 3)
        assert rows.shape[1] == count, f"{rows}"
        y = self._biased(net, multiply(net, rows, self._weight(net), turn_b=True))
        planes = permute(net, replace_axes(net, y, 0, 1, [-1, height, width]), [0, 3, 1, 2])
        return drop(net, planes, 0) if len(x.shape) == 3 else planes
