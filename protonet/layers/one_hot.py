"""OneHot: indices as vectors."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.layers.base import Layer, Traits
from protonet.layers.lookup import Rows
from protonet.layers.registry import register


@register("OneHot")
class OneHot(Layer):
    """y = 1 at index x of the last axis, 0 elsewhere. The indices get no gradient.

    Bottom:
        x: indices 0 to num_output - 1, of any shape; with first_index they count from that.
    Top:
        y: the shape of x, then num_output.
    Params:
        none.
    Spec:
        one_hot_param: num_output (required), first_index (0).
    Raises:
        LayerError: without num_output, and, while running on the CPU, for an index out of range.
    Differs:
        Caffe has no such layer.
    """

    no_gradient = frozenset({0})
    traits = Traits(backward_reads=frozenset())

    def setup(self) -> None:
        self.outputs = self.spec.one_hot_param.num_output
        if not self.outputs:
            raise LayerError(
                "num_output is missing: expected a count of 1 or more",
                ("one_hot_param",),
                "such as one_hot_param { num_output: 10 }",
            )

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        return [(*shapes[0], self.outputs)]

    def build(self, shapes: Sequence[Shape]) -> None:
        self._rows = Rows(self, 0, shapes[0], self.outputs, self.spec.one_hot_param.first_index)
        self._seen = (math.prod(shapes[0]), self.outputs)
        self._mask = self.scratch(self._seen, np.bool_)
        self._places = self.scratch((self.outputs,), np.int64)
        self.device.put_lazily(lambda: np.arange(self.outputs), self._places)

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        self._rows.read(bottoms[0])
        self.xp.equal(self._rows.indices[:, None], self._places, out=self._mask)
        self.xp.copyto(tops[0].reshape(self._seen), self._mask)

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        """Nothing: indices get no gradient."""
