"""Common layers: products with learned weights, and dropout."""

from __future__ import annotations

import math
from collections.abc import Sequence

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.kernels.dropout import Drop
from protonet.layers.base import Layer, Reads, Weight
from protonet.layers.fillers import filled_weight
from protonet.layers.registry import register


@register("InnerProduct")
class InnerProduct(Layer):
    """Y = X W^T + b, where X is the bottom seen as a matrix of M rows and K columns.

    Gradients: dX = dY W, dW += dY^T X, db += the sum of dY's rows.

    Bottom:
        x: any shape with at least ``axis`` axes; M is the product of the axes before ``axis``,
        K of the others.
    Top:
        y: the axes of x before ``axis``, then num_output (N).
    Params:
        W: N x K (K x N with transpose); b: N, unless bias_term is false.
    Spec:
        inner_product_param: num_output (required), bias_term (true), weight_filler,
        bias_filler (both constant 0), axis (1), transpose (false).
    Raises:
        LayerError: without num_output, for an axis that x has not, or a filler that cannot be.
    Differs:
        not at all.
    """

    backward_reads = frozenset({Reads.BOTTOMS})

    def setup(self) -> None:
        spec = self.spec.inner_product_param
        if spec.num_output == 0:
            raise LayerError(
                "num_output is missing: expected a count of 1 or more",
                ("inner_product_param", "num_output")
                if spec.HasField("num_output")
                else ("inner_product_param",),
                "such as inner_product_param { num_output: 10 }",
            )
        self.outputs = spec.num_output
        self.transpose = spec.transpose
        self.bias_term = spec.bias_term

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        return [(*shapes[0][: self.axis_of(shapes[0])], self.outputs)]

    def declare(self, shapes: Sequence[Shape]) -> list[Weight]:
        spec = self.spec.inner_product_param
        inputs = math.prod(shapes[0][self.axis_of(shapes[0]) :])
        shape = (inputs, self.outputs) if self.transpose else (self.outputs, inputs)
        field = "inner_product_param"
        weights = [filled_weight(shape, spec.weight_filler, (field, "weight_filler"))]
        if self.bias_term:
            weights.append(filled_weight((self.outputs,), spec.bias_filler, (field, "bias_filler")))
        return weights

    def build(self, shapes: Sequence[Shape]) -> None:
        axis = self.axis_of(shapes[0])
        rows = math.prod(shapes[0][:axis])
        self._x_shape = (rows, math.prod(shapes[0][axis:]))
        self._y_shape = (rows, self.outputs)
        self._products = [
            self.scratch(param.shape) if param.diff is not None and param.wanted else None
            for param in self.params
        ]

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        xp, weight = self.xp, self.params[0].data
        x, y = bottoms[0].reshape(self._x_shape), tops[0].reshape(self._y_shape)
        xp.matmul(x, weight if self.transpose else weight.T, out=y)
        if self.bias_term:
            xp.add(y, self.params[1].data, out=y)

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        xp, weight = self.xp, self.params[0]
        x, dy = bottoms[0].reshape(self._x_shape), dtops[0].reshape(self._y_shape)
        product = self._products[0]
        if product is not None:
            left, right = (x, dy) if self.transpose else (dy, x)
            xp.matmul(left.T, right, out=product)
            xp.add(weight.diff, product, out=weight.diff)
        if self.bias_term:
            product = self._products[1]
            if product is not None:
                bias = self.params[1]
                dy.sum(axis=0, out=product)
                xp.add(bias.diff, product, out=bias.diff)
        if dbottoms[0] is not None:
            dx = dbottoms[0].reshape(self._x_shape)
            xp.matmul(dy, weight.data.T if self.transpose else weight.data, out=dx)

    def axis_of(self, shape: Shape) -> int:
        return self.axis(shape, self.spec.inner_product_param.axis, ("inner_product_param", "axis"))


@register("Dropout")
class Dropout(Layer):
    """In TRAIN, y = x m / (1 - ratio), where m is 0 with probability ratio and else 1.

    In TEST, y = x. Gradient: dx = dy m / (1 - ratio) in TRAIN, dy in TEST.

    Bottom:
        x: any shape.
    Top:
        y: the shape of x. May be in place; shares the memory of x in TEST.
    Params:
        none.
    Spec:
        dropout_param: dropout_ratio (0.5).
    Raises:
        LayerError: for a ratio outside 0 <= ratio < 1.
    Differs:
        m is a function of the seed, the layer's name and the iteration, so that a resumed run
        draws what an uninterrupted one would; Caffe's own numbers cannot be met. A ratio of 0
        is allowed.
    """

    backward_reads = frozenset()
    in_place = True

    def setup(self) -> None:
        self.ratio = self.spec.dropout_param.dropout_ratio
        if not 0 <= self.ratio < 1:
            raise LayerError(
                f"expected 0 <= dropout_ratio < 1, got {self.ratio:g}",
                ("dropout_param", "dropout_ratio"),
            )
        self.shares_storage = not self.training

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        return [shapes[0]]

    def build(self, shapes: Sequence[Shape]) -> None:
        if self.training:
            self._drop = Drop.make(self.device, self.dtype, shapes[0], self.ratio)

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        if self.training:
            self._drop.forward(bottoms[0], tops[0], self.random)
        else:
            self.xp.copyto(tops[0], bottoms[0])

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        if dbottoms[0] is None:
            return
        if self.training:
            self._drop.backward(dtops[0], dbottoms[0])
        else:
            self.xp.copyto(dbottoms[0], dtops[0])
