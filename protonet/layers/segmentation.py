"""Metrics of segmentation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.layers.base import Layer, Traits
from protonet.layers.labels import check_labels, refuse_label
from protonet.layers.registry import register


@register("SegAccuracy")
class SegAccuracy(Layer):
    """Pixel accuracy, mean recall and mean Jaccard index of segmentations.

    With hits h_c, pixels n_c of class c, and pixels p_c predicted as c: sum h / sum n, the
    mean of h_c / n_c over the classes with pixels, and of h_c / (n_c + p_c - h_c) over all classes,
    1 for a class without labels and predictions.

    Bottom:
        x: N x C x H x W, scores; with C = 1, class 1 is predicted where the score is above 0.5.
        label: N x 1 x H x W. Neither gets a gradient.
    Top:
        1 x 1 x 1 x 3 each: the three; and precision, recall and Jaccard index of each
        ``output_label``.
    Params:
        none.
    Spec:
        seg_accuracy_param: ignore_label (none; may be repeated), output_label (none; may be
        repeated), reset (true; with false the pixels of all passes count).
    Raises:
        LayerError: for mismatched shapes, a number of tops other than that of
        output_label and one, an output_label that is not a class, a loss_weight, and, while running
        on the CPU, an invalid label that is not ignored.
    Differs:
        Of equal scores the first class is predicted, as in PSPNet's fork; in DeepLab's, the last.
        The precision and recall of a class without pixels are 0, there NaN.
    """

    bottoms = (2, 2)
    tops = (1, None)
    no_gradient = frozenset({0, 1})
    traits = Traits(backward_reads=frozenset(), capturable=False)

    def setup(self) -> None:
        spec = self.spec.seg_accuracy_param
        self.ignore, self.output_labels = sorted(set(spec.ignore_label)), list(spec.output_label)
        if len(self.spec.top) != 1 + len(self.output_labels):
            raise LayerError(
                f"expected {1 + len(self.output_labels)} tops: one for all classes and one for "
                f"each output_label, got {len(self.spec.top)}",
                ("seg_accuracy_param",),
                "such as seg_accuracy_param { output_label: 1 } for a second top",
            )
        if any(self.spec.loss_weight):
            raise LayerError(
                "an accuracy has no gradient and cannot be part of the objective",
                ("loss_weight",),
                "train on a loss, such as SoftmaxWithLoss",
            )

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        self.axis(shapes[0], 1, ("bottom", 0))
        check_labels(self, shapes, 1)
        classes = max(2, shapes[0][1])
        for place, label in enumerate(self.output_labels):
            if not 0 <= label < classes:
                raise LayerError(
                    f"expected 0 <= output_label < {classes}, the number of classes, got {label}",
                    ("seg_accuracy_param", "output_label", place),
                )
        return [(1, 1, 1, 3)] * len(self.spec.top)

    def build(self, shapes: Sequence[Shape]) -> None:
        x = shapes[0]
        self._shape, self.classes = (x[0], *x[2:]), max(2, x[1])
        self._found = self.scratch(self._shape, np.intp)
        self._labels, self._best = (self.scratch(self._shape) for _ in range(2))
        self._valid, self._one, self._both = (self.scratch(self._shape, np.bool_) for _ in range(3))
        self._now, self._counts = (self.scratch((3, self.classes), np.int64) for _ in range(2))
        self._counts.fill(0)

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        xp = self.xp
        self._read_labels(bottoms[1])
        self._predict(bottoms[0])
        self._count()
        if self.spec.seg_accuracy_param.reset:
            xp.copyto(self._counts, self._now)
        else:
            xp.add(self._counts, self._now, out=self._counts)
        self._write(tops)

    def _read_labels(self, labels: Array) -> None:
        xp, valid = self.xp, self._valid
        xp.trunc(labels.reshape(self._shape), out=self._labels)
        valid.fill(True)
        for label in self.ignore:
            xp.not_equal(self._labels, label, out=self._one)
            xp.logical_and(valid, self._one, out=valid)
        if self.device.is_cpu and valid.size:
            xp.multiply(self._labels, valid, out=self._best)
            low, high = self._best.min(), self._best.max()
            if not (low >= 0 and high < self.classes):
                raise refuse_label(self, low if not low >= 0 else high, self.classes)

    def _predict(self, x: Array) -> None:
        """Find the first class with the highest score for each pixel."""
        xp, best, found, above = self.xp, self._best, self._found, self._one
        best.fill(0.5)
        if x.shape[1] > 1:
            xp.copyto(best, x[:, 0])
        found.fill(0)
        for c in range(1, self.classes):
            scores = x[:, min(c, x.shape[1] - 1)]
            xp.greater(scores, best, out=above)
            xp.copyto(found, c, where=above)
            xp.copyto(best, scores, where=above)

    def _count(self) -> None:
        """Count hits, pixels and predictions of each class."""
        xp, one, both, now = self.xp, self._one, self._both, self._now
        for c in range(self.classes):
            xp.equal(self._labels, c, out=both)
            xp.logical_and(both, self._valid, out=both)
            both.sum(out=now[1, c, ...])
            xp.equal(self._found, c, out=one)
            xp.logical_and(one, self._valid, out=one)
            one.sum(out=now[2, c, ...])
            xp.logical_and(one, both, out=both)
            both.sum(out=now[0, c, ...])

    def _write(self, tops: Sequence[Array]) -> None:
        xp = self.xp
        hits, pixels, predicted = self._counts.astype(np.float64)
        union = pixels + predicted - hits
        precision, recall = hits / xp.maximum(predicted, 1), hits / xp.maximum(pixels, 1)
        jaccard = xp.where(union > 0, hits / xp.maximum(union, 1), 1.0)
        first = tops[0].reshape(3)
        first[0] = hits.sum() / xp.maximum(pixels.sum(), 1)
        first[1] = recall.sum() / xp.maximum((pixels > 0).sum(), 1)
        first[2] = jaccard.mean()
        for label, top in zip(self.output_labels, tops[1:], strict=True):
            for place, values in enumerate((precision, recall, jaccard)):
                top.reshape(3)[place] = values[label]
