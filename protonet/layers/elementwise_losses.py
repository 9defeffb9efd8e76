"""ElementwiseLoss: a function of each value and its target, summed."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.kernels.elementwise import sigmoid, softplus
from protonet.layers.base import Layer, Traits, shape_text
from protonet.layers.normalizer import Normalizer
from protonet.layers.registry import register
from protonet.proto.caffe_pb2 import ElementwiseLossParameter, LossParameter

_PARAM = "elementwise_loss_param"
_TINY = 1e-12
"""What is added to probabilities before their logarithm is taken."""


@dataclass(frozen=True)
class Room:
    """Where a function writes its values f and slopes df / dx, and its scratch: vectors."""

    xp: Any
    f: Array
    slope: Array
    work: Array
    mask: Array
    margin: float


Function = Callable[[Room, Array, Array], None]


def _square(room: Room, x: Array, t: Array) -> None:
    room.xp.subtract(x, t, out=room.slope)
    room.xp.multiply(room.slope, room.slope, out=room.f)
    room.xp.multiply(room.slope, 2.0, out=room.slope)


def _absolute(room: Room, x: Array, t: Array) -> None:
    xp = room.xp
    xp.subtract(x, t, out=room.f)
    xp.greater_equal(room.f, 0.0, out=room.mask)
    xp.absolute(room.f, out=room.f)
    xp.multiply(room.mask, 2.0, out=room.slope)
    xp.subtract(room.slope, 1.0, out=room.slope)


def _smooth_l1(room: Room, x: Array, t: Array) -> None:
    xp, slope = room.xp, room.slope
    xp.subtract(x, t, out=room.f)
    xp.maximum(room.f, -1.0, out=slope)
    xp.minimum(slope, 1.0, out=slope)
    # f(d) = c (d - c / 2) with the slope c
    xp.multiply(slope, 0.5, out=room.work)
    xp.subtract(room.f, room.work, out=room.f)
    xp.multiply(room.f, slope, out=room.f)


def _cross_entropy(room: Room, x: Array, t: Array) -> None:
    xp, f, slope, work = room.xp, room.f, room.slope, room.work
    xp.subtract(1.0, x, out=work)
    xp.add(work, _TINY, out=work)
    xp.add(x, _TINY, out=f)
    xp.subtract(x, t, out=slope)
    xp.divide(slope, f, out=slope)
    xp.divide(slope, work, out=slope)
    # -log(1 - x) - t (log(x) - log(1 - x))
    xp.log(f, out=f)
    xp.log(work, out=work)
    xp.subtract(f, work, out=f)
    xp.multiply(f, t, out=f)
    xp.add(f, work, out=f)
    xp.negative(f, out=f)


def _sigmoid_cross_entropy(room: Room, x: Array, t: Array) -> None:
    xp, f, slope, work = room.xp, room.f, room.slope, room.work
    softplus(xp, x, f, work)
    xp.multiply(x, t, out=work)
    xp.subtract(f, work, out=f)
    sigmoid(xp, x, slope)
    xp.subtract(slope, t, out=slope)


def _kl_divergence(room: Room, x: Array, t: Array) -> None:
    xp, f, mask, slope = room.xp, room.f, room.mask, room.slope
    xp.greater(t, 0.0, out=mask)
    xp.multiply(t, mask, out=slope)
    xp.logical_not(mask, out=mask)
    xp.add(slope, mask, out=f)  # the logarithm of 1 where there is no target
    xp.log(f, out=f)
    xp.subtract(f, x, out=f)
    xp.multiply(f, slope, out=f)
    xp.negative(slope, out=slope)


def _hinge(room: Room, x: Array, t: Array) -> None:
    """Write max(0, margin - x t) to ``f`` and margin - x t to ``slope``."""
    room.xp.multiply(x, t, out=room.slope)
    room.xp.subtract(room.margin, room.slope, out=room.slope)
    room.xp.maximum(room.slope, 0.0, out=room.f)


def _margin(room: Room, x: Array, t: Array) -> None:
    _hinge(room, x, t)
    room.xp.greater(room.slope, 0.0, out=room.mask)
    room.xp.multiply(room.mask, t, out=room.slope)
    room.xp.negative(room.slope, out=room.slope)


def _ranking(room: Room, x: Array, t: Array) -> None:
    _hinge(room, x, t)
    room.xp.greater_equal(room.slope, 0.0, out=room.mask)
    room.xp.multiply(room.mask, t, out=room.slope)
    room.xp.negative(room.slope, out=room.slope)


def _soft_margin(room: Room, x: Array, t: Array) -> None:
    xp, f, slope = room.xp, room.f, room.slope
    xp.multiply(x, t, out=slope)
    xp.negative(slope, out=slope)
    softplus(xp, slope, f, room.work)
    sigmoid(xp, slope, slope)
    xp.multiply(slope, t, out=slope)
    xp.negative(slope, out=slope)


def _hinge_embedding(room: Room, x: Array, t: Array) -> None:
    xp, f, slope, work, mask = room.xp, room.f, room.slope, room.work, room.mask
    xp.subtract(room.margin, x, out=work)
    xp.less(work, 0.0, out=mask)  # beyond the margin
    xp.maximum(work, 0.0, out=work)
    xp.not_equal(t, 1.0, out=slope)
    xp.multiply(work, slope, out=work)
    xp.not_equal(t, -1.0, out=slope)
    xp.multiply(x, slope, out=f)
    xp.add(f, work, out=f)
    # t, but 0 where t is -1 and x beyond the margin
    xp.logical_not(slope, out=slope)
    xp.multiply(slope, mask, out=slope)
    xp.add(slope, t, out=slope)


def _cosine_embedding(room: Room, x: Array, t: Array) -> None:
    xp, f, slope, work, mask = room.xp, room.f, room.slope, room.work, room.mask
    xp.equal(t, 1.0, out=slope)
    xp.multiply(slope, -2.0, out=work)
    xp.add(work, 1.0, out=work)  # -1 for pairs that are alike, else 1
    xp.multiply(x, work, out=f)
    xp.add(f, slope, out=f)
    xp.equal(t, -1.0, out=mask)
    xp.multiply(mask, room.margin, out=slope)
    xp.subtract(f, slope, out=f)
    xp.greater(f, 0.0, out=slope)
    xp.multiply(slope, work, out=slope)
    # only of unlike pairs the loss is not below 0
    xp.maximum(f, 0.0, out=work)
    xp.multiply(work, mask, out=work)
    xp.logical_not(mask, out=mask)
    xp.multiply(f, mask, out=f)
    xp.add(f, work, out=f)


FUNCTIONS: dict[int, Function] = {
    ElementwiseLossParameter.SQUARE: _square,
    ElementwiseLossParameter.ABSOLUTE: _absolute,
    ElementwiseLossParameter.SMOOTH_L1: _smooth_l1,
    ElementwiseLossParameter.CROSS_ENTROPY: _cross_entropy,
    ElementwiseLossParameter.SIGMOID_CROSS_ENTROPY: _sigmoid_cross_entropy,
    ElementwiseLossParameter.KL_DIVERGENCE: _kl_divergence,
    ElementwiseLossParameter.MARGIN: _margin,
    ElementwiseLossParameter.RANKING: _ranking,
    ElementwiseLossParameter.SOFT_MARGIN: _soft_margin,
    ElementwiseLossParameter.HINGE_EMBEDDING: _hinge_embedding,
    ElementwiseLossParameter.COSINE_EMBEDDING: _cosine_embedding,
}


@register("ElementwiseLoss")
class ElementwiseLoss(Layer):
    """L = sum v f(x, t) / Z, with f by ``operation``; dx = w v f'(x, t) / Z, w the loss weight.

    - SQUARE: (x - t)^2. ABSOLUTE: |x - t|, of slope 1 at 0.
    - SMOOTH_L1: d^2 / 2 where d = |x - t| < 1, d - 1/2 beyond.
    - CROSS_ENTROPY: -t log(x + e) - (1 - t) log(1 - x + e), with e = 1e-12.
    - SIGMOID_CROSS_ENTROPY: log(1 + exp(x)) - x t.
    - KL_DIVERGENCE: t (log t - x) where t > 0, else 0.
    - MARGIN and RANKING: max(0, m - x t), of slope 0 (MARGIN) or -t (RANKING) where x t = m.
    - SOFT_MARGIN: log(1 + exp(-x t)).
    - HINGE_EMBEDDING: x where t = 1, max(0, m - x) where t = -1.
    - COSINE_EMBEDDING: 1 - x where t = 1, max(0, x - m) where t = -1.

    Bottom:
        x: any shape; t: as many values. t gets no gradient.
    Top:
        L: scalar.
    Params:
        none.
    Spec:
        elementwise_loss_param: operation (SQUARE), margin (m, 1), weight (v, 1; repeated, one for
        each value of the last axis). loss_param: normalization: FULL (the default here) and VALID
        (Z = all values), BATCH_SIZE (the extent of the first axis), NONE (1). loss_weight (1).
    Raises:
        LayerError: when the bottoms differ in count, weights do not fit the last axis, and, while
        running on the CPU, for an x below 0 or above 1 with CROSS_ENTROPY.
    Differs:
        Caffe has no such layer. The functions are those of Torch7's criterions (nn, lib/THNN).
        For other t, HINGE_EMBEDDING is x + max(0, m - x), with t in place of its slope, and
        COSINE_EMBEDDING is x, of slope 0 where x <= 0.
    """

    bottoms = (2, 2)
    tops = (0, 1)
    no_gradient = frozenset({1})
    is_loss = True
    traits = Traits(backward_reads=frozenset())

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        x, t = shapes
        if math.prod(x) != math.prod(t):
            raise LayerError(
                f"expected a target for each value of '{self.spec.bottom[0]}' ({shape_text(x)}), "
                f"got '{self.spec.bottom[1]}' ({shape_text(t)})",
                ("bottom", 1),
            )
        weights = len(self.spec.elementwise_loss_param.weight)
        if weights and weights != (x or (1,))[-1]:
            raise LayerError(
                f"expected a weight for each value of the last axis of '{self.spec.bottom[0]}' "
                f"({shape_text(x)}), got {weights}",
                (_PARAM, "weight"),
            )
        return [()]

    def build(self, shapes: Sequence[Shape]) -> None:
        param, count = self.spec.elementwise_loss_param, math.prod(shapes[0])
        self._function, self._flat = FUNCTIONS[param.operation], (count,)
        f, slope, work = (self.scratch(self._flat) for _ in range(3))
        mask = self.scratch(self._flat, np.bool_)
        self._room = Room(self.xp, f, slope, work, mask, param.margin)
        self._normalizer = Normalizer(self, count, (shapes[0] or (1,))[0], LossParameter.FULL)
        self._factor = self.scratch(())
        self._weights: Array | None = None
        if param.weight:
            self._weights = self.scratch((len(param.weight),))
            self.device.put(np.array(param.weight, self.dtype), self._weights)

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        room, (x, t) = self._room, (bottom.reshape(self._flat) for bottom in bottoms)
        if self._function is _cross_entropy and self.device.is_cpu:
            self._check_probabilities(x)
        self._function(room, x, t)
        if self._weights is not None:
            for values in (room.f, room.slope):
                rows = values.reshape(-1, self._weights.size)
                self.xp.multiply(rows, self._weights, out=rows)
        room.f.sum(out=tops[0])
        self.xp.divide(tops[0], self._normalizer.value, out=tops[0])

    def _check_probabilities(self, x: Array) -> None:
        low, high = (x.min(), x.max()) if x.size else (0, 0)
        if low < 0 or high > 1:
            raise LayerError(
                f'layer "{self.name}" ({self.type}): expected probabilities from 0 to 1 in '
                f"'{self.spec.bottom[0]}', got {low if low < 0 else high:g}",
                ("bottom", 0),
                "such as a Sigmoid gives; SIGMOID_CROSS_ENTROPY takes scores of any size",
            )

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        if dbottoms[0] is not None:
            self.xp.divide(dtops[0], self._normalizer.value, out=self._factor)
            self.xp.multiply(self._room.slope, self._factor, out=dbottoms[0].reshape(self._flat))
