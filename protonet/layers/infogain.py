"""InfogainLoss: a softmax loss with a weight for each pair of label and class."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from protonet.blob import Array, Shape
from protonet.errors import FormatError, LayerError, UsageError
from protonet.formats.blobs import to_array
from protonet.formats.kind import read_message
from protonet.kernels.product import BatchProduct
from protonet.kernels.softmax import softmax
from protonet.layers.base import Layer, Traits, shape_text
from protonet.layers.class_losses import LEAST
from protonet.layers.labels import Labels, check_labels
from protonet.layers.normalizer import Normalizer
from protonet.layers.registry import register
from protonet.proto.caffe_pb2 import BlobProto


@register("InfogainLoss")
class InfogainLoss(Layer):
    """L = -sum H[label, k] log(max(p[k], 1e-20)) / Z, with p = softmax(x).

    H is a C x C matrix of weights of classes k for each label; with the identity matrix this is
    SoftmaxWithLoss. Z is as there. Gradient: dx[k] = w (p[k] sum_j H[label, j] - H[label, k]) / Z,
    and 0 for items to ignore, with w the loss weight.

    Bottom:
        x: ... x C x ..., scores with the classes along ``axis``; label: one class 0 to C - 1
        for each item; H, unless ``source`` names it: C x C values. Only x gets a gradient.
    Top:
        L: scalar; and, with a second top, p in the shape of x.
    Params:
        none.
    Spec:
        infogain_loss_param: source (a .binaryproto file with H), axis (1). loss_param:
        ignore_label (none), normalization (VALID), normalize. loss_weight (1).
    Raises:
        LayerError: without H or with two of them, for a file that cannot be read, a matrix that
        is not C x C, an axis out of range, a wrong number of labels, a loss_weight
        for p, and, while running on the CPU, an invalid label.
    Differs:
        A second top needs no loss_weight. A label out of range is an error, not a stray read.
        H in both a file and a bottom is refused; Caffe takes the bottom.
    """

    bottoms = (2, 3)
    tops = (0, 2)
    no_gradient = frozenset({1, 2})
    traits = Traits(backward_reads=frozenset())
    is_loss = True

    def setup(self) -> None:
        spec = self.spec.infogain_loss_param
        loss = self.spec.loss_param
        self.ignore = loss.ignore_label if loss.HasField("ignore_label") else None
        self._read: np.ndarray | None = None
        given = len(self.spec.bottom) > 2
        if given == spec.HasField("source"):
            raise LayerError(
                "expected the matrix H in one place, got "
                + (
                    "both a source and a third bottom" if given else "neither a source nor a bottom"
                ),
                ("infogain_loss_param",) if spec.HasField("source") else (),
                "name a .binaryproto file in infogain_loss_param { source }, or a third bottom",
            )
        if not given:
            self._read = self._read_matrix()
        if any(self.spec.loss_weight[1:]):
            raise LayerError(
                "the probabilities of the second top cannot be part of the objective",
                ("loss_weight", 1),
                "give it loss_weight: 0",
            )

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        axis = self.axis_of(shapes[0])
        check_labels(self, shapes, axis)
        matrix = shapes[2] if self._read is None else self._read.shape
        classes = shapes[0][axis]
        if math.prod(matrix) != classes * classes:
            raise LayerError(
                f"expected a matrix H of {classes} x {classes} classes, got {shape_text(matrix)}",
                ("bottom", 2) if self._read is None else ("infogain_loss_param", "source"),
            )
        return [(), shapes[0]][: max(1, len(self.spec.top))]

    def build(self, shapes: Sequence[Shape]) -> None:
        shape, axis = shapes[0], self.axis_of(shapes[0])
        self._class_axis, classes = axis, shape[axis]
        outer = math.prod(shape[:axis])
        self._labels = Labels(self, shape, axis, self.ignore)
        self._view_shape = (outer, classes, math.prod(shape[axis + 1 :]))
        self._p, self._one_hot = self.scratch(shape), self.scratch(shape)
        self._worth, self._product = self.scratch(shape), self.scratch(shape)
        self._per_item = self.scratch(self._labels.shape)
        self._factor = self.scratch(())
        self._matrix = self.scratch((classes, classes))
        self._lookup = BatchProduct.make(
            self.device, self.dtype, outer, classes, classes, self._view_shape[2]
        )
        if self._read is not None:
            self.device.put(self._read.reshape(self._matrix.shape).astype(self.dtype), self._matrix)
        self._normalizer = Normalizer(self, math.prod(self._labels.shape), outer)

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        xp, labels, worth, product = self.xp, self._labels, self._worth, self._product
        labels.read(bottoms[1])
        labels.one_hot(self._one_hot)
        if self._read is None:
            xp.copyto(self._matrix, bottoms[2].reshape(self._matrix.shape))
        # H[label] for each item: the transposed matrix times the column of the label.
        self._lookup.forward(
            self._matrix, self._one_hot.reshape(self._view_shape), worth, transpose_a=True
        )
        if labels.valid is not None:
            xp.multiply(worth, labels.valid, out=worth)
            self._normalizer.count(labels.valid)
        softmax(xp, bottoms[0], self._class_axis, self._p, self._per_item)
        xp.maximum(self._p, LEAST, out=product)
        xp.log(product, out=product)
        xp.multiply(product, worth, out=product)
        product.sum(out=tops[0])
        xp.divide(tops[0], self._normalizer.value, out=tops[0])
        xp.negative(tops[0], out=tops[0])
        if len(tops) > 1:
            xp.copyto(tops[1], self._p)

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        xp, dx = self.xp, dbottoms[0]
        if dx is None:
            return
        self._worth.sum(axis=self._class_axis, out=self._per_item, keepdims=True)
        xp.multiply(self._p, self._per_item, out=dx)
        xp.subtract(dx, self._worth, out=dx)
        xp.divide(dtops[0], self._normalizer.value, out=self._factor)
        xp.multiply(dx, self._factor, out=dx)

    def _read_matrix(self) -> np.ndarray:
        """Read H from the file ``source``."""
        path = self.context.find(self.spec.infogain_loss_param.source)
        try:
            return to_array(read_message(path, BlobProto, "a .binaryproto"), f"{path}: the matrix")
        except (FormatError, UsageError) as error:
            raise LayerError(str(error), ("infogain_loss_param", "source")) from error

    def axis_of(self, shape: Shape) -> int:
        return self.axis(shape, self.spec.infogain_loss_param.axis, ("infogain_loss_param", "axis"))
