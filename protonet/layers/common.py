"""Common layers: products with learned weights, and dropout."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.kernels.bias import BiasGradient
from protonet.kernels.convolution import Stage
from protonet.kernels.kernel import Call
from protonet.kernels.product import Product
from protonet.kernels.random_stream import RandomStream
from protonet.layers.base import Kind, Layer, LowPrecision, Reads, Traits, Weight, shape_text
from protonet.layers.fillers import filled_weight
from protonet.layers.packed_weights import PackingLayer
from protonet.layers.registry import register
from protonet.layers.rows import UnitRows

if TYPE_CHECKING:
    from protonet.kernels.dropout import Drop


@register("InnerProduct")
class InnerProduct(PackingLayer):
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
        bias_filler (both constant 0), axis (1), transpose (false), normalize (false: of
        happynear's fork; each row of W is brought to length 1 before it is used, and stays so).
    Raises:
        LayerError: without num_output, for an axis out of range, an invalid filler, or
        normalize with transpose.
    Differs:
        With normalize, on a GPU as on the CPU, 1e-6 is added to the square of the length.
    """

    traits = Traits(
        backward_reads=frozenset({Reads.BOTTOMS}),
        rewrites=frozenset({0}),
        low_precision=LowPrecision.ALWAYS,
        in_kernels=True,
        kind=Kind.RECTIFIABLE,
        absorbs=True,
    )

    def setup(self) -> None:
        spec = self.spec.inner_product_param
        if spec.num_output == 0:
            written = spec.HasField("num_output")
            raise LayerError(
                f"num_output is {'0' if written else 'missing'}: expected a count of 1 or more",
                ("inner_product_param", "num_output") if written else ("inner_product_param",),
                "such as inner_product_param { num_output: 10 }",
            )
        self.outputs = spec.num_output
        self.transpose = spec.transpose
        self.bias_term = spec.bias_term
        if spec.normalize and spec.transpose:
            raise LayerError(
                "normalize and transpose cannot be combined",
                ("inner_product_param", "normalize"),
            )
        if spec.normalize:
            self.traits = replace(self.traits, low_precision=LowPrecision.NEVER, in_kernels=False)

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
        rows, inputs = self._extents(shapes[0])
        self._product = Product.make(
            self.device, self.dtype, rows, inputs, self.outputs, self.transpose
        )
        self.pack_with(self._product.packing)
        self._bias = BiasGradient.make(self.device, self.dtype, rows, self.outputs, 1)
        if self.spec.inner_product_param.normalize:
            self._rows = UnitRows(self, self.outputs, inputs)

    def settled(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> Call | None:
        own = type(self).forward is InnerProduct.forward
        if not (own and self.keeps_weights) or self.spec.inner_product_param.normalize:
            return None
        bias = self.params[1].data if self.bias_term else None
        stage = Stage(self.params[0].data, None, bias, self.fused.rectify)
        return self._product.call(bottoms[0], stage, tops[0])

    def _extents(self, shape: Shape) -> tuple[int, int]:
        """Rows and columns of the bottom."""
        axis = self.axis_of(shape)
        return math.prod(shape[:axis]), math.prod(shape[axis:])

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        bias = self.params[1].data if self.bias_term else None
        if self.spec.inner_product_param.normalize:
            self._rows.bring(self.params[0].data)
        self._product.forward(
            bottoms[0], self.params[0].data, bias, tops[0], rectify=self.fused.rectify
        )

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        weight, dy = self.params[0], dtops[0]
        bias = self.params[1].diff if self.bias_term and self.params[1].wanted else None
        self._bias.learn(dy, tops[0] if self.fused.rectify else None, bias)
        if weight.wanted:
            self._product.learn(dy, bottoms[0], weight.diff, add=not weight.rewritten)
        if dbottoms[0] is not None:
            self._product.backward(dy, weight.data, dbottoms[0])

    def axis_of(self, shape: Shape) -> int:
        return self.axis(shape, self.spec.inner_product_param.axis, ("inner_product_param", "axis"))


class MaskedDrop:
    """Drop with one mask for the first ``axes`` axes, broadcast along the others."""

    def __init__(self, layer: Layer, shape: Shape, axes: int, ratio: float) -> None:
        from protonet.kernels.dropout import Drop  # to train

        self.xp = layer.xp
        masked = (*shape[:axes], *(1,) * (len(shape) - axes))
        self._ones, self._mask = layer.scratch(masked), layer.scratch(masked)
        self._drop = Drop.make(layer.device, layer.dtype, masked, ratio)

    def forward(self, x: Array, y: Array, random: RandomStream) -> None:
        """Write x m / (1 - ratio)."""
        self._ones.fill(1.0)
        self._drop.forward(self._ones, self._mask, random)
        self.xp.multiply(x, self._mask, out=y)

    def backward(self, dy: Array, dx: Array) -> None:
        """Write dy m / (1 - ratio)."""
        self.xp.multiply(dy, self._mask, out=dx)


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
        dropout_param: dropout_ratio (0.5); of SegNet's fork: sample_weights_test (false: m is
        drawn in TEST too); mask_axes (all): m has the first axes of x alone, so that with 2 a
        channel is kept or dropped as a whole.
    Raises:
        LayerError: for a ratio outside 0 to 1, or mask_axes of more axes than x has.
    Differs:
        m is a function of the seed, the layer's name and the iteration, so that a resumed run
        draws what an uninterrupted one would; Caffe's own numbers cannot be met. A ratio of 0
        is allowed; one of 1 drops everything in TRAIN, where Caffe computes 0 x infinity.
    """

    traits = Traits(
        backward_reads=frozenset(),
        in_place=True,
        low_precision=LowPrecision.WITH_BOTTOMS,
        in_kernels=True,
    )

    def setup(self) -> None:
        self.ratio = self.spec.dropout_param.dropout_ratio
        if not 0 <= self.ratio <= 1:
            raise LayerError(
                f"expected 0 <= dropout_ratio <= 1, got {self.ratio:g}",
                ("dropout_param", "dropout_ratio"),
            )
        param = self.spec.dropout_param
        self.draws = self.training or param.sample_weights_test
        self.mask_axes = param.mask_axes if param.HasField("mask_axes") else None
        self.traits = replace(self.traits, view=not self.draws)
        if self.mask_axes is not None:
            self.traits = replace(self.traits, in_kernels=False, low_precision=LowPrecision.NEVER)

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        if self.mask_axes is not None and self.mask_axes > len(shapes[0]):
            raise LayerError(
                f"expected at most {len(shapes[0])} mask_axes for a bottom of shape "
                f"{shape_text(shapes[0])}, got {self.mask_axes}",
                ("dropout_param", "mask_axes"),
            )
        return [shapes[0]]

    def build(self, shapes: Sequence[Shape]) -> None:
        if not self.draws or self.ratio == 1:
            return
        from protonet.kernels.dropout import Drop  # to train

        if self.mask_axes is None:
            self._drop: Drop | MaskedDrop = Drop.make(
                self.device, self.dtype, shapes[0], self.ratio
            )
        else:
            self._drop = MaskedDrop(self, shapes[0], self.mask_axes, self.ratio)

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        if not self.draws:
            self.xp.copyto(tops[0], bottoms[0])
        elif self.ratio == 1:
            tops[0].fill(0)
        else:
            self._drop.forward(bottoms[0], tops[0], self.random)

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        if dbottoms[0] is None:
            return
        if not self.draws:
            self.xp.copyto(dbottoms[0], dtops[0])
        elif self.ratio == 1:
            dbottoms[0].fill(0)
        else:
            self._drop.backward(dtops[0], dbottoms[0])
