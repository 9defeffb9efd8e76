"""KMaxPooling: the greatest values of an axis, in their order."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.kernels.rows import take_rows
from protonet.layers.base import Layer, LowPrecision, Traits, shape_text
from protonet.layers.registry import register

_PARAM = "k_max_pooling_param"


@register("KMaxPooling")
class KMaxPooling(Layer):
    """y are the ``k`` greatest values of x along an axis, in the order that they have there; of
    equal ones the first (Kalchbrenner et al., ACL 2014).

    Gradient: dx = dy where the value was taken, else 0.

    Bottom:
        x: any shape but a scalar.
    Top:
        y: x with k values along the axis.
    Params:
        none.
    Spec:
        k_max_pooling_param: k (required), axis (1; negative counts from the end).
    Raises:
        LayerError: for a k of 0, or more than the axis has, or an axis out of range.
    Differs:
        Caffe has no such layer; Torch7 has.
    """

    traits = Traits(
        backward_reads=frozenset(),
        low_precision=LowPrecision.WITH_BOTTOMS,
        capturable=False,  # sorting takes memory
    )

    def setup(self) -> None:
        self.k = int(self.spec.k_max_pooling_param.k)
        if not self.k:
            raise LayerError(f"{_PARAM} needs k above 0", (_PARAM, "k"))

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        (shape,) = shapes
        axis = self.axis(shape, self.spec.k_max_pooling_param.axis, (_PARAM, "axis"))
        if self.k > shape[axis]:
            raise LayerError(
                f"expected k of at most {shape[axis]}, the extent of axis {axis} of "
                f"{shape_text(shape)}, got {self.k}",
                (_PARAM, "k"),
            )
        return [(*shape[:axis], self.k, *shape[axis + 1 :])]

    def build(self, shapes: Sequence[Shape]) -> None:
        shape = shapes[0]
        axis = self.axis(shape, self.spec.k_max_pooling_param.axis)
        outer, extent, inner = math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :])
        self._x, self._y = (outer, extent, inner), (outer, self.k, inner)
        self._negative = self.scratch(self._x)
        self._places = self.scratch(self._y, np.int64)
        self._starts = self.scratch((outer, 1, inner), np.int64)
        starts = np.arange(outer)[:, None] * (extent * inner) + np.arange(inner)
        self.device.put(starts.reshape(outer, 1, inner), self._starts)

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        xp, places = self.xp, self._places
        xp.negative(bottoms[0].reshape(self._x), out=self._negative)
        order = xp.argsort(self._negative, axis=1, kind="stable")[:, : self.k]
        xp.multiply(xp.sort(order, axis=1), self._x[2], out=places)
        xp.add(places, self._starts, out=places)
        take_rows(xp, bottoms[0].reshape(-1), places.reshape(-1), tops[0].reshape(-1))

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        if dbottoms[0] is not None:
            dbottoms[0].fill(0)
            dbottoms[0].reshape(-1)[self._places.reshape(-1)] = dtops[0].reshape(-1)
