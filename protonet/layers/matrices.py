"""MatMul: products of matrices that are both computed."""

from __future__ import annotations

import math
from collections.abc import Sequence

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.layers.base import Layer, LowPrecision, Reads, Traits, shape_text
from protonet.layers.registry import register


@register("MatMul")
class MatMul(Layer):
    """y = a b for each pair of matrices, which the last two axes hold; either may be transposed.

    Gradients: da = dy b^T and db = a^T dy; those of transposed matrices are transposed.

    Bottom:
        a: ... x M x K, or with transpose_a ... x K x M; b: ... x K x N, or with transpose_b
        ... x N x K. The axes before are equal.
    Top:
        y: ... x M x N.
    Params:
        none.
    Spec:
        mat_mul_param: transpose_a (false), transpose_b (false).
    Raises:
        LayerError: for fewer than 2 axes, other matrices for a than for b, or a K that differs.
    Differs:
        Caffe has no such layer.
    """

    bottoms = (2, 2)
    traits = Traits(
        backward_reads=frozenset({Reads.BOTTOMS}),
        recomputable=True,
        capturable=False,
        low_precision=LowPrecision.NEVER,
    )

    def setup(self) -> None:
        param = self.spec.mat_mul_param
        self.turned = param.transpose_a, param.transpose_b

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        names = self.spec.bottom
        for place, shape in enumerate(shapes):
            if len(shape) < 2:
                raise LayerError(
                    f"expected matrices in '{names[place]}', at least 2 axes, got "
                    f"{shape_text(shape)}",
                    ("bottom", place),
                )
        a, b = shapes
        if a[:-2] != b[:-2]:
            raise LayerError(
                f"expected a matrix in '{names[1]}' for each of '{names[0]}' {shape_text(a)}, got "
                f"{shape_text(b)}: the axes before the last two are equal",
                ("bottom", 1),
            )
        (rows, common), (other, columns) = (
            shape[-1:-3:-1] if turned else shape[-2:]
            for shape, turned in zip(shapes, self.turned, strict=True)
        )
        if common != other:
            raise LayerError(
                f"expected matrices with {common} rows in '{names[1]}', as '{names[0]}' "
                f"{shape_text(a)} has columns, got {other} in {shape_text(b)}",
                ("bottom", 1),
                "transpose_a and transpose_b transpose them",
            )
        return [(*a[:-2], rows, columns)]

    def build(self, shapes: Sequence[Shape]) -> None:
        # All axes before the matrices as one.
        self._stacks = [(math.prod(shape[:-2]), *shape[-2:]) for shape in shapes]
        (top,) = self.infer(shapes)
        self._top = (math.prod(top[:-2]), *top[-2:])

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        a, b = self._matrices(bottoms)
        self.xp.matmul(a, b, out=tops[0].reshape(self._top))

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        xp, dy = self.xp, dtops[0].reshape(self._top)
        a, b = self._matrices(bottoms)
        da, db = (
            None if dx is None else dx.reshape(stack)
            for dx, stack in zip(dbottoms, self._stacks, strict=True)
        )
        if da is not None and self.turned[0]:
            xp.matmul(b, _turn(dy), out=da)
        elif da is not None:
            xp.matmul(dy, _turn(b), out=da)
        if db is not None and self.turned[1]:
            xp.matmul(_turn(dy), a, out=db)
        elif db is not None:
            xp.matmul(_turn(a), dy, out=db)

    def _matrices(self, bottoms: Sequence[Array]) -> list[Array]:
        """The bottoms as stacks of matrices to multiply."""
        stacks = [x.reshape(stack) for x, stack in zip(bottoms, self._stacks, strict=True)]
        return [_turn(x) if turned else x for x, turned in zip(stacks, self.turned, strict=True)]


def _turn(x: Array) -> Array:
    """Each matrix transposed: a view."""
    return x.swapaxes(1, 2)
