"""Similarity and distance of pairs of vectors."""

from __future__ import annotations

import math
from collections.abc import Sequence

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.layers.base import Layer, Reads, Traits, shape_text
from protonet.layers.registry import register
from protonet.proto.caffe_pb2 import CosineSimilarityParameter, PairwiseDistanceParameter


class _OfPairs(Layer):
    """Base of layers over bottoms of equal shape: a value for each pair of vectors."""

    bottoms = (2, 2)
    traits = Traits(backward_reads=frozenset({Reads.BOTTOMS}))
    field = ""

    @property
    def param(self) -> CosineSimilarityParameter | PairwiseDistanceParameter:
        """The layer's own message."""
        found: CosineSimilarityParameter | PairwiseDistanceParameter = getattr(
            self.spec, self.field
        )
        return found

    def setup(self) -> None:
        if not 0 <= self.param.eps < math.inf:
            raise LayerError(f"expected eps of 0 or more, got {self.param.eps:g}",
                             (self.field, "eps"))  # fmt: skip

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        a, b = shapes[0], shapes[-1]
        axis = self.axis(a, self.param.axis, (self.field, "axis"))
        if b[:axis] != a[:axis] or math.prod(b) != math.prod(a):
            raise LayerError(
                f"expected vectors as in '{self.spec.bottom[0]}' ({shape_text(a)}) in "
                f"'{self.spec.bottom[1]}', got {shape_text(b)}",
                ("bottom", 1),
            )
        return [a[:axis]]

    def build(self, shapes: Sequence[Shape]) -> None:
        axis = self.axis(shapes[0], self.param.axis)
        items = math.prod(shapes[0][:axis])
        self._rows, self._one = (items, math.prod(shapes[0][axis:])), (items, 1)
        self._work, self._slope = self.scratch(self._rows), self.scratch(self._rows)


@register("CosineSimilarity")
class CosineSimilarity(_OfPairs):
    """y = a b / sqrt((|a|^2 + eps) (|b|^2 + eps)), with the products of vectors.

    Gradients: da = dy (b - a (a b) / (|a|^2 + eps)) / sqrt((|a|^2 + eps) (|b|^2 + eps)), and
    likewise db.

    Bottom:
        a: items before ``axis``, the values of a vector after it. b: as many.
    Top:
        y: the axes of a before ``axis``.
    Params:
        none.
    Spec:
        cosine_similarity_param: axis (1), eps (1e-12).
    Raises:
        LayerError: for an axis out of range, an eps below 0, or bottoms that differ.
    Differs:
        Caffe has no such layer. It is Torch7's CosineDistance (nn).
    """

    field = "cosine_similarity_param"

    def build(self, shapes: Sequence[Shape]) -> None:
        super().build(shapes)
        self._dot, self._aa, self._bb, self._scale = (self.scratch(self._one) for _ in range(4))

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        xp, work = self.xp, self._work
        a, b = (bottom.reshape(self._rows) for bottom in bottoms)
        for left, right, out in ((a, b, self._dot), (a, a, self._aa), (b, b, self._bb)):
            xp.multiply(left, right, out=work)
            work.sum(axis=1, keepdims=True, out=out)
        for out in (self._aa, self._bb):
            xp.add(out, self.param.eps, out=out)
        # of each root apart: their product may be too small
        xp.sqrt(self._aa, out=self._scale)
        xp.divide(self._dot, self._scale, out=tops[0].reshape(self._one))
        xp.divide(1.0, self._scale, out=self._scale)
        xp.sqrt(self._bb, out=work[:, :1])
        xp.divide(tops[0].reshape(self._one), work[:, :1], out=tops[0].reshape(self._one))
        xp.divide(self._scale, work[:, :1], out=self._scale)

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        xp, dy, slope = self.xp, dtops[0].reshape(self._one), self._slope
        a, b = (bottom.reshape(self._rows) for bottom in bottoms)
        for dx, x, other, length in (
            (dbottoms[0], a, b, self._aa),
            (dbottoms[1], b, a, self._bb),
        ):
            if dx is not None:
                xp.divide(self._dot, length, out=self._work[:, :1])
                xp.multiply(x, self._work[:, :1], out=slope)
                xp.subtract(other, slope, out=slope)
                xp.multiply(slope, self._scale, out=slope)
                xp.multiply(slope, dy, out=dx.reshape(self._rows))


@register("PairwiseDistance")
class PairwiseDistance(_OfPairs):
    """y = (sum |a - b|^p)^(1/p), over the values of a vector; with one bottom of a: its p-norm.

    Gradients: da = dy s / (y + eps)^(p - 1), db = -da, with s = sign(d) |d|^(p - 1) for p = 1 and
    p >= 2, and s = d for others; d = a - b.

    Bottom:
        a: items before ``axis``, the values of a vector after it. b (optional): as many.
    Top:
        y: the axes of a before ``axis``.
    Params:
        none.
    Spec:
        pairwise_distance_param: axis (1), p (2), eps (1e-6).
    Raises:
        LayerError: for an axis out of range, a p of 0 or less, an eps below 0, or bottoms that
        differ.
    Differs:
        Caffe has no such layer. It is Torch7's PairwiseDistance (nn), whose gradient for p between
        1 and 2, and below 1, is not that of y. With p = 1 the slope of 0 is 0, there a random sign.
    """

    bottoms = (1, 2)
    field = "pairwise_distance_param"
    traits = Traits(backward_reads=frozenset({Reads.BOTTOMS, Reads.TOPS}))

    def setup(self) -> None:
        super().setup()
        self.p = self.spec.pairwise_distance_param.p
        if not 0 < self.p < math.inf:
            raise LayerError(f"expected p above 0, got {self.p:g}", (self.field, "p"))

    def build(self, shapes: Sequence[Shape]) -> None:
        super().build(shapes)
        self._each = self.scratch(self._one)

    def _subtract(self, bottoms: Sequence[Array], out: Array) -> None:
        """Write a - b, or a."""
        rows = [bottom.reshape(self._rows) for bottom in bottoms]
        if len(rows) > 1:
            self.xp.subtract(rows[0], rows[1], out=out)
        else:
            self.xp.copyto(out, rows[0])

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        xp, work, y = self.xp, self._work, tops[0].reshape(self._one)
        self._subtract(bottoms, work)
        xp.absolute(work, out=work)
        if self.p == 2:
            xp.multiply(work, work, out=work)
        elif self.p != 1:
            xp.power(work, self.p, out=work)
        work.sum(axis=1, keepdims=True, out=y)
        if self.p == 2:
            xp.sqrt(y, out=y)
        elif self.p != 1:
            xp.power(y, 1 / self.p, out=y)

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        xp, slope, each = self.xp, self._slope, self._each
        self._subtract(bottoms, slope)
        if self.p == 1:
            xp.sign(slope, out=slope)
            xp.copyto(each, dtops[0].reshape(self._one))
        else:
            if self.p > 2:
                xp.absolute(slope, out=self._work)
                xp.power(self._work, self.p - 2, out=self._work)
                xp.multiply(slope, self._work, out=slope)
            xp.add(tops[0].reshape(self._one), self.param.eps, out=each)
            xp.power(each, 1 - self.p, out=each)
            xp.multiply(each, dtops[0].reshape(self._one), out=each)
        xp.multiply(slope, each, out=slope)
        for dx, sign in zip(dbottoms, (1.0, -1.0), strict=False):
            if dx is not None:
                xp.multiply(slope, sign, out=dx.reshape(self._rows))
