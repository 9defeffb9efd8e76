"""CenterLoss: the distance of items to the learned centre of their class."""

from __future__ import annotations

import math
from collections.abc import Sequence

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.layers.base import Layer, Traits, Weight, shape_text
from protonet.layers.fillers import filled_weight
from protonet.layers.labels import Labels
from protonet.layers.registry import register

_PARAM = "center_loss_param"


@register("CenterLoss")
class CenterLoss(Layer):
    """L = sum over n of |x_n - c_label|^2 / (2 N).

    Gradient: dx_n = w (x_n - c_label) / N. The gradient of a centre is not that of L: it is
    sum over its items of (c - x_n) / (1 + their number), without w, so that a step moves the
    centre towards the mean of its items (Wen et al., ECCV 2016).

    Bottom:
        0: x, ... x ..., items before ``axis``, D values after it.
        1: label, one class 0 to C - 1 for each item. No gradient.
    Top:
        L: scalar.
    Params:
        0: the centres, C x D.
    Spec:
        center_loss_param: num_output (C, required), center_filler (constant 0), axis (1).
        loss_weight (1).
    Raises:
        LayerError: without num_output, for an axis out of range, a wrong number of labels,
        and, while running on the CPU, an invalid label.
    Differs:
        BVLC Caffe has no such layer; this is the one of caffe-face.
    """

    bottoms = (2, 2)
    tops = (0, 1)
    no_gradient = frozenset({1})
    is_loss = True
    traits = Traits(backward_reads=frozenset(), capturable=False)

    def setup(self) -> None:
        self.classes = int(self.spec.center_loss_param.num_output)
        if not self.classes:
            raise LayerError(f"{_PARAM} needs num_output above 0", (_PARAM,))

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        items, _ = self._flat(shapes[0])
        if math.prod(shapes[1]) != items:
            raise LayerError(
                f"expected one label in '{self.spec.bottom[1]}' for each of the {items} items of "
                f"'{self.spec.bottom[0]}' ({shape_text(shapes[0])}), got {shape_text(shapes[1])}",
                ("bottom", 1),
            )
        return [()]

    def _flat(self, shape: Shape) -> tuple[int, int]:
        """Items and values per item."""
        axis = self.axis(shape, self.spec.center_loss_param.axis, (_PARAM, "axis"))
        return math.prod(shape[:axis]), math.prod(shape[axis:])

    def declare(self, shapes: Sequence[Shape]) -> list[Weight]:
        shape = (self.classes, self._flat(shapes[0])[1])
        filler = self.spec.center_loss_param.center_filler
        return [filled_weight(shape, filler, (_PARAM, "center_filler"))]

    def build(self, shapes: Sequence[Shape]) -> None:
        self._shape = items, length = self._flat(shapes[0])
        self._items = max(1, items)
        self._labels = Labels(self, (items, self.classes), 1, None)
        self._is_label = self.scratch((items, self.classes))
        self._away, self._square = self.scratch(self._shape), self.scratch(self._shape)
        self._count, self._factor = self.scratch((self.classes,)), self.scratch(())
        self._pull = self.scratch((self.classes, length))

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        xp, away = self.xp, self._away
        self._labels.read(bottoms[1])
        self._labels.one_hot(self._is_label)
        xp.matmul(self._is_label, self.params[0].data, out=away)
        xp.subtract(bottoms[0].reshape(self._shape), away, out=away)
        xp.multiply(away, away, out=self._square)
        self._square.sum(out=tops[0])
        xp.multiply(tops[0], 0.5 / self._items, out=tops[0])

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        xp, centers = self.xp, self.params[0]
        if centers.wanted:
            xp.matmul(self._is_label.T, self._away, out=self._pull)
            self._is_label.sum(axis=0, out=self._count)
            xp.add(self._count, 1.0, out=self._count)
            xp.divide(self._pull, self._count.reshape(-1, 1), out=self._pull)
            xp.subtract(centers.diff, self._pull, out=centers.diff)
        if dbottoms[0] is not None:
            xp.divide(dtops[0], self._items, out=self._factor)
            xp.multiply(self._away, self._factor, out=dbottoms[0].reshape(self._shape))
