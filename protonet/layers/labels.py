"""The label bottom of classification layers: shape and value check, one-hot encoding, weights."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.kernels.rows import take_rows
from protonet.layers.base import Layer, shape_text

_IGNORING = ("Accuracy", "SoftmaxWithLoss")
"""Types of layers that can leave a label out."""


def check_labels(layer: Layer, shapes: Sequence[Shape], axis: int) -> None:
    """Raise LayerError unless bottom 1 has a label for each item of bottom 0 (without ``axis``)."""
    scores, labels = shapes[0], shapes[1]
    items = math.prod(scores) // scores[axis]
    found = math.prod(labels)
    if items != found:
        names = layer.spec.bottom
        raise LayerError(
            f"expected one label in '{names[1]}' for each of the {items} items of '{names[0]}' "
            f"({shape_text(scores)}, classes along axis {axis}), got {found} "
            f"({shape_text(labels)})",
            ("bottom", 1),
        )


def refuse_label(layer: Layer, label: float, count: int) -> LayerError:
    """The error for a ``label`` in bottom 1 that is not one of ``count`` classes."""
    hint = "labels count from 0"
    if label >= count:
        hint += f"; a label {label:g} needs at least {label + 1:g} scores in every item"
        if layer.type in _IGNORING:
            hint += f", and one that stands for no class an ignore_label: {label:g}"
    return LayerError(
        f"layer \"{layer.name}\" ({layer.type}): label {label:g} in '{layer.spec.bottom[1]}' "
        f"is not one of the {count} classes 0 to {count - 1}",
        ("bottom", 1),
        hint,
    )


class Labels:
    """Labels in the shape of the scores with extent 1 at the class axis.

    ``indices`` holds them as integers in the layer's float type, which is exact up to 2^24;
    ``valid`` is 1.0 where a label counts and 0.0 where it is ``ignore``, or None without one.
    """

    def __init__(self, layer: Layer, scores: Shape, axis: int, ignore: int | None) -> None:
        self.layer = layer
        self.ignore = ignore
        self.count = scores[axis]
        self.shape = (*scores[:axis], 1, *scores[axis + 1 :])
        self.indices: Array = layer.scratch(self.shape)
        self.valid: Array | None = None if ignore is None else layer.scratch(self.shape)
        along = (self.count, *(1,) * (len(scores) - axis - 1))
        self._classes: Array = layer.scratch(along)
        layer.device.put_lazily(
            lambda: np.arange(self.count).reshape(along).astype(layer.dtype), self._classes
        )

    def read(self, labels: Array) -> None:
        """Read the labels of this pass.

        Raises:
            LayerError: for an invalid label; on the CPU only, since a GPU would have to
                wait for the answer.
        """
        xp = self.layer.xp
        xp.trunc(labels.reshape(self.shape), out=self.indices)
        if self.valid is not None:
            xp.not_equal(self.indices, self.ignore, out=self.valid)
            xp.multiply(self.indices, self.valid, out=self.indices)
        if self.layer.device.is_cpu and self.indices.size:
            low, high = self.indices.min(), self.indices.max()
            if not (low >= 0 and high < self.count):
                raise refuse_label(self.layer, low if not low >= 0 else high, self.count)

    def one_hot(self, out: Array) -> None:
        """Write whether each score is the label's (1.0 or 0.0, or bool) to ``out``.

        Ignored items count as class 0 here.
        """
        self.layer.xp.equal(self.indices, self._classes, out=out)


class ClassWeights:
    """The weight of each item: the class_weighting of its label, 0 if it does not count."""

    def __init__(self, layer: Layer, labels: Labels) -> None:
        self._layer, self._labels = layer, labels
        self.values: Array = layer.scratch(labels.shape)
        self.given = bool(layer.spec.loss_param.class_weighting)
        if self.given:
            table = np.array(layer.spec.loss_param.class_weighting)
            self._table = layer.scratch(table.shape)
            self._rows = layer.scratch(labels.shape, np.int64)
            layer.device.put(table, self._table)

    @staticmethod
    def check(layer: Layer, classes: int, *, needed: bool = False) -> None:
        """Raise LayerError for another number of weights than one for each class, or none."""
        found = len(layer.spec.loss_param.class_weighting)
        if found != classes and (found or needed):
            raise LayerError(
                f"expected a class_weighting for each of {classes} classes, got {found}",
                ("loss_param", "weight_by_label_freqs" if needed else "class_weighting"),
            )

    def read(self) -> Array:
        """The weights for the labels that were read last."""
        xp, labels = self._layer.xp, self._labels
        if self.given:
            xp.copyto(self._rows, labels.indices, casting="unsafe")
            take_rows(xp, self._table, self._rows, self.values)
        else:
            self.values.fill(1.0)
        if labels.valid is not None:
            xp.multiply(self.values, labels.valid, out=self.values)
        return self.values
