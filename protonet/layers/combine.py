"""Elementwise combinations of several blobs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.kernels.combine import Combine
from protonet.kernels.scaling import Scaling
from protonet.layers.base import Kind, Layer, LowPrecision, Reads, Traits, shape_text
from protonet.layers.factors import Factors
from protonet.layers.registry import register
from protonet.proto.caffe_pb2 import EltwiseParameter


@register("Eltwise")
class Eltwise(Layer):
    """y = sum_i c_i x_i (SUM), the product of the x_i (PROD), or the largest of them (MAX).

    Gradients: SUM: dx_i = c_i dy. PROD: dx_i = dy times the other bottoms, or dy y / x_i with
    stable_prod_grad false. MAX: dy where x_i is the largest, else 0; of equal values the
    second bottom wins over the first, and else the earlier over the later.

    Bottom:
        x_0, x_1, ...: two or more of the same shape.
    Top:
        y: the shape of the bottoms.
    Params:
        none.
    Spec:
        eltwise_param: operation (SUM), coeff (1 for each bottom; only with SUM),
        stable_prod_grad (true; only with PROD).
    Raises:
        LayerError: for shapes that differ, a wrong number of coeffs, or coeffs
        with another operation than SUM.
    Differs:
        MAX of a value that is NaN is NaN; in Caffe the other bottom may win.
    """

    traits = Traits(
        recomputable=True,
        low_precision=LowPrecision.WITH_BOTTOMS,
        in_kernels=True,
        pixels=True,
        kind=Kind.RECTIFIABLE,
        absorbs=True,
    )
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
        adds = self.operation == EltwiseParameter.SUM and self.coeffs == (1.0, 1.0)
        kind = Kind.SUM if adds else Kind.RECTIFIABLE
        self.traits = replace(self.traits, backward_reads=frozenset(), kind=kind)
        if self.operation == EltwiseParameter.PROD:
            reads = {Reads.BOTTOMS} if self.stable else {Reads.BOTTOMS, Reads.TOPS}
            self.traits = replace(self.traits, backward_reads=frozenset(reads))

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        _check_equal(self, shapes, 0)
        return [shapes[0]]

    def build(self, shapes: Sequence[Shape]) -> None:
        count = len(self.spec.bottom)
        self._kernel = Combine.make(self.device, self.dtype, shapes[0], count)
        if self.operation == EltwiseParameter.MAX:
            self._winner = self.scratch(shapes[0], self._kernel.winners)

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        rectify = self.fused.rectify
        if self.operation == EltwiseParameter.SUM:
            self._kernel.weighted_sum(bottoms, self.coeffs, tops[0], rectify=rectify)
        elif self.operation == EltwiseParameter.PROD:
            self._kernel.product(bottoms, tops[0], rectify=rectify)
        else:
            self._kernel.greatest(bottoms, tops[0], self._winner, rectify=rectify)

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        dy = dtops[0]
        y = tops[0] if self.fused.rectify else None
        wanted = [(place, dx) for place, dx in enumerate(dbottoms) if dx is not None]
        if self.operation == EltwiseParameter.SUM:
            coeffs = [self.coeffs[place] for place, _ in wanted]
            self._kernel.scatter(dy, y, coeffs, [dx for _, dx in wanted])
            return
        if y is not None:
            self._kernel.mask(dy, y)
        for place, dx in wanted:
            if self.operation == EltwiseParameter.MAX:
                self._kernel.greatest_back(dy, self._winner, place, dx)
            elif self.stable:
                others = [x for other, x in enumerate(bottoms) if other != place]
                self._kernel.product([dy, *others], dx)
            else:
                self._kernel.quotient(dy, tops[0], bottoms[place], dx)


@register("Axpy")
class Axpy(Layer):
    """out = a x + y, with one factor a for each channel of an item.

    Gradients: da = the sum of dout x over the channel, dx = a dout, dy = dout.

    Bottom:
        a: N x C, or N x C x 1 x ...; x: N x C x ...; y: the shape of x.
    Top:
        out: the shape of x.
    Params:
        none.
    Spec:
        no fields.
    Raises:
        LayerError: when x and y differ in shape, or a is not one factor for each channel of x.
    Differs:
        BVLC Caffe has no such layer; this is the one of the SENet and NVIDIA forks.
    """

    traits = Traits(
        backward_reads=frozenset({Reads.BOTTOMS}),
        low_precision=LowPrecision.WITH_BOTTOMS,
        in_kernels=True,
    )
    bottoms = (3, 3)

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        a, x, _ = shapes
        _check_equal(self, shapes, 1)
        if len(x) < 2 or a[:2] != x[:2] or any(extent != 1 for extent in a[2:]):
            names = self.spec.bottom
            raise LayerError(
                f"expected one factor for each item and channel (N x C), got '{names[0]}' "
                f"{shape_text(a)} for '{names[1]}' {shape_text(x)}",
                ("bottom", 0),
            )
        return [x]

    def build(self, shapes: Sequence[Shape]) -> None:
        self._scaling = Scaling.make(self.device, self.dtype, *self._split_shape(shapes[1]))
        self._sum = Combine.make(self.device, self.dtype, shapes[1], 2)
        self._factors = Factors(self, shapes[0])

    def _split_shape(self, x: Shape) -> tuple[int, int, int]:
        """One factor for each item and channel: N C channels of a single item."""
        return 1, x[0] * x[1], math.prod(x[2:])

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        a, x, y = bottoms
        self._scaling.forward(x, self._factors.read(a), None, tops[0])
        self._sum.add(tops[0], y, tops[0])

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        (dout,), (a, x, _), (da, dx, dy) = dtops, bottoms, dbottoms
        sums = self._factors.sums(da)
        self._scaling.backward(dout, x, self._factors.read(a), dx, sums, None)
        self._factors.write(da)
        if dy is not None:
            self.xp.copyto(dy, dout)


def _check_equal(layer: Layer, shapes: Sequence[Shape], first: int) -> None:
    """Raise LayerError unless the bottoms from ``first`` on have one shape."""
    for place, shape in enumerate(shapes[first:], first):
        if shape != shapes[first]:
            names = layer.spec.bottom
            raise LayerError(
                f"expected bottoms of the same shape, got '{names[first]}' "
                f"{shape_text(shapes[first])} and '{names[place]}' {shape_text(shape)}",
                ("bottom", place),
            )
