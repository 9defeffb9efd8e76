"""NLLLoss: the loss of logarithms of probabilities."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from protonet.blob import Array, Shape
from protonet.layers.base import Layer, Traits
from protonet.layers.labels import ClassWeights, Labels, check_labels
from protonet.layers.normalizer import Normalizer
from protonet.layers.registry import register
from protonet.proto.caffe_pb2 import LossParameter


@register("NLLLoss")
class NLLLoss(Layer):
    """L = -sum v x[label] / Z over the items not ignored, of logarithms of probabilities x.

    v is the class_weighting of the label, or 1. Z is, by ``normalization``: WEIGHTS (the default
    here), the sum of v, or 1 if that is 0; VALID, the items that count; FULL, all items;
    BATCH_SIZE, the product of the axes before the class axis; NONE, 1. Gradient: dx[label] =
    -w v / Z, 0 for other classes, with w the loss weight.

    Bottom:
        x: ... x C x ..., logarithms of probabilities, with the classes along ``axis``; label: one
        class 0 to C - 1 for each item, of any shape with that count. It gets no gradient.
    Top:
        L: scalar.
    Params:
        none.
    Spec:
        nll_loss_param: axis (1). loss_param: class_weighting (none; one for each class),
        ignore_label (none), normalization. loss_weight (1).
    Raises:
        LayerError: for an axis out of range, a wrong number of labels or weights, and, while
        running on the CPU, an invalid label.
    Differs:
        Caffe has no such layer. It is Torch7's ClassNLLCriterion (nn, lib/THNN). SoftmaxWithLoss
        computes it with its softmax, faster, and limits the loss of an item to 87.33.
    """

    bottoms = (2, 2)
    tops = (0, 1)
    no_gradient = frozenset({1})
    is_loss = True
    traits = Traits(backward_reads=frozenset())

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        axis = self.axis_of(shapes[0])
        check_labels(self, shapes, axis)
        ClassWeights.check(self, shapes[0][axis])
        return [()]

    def build(self, shapes: Sequence[Shape]) -> None:
        axis, spec = self.axis_of(shapes[0]), self.spec.loss_param
        ignored = spec.ignore_label if spec.HasField("ignore_label") else None
        self._labels = Labels(self, shapes[0], axis, ignored)
        self._weights = ClassWeights(self, self._labels)
        self._slope, self._work = self.scratch(shapes[0]), self.scratch(shapes[0])
        self._mask = self.scratch(shapes[0], np.bool_)
        self._factor = self.scratch(())
        items, batch = (int(np.prod(part)) for part in (self._labels.shape, shapes[0][:axis]))
        self._normalizer = Normalizer(self, items, batch, LossParameter.WEIGHTS)

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        xp, labels, slope = self.xp, self._labels, self._slope
        labels.read(bottoms[1])
        weights = self._weights.read()
        self._normalizer.count(labels.valid, weights)
        labels.one_hot(slope)
        xp.multiply(slope, weights, out=slope)
        xp.negative(slope, out=slope)
        # minus infinity, of other classes, is not multiplied by 0
        xp.not_equal(slope, 0.0, out=self._mask)
        self._work.fill(0)
        xp.copyto(self._work, bottoms[0], where=self._mask)
        xp.multiply(self._work, slope, out=self._work)
        self._work.sum(out=tops[0])
        xp.divide(tops[0], self._normalizer.value, out=tops[0])

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        if dbottoms[0] is not None:
            self.xp.divide(dtops[0], self._normalizer.value, out=self._factor)
            self.xp.multiply(self._slope, self._factor, out=dbottoms[0])

    def axis_of(self, shape: Shape) -> int:
        return self.axis(shape, self.spec.nll_loss_param.axis, ("nll_loss_param", "axis"))
