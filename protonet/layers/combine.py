"""Layers that make one blob of several of the same shape."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.layers.base import Layer, Reads, shape_text
from protonet.layers.registry import register
from protonet.proto.caffe_pb2 import EltwiseParameter


@register("Eltwise")
class Eltwise(Layer):
    """y = sum_i c_i x_i (SUM), the product of the x_i (PROD), or the greatest of them (MAX).

    Gradients: SUM: dx_i = c_i dy. PROD: dx_i = dy times the other bottoms, or dy y / x_i with
    stable_prod_grad false. MAX: dy where x_i is the greatest, else 0; of equal values the
    second bottom wins over the first, and else the earlier over the later.

    Bottom:
        x_0, x_1, ...: two or more of one shape.
    Top:
        y: the shape of the bottoms.
    Params:
        none.
    Spec:
        eltwise_param: operation (SUM), coeff (1 for each bottom; only with SUM),
        stable_prod_grad (true; only with PROD).
    Raises:
        LayerError: for shapes that differ, another number of coeffs than bottoms, or coeffs
        with another operation than SUM.
    Differs:
        MAX of a value that is not a number is not a number; in Caffe the other bottom may win.
    """

    bottoms = (2, None)

    def setup(self) -> None:
        spec = self.spec.eltwise_param
        self.operation, self.stable = spec.operation, spec.stable_prod_grad
        count = len(self.spec.bottom)
        if spec.coeff and self.operation != EltwiseParameter.SUM:
            found = EltwiseParameter.EltwiseOp.Name(self.operation)
            raise LayerError(
                f"coeff is for operation SUM, got {found}",
                ("eltwise_param", "coeff"),
                "leave coeff out, or scale the bottoms with Power layers",
            )
        if spec.coeff and len(spec.coeff) != count:
            raise LayerError(
                f"expected one coeff for each of the {count} bottoms, got {len(spec.coeff)}",
                ("eltwise_param", "coeff"),
            )
        self.coeffs = tuple(spec.coeff) or (1.0,) * count
        self.backward_reads = frozenset()
        if self.operation == EltwiseParameter.PROD:
            reads = {Reads.BOTTOMS} if self.stable else {Reads.BOTTOMS, Reads.TOPS}
            self.backward_reads = frozenset(reads)

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        _check_equal(self, shapes, 0)
        return [shapes[0]]

    def build(self, shapes: Sequence[Shape]) -> None:
        self._term = self._winner = self._mask = None
        if self.operation == EltwiseParameter.MAX:
            self._winner = self.scratch(shapes[0], np.int32)
            self._mask = self.scratch(shapes[0], np.bool_)
        elif any(coeff != 1 for coeff in self.coeffs[1:]):
            self._term = self.scratch(shapes[0])

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        xp, y = self.xp, tops[0]
        if self.operation == EltwiseParameter.SUM:
            xp.multiply(bottoms[0], self.coeffs[0], out=y)
            for x, coeff in zip(bottoms[1:], self.coeffs[1:], strict=True):
                if coeff != 1:
                    xp.multiply(x, coeff, out=self._term)
                    x = self._term
                xp.add(y, x, out=y)
        elif self.operation == EltwiseParameter.PROD:
            xp.multiply(bottoms[0], bottoms[1], out=y)
            for x in bottoms[2:]:
                xp.multiply(y, x, out=y)
        else:
            xp.less_equal(bottoms[0], bottoms[1], out=self._winner)
            xp.maximum(bottoms[0], bottoms[1], out=y)
            for place, x in enumerate(bottoms[2:], 2):
                xp.greater(x, y, out=self._mask)
                xp.copyto(self._winner, place, where=self._mask)
                xp.maximum(y, x, out=y)

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        xp, dy = self.xp, dtops[0]
        for place, dx in enumerate(dbottoms):
            if dx is None:
                continue
            if self.operation == EltwiseParameter.SUM:
                xp.multiply(dy, self.coeffs[place], out=dx)
            elif self.operation == EltwiseParameter.MAX:
                xp.equal(self._winner, place, out=self._mask)
                xp.multiply(dy, self._mask, out=dx)
            elif self.stable:
                xp.copyto(dx, dy)
                for other, x in enumerate(bottoms):
                    if other != place:
                        xp.multiply(dx, x, out=dx)
            else:
                xp.divide(tops[0], bottoms[place], out=dx)
                xp.multiply(dx, dy, out=dx)


def _check_equal(layer: Layer, shapes: Sequence[Shape], first: int) -> None:
    """Raise LayerError unless the bottoms from ``first`` on have one shape."""
    for place, shape in enumerate(shapes[first:], first):
        if shape != shapes[first]:
            names = layer.spec.bottom
            raise LayerError(
                f"expected bottoms of one shape, got '{names[first]}' "
                f"{shape_text(shapes[first])} and '{names[place]}' {shape_text(shape)}",
                ("bottom", place),
            )
