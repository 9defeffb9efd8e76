"""DiceCoefLoss: 1 less the Dice coefficient of two maps."""

from __future__ import annotations

import math
from collections.abc import Sequence

from protonet.blob import Array, Shape
from protonet.layers.base import Reads, Traits
from protonet.layers.losses import PairLoss
from protonet.layers.registry import register


@register("DiceCoefLoss")
class DiceCoefLoss(PairLoss):
    """L = 1 - sum over n of q_n / N, q_n = (2 sum a b + 1) / (sum a^2 + sum b^2 + 1).

    Gradients: da = 2 w (q_n a - b) / (N (sum a^2 + sum b^2 + 1)), and db with a and b the other
    way round; w is the loss weight.

    Bottom:
        a: N x ..., predictions from 0 to 1; b: N x ..., targets, as many values per item.
    Top:
        L: scalar.
    Params:
        none.
    Spec:
        no fields of its own; loss_weight (1).
    Raises:
        LayerError: when the items or the values of an item differ in number.
    Differs:
        BVLC Caffe has no such layer; this is the one of a pull request to it, which forks merged.
        Its gradient lacks the 1 / N.
    """

    traits = Traits(backward_reads=frozenset({Reads.BOTTOMS}))

    def build(self, shapes: Sequence[Shape]) -> None:
        self._rows = (shapes[0][0], math.prod(shapes[0][1:]))
        self._product = self.scratch(self._rows)
        items = (self._rows[0], 1)
        self._whole, self._part, self._overlap = (self.scratch(items) for _ in range(3))
        self._factor = self.scratch(items)

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        xp, whole, overlap = self.xp, self._whole, self._overlap
        a, b = (bottom.reshape(self._rows) for bottom in bottoms)
        for target, left, right in ((whole, a, a), (self._part, b, b), (overlap, a, b)):
            xp.multiply(left, right, out=self._product)
            self._product.sum(axis=1, keepdims=True, out=target)
        xp.add(whole, self._part, out=whole)
        xp.add(whole, 1, out=whole)
        xp.multiply(overlap, 2, out=overlap)
        xp.add(overlap, 1, out=overlap)
        xp.divide(overlap, whole, out=overlap)
        overlap.mean(out=tops[0])
        xp.subtract(1, tops[0], out=tops[0])

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        xp = self.xp
        xp.divide(dtops[0], self._whole, out=self._factor)
        xp.multiply(self._factor, 2 / max(1, self._rows[0]), out=self._factor)
        for dx, x, other in zip(dbottoms, bottoms, reversed(bottoms), strict=True):
            if dx is None:
                continue
            slope = dx.reshape(self._rows)
            xp.multiply(x.reshape(self._rows), self._overlap, out=slope)
            xp.subtract(slope, other.reshape(self._rows), out=slope)
            xp.multiply(slope, self._factor, out=slope)
