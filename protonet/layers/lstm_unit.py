"""LSTMUnit, one step of an LSTM as a layer."""

from __future__ import annotations

from collections.abc import Sequence

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.kernels.lstm import LSTMStep
from protonet.layers.base import Layer, Reads, Traits, shape_text
from protonet.layers.registry import register


@register("LSTMUnit")
class LSTMUnit(Layer):
    """One step of an LSTM: c = cont f c_before + i g, h = o tanh(c), with i, f, o = sigmoid and
    g = tanh of x.

    Bottom:
        0: c_before, 1 x N x D.
        1: x, 1 x N x 4 D, the sums of the gates i, f, o, g.
        2: cont, 1 x N: 0 where a sequence begins, else 1. No gradient.
    Top:
        0: c, 1 x N x D.
        1: h, 1 x N x D.
    Params:
        none.
    Spec:
        none.
    Raises:
        LayerError: for bottoms of mismatched shapes.
    Differs:
        no.
    """

    bottoms = (3, 3)
    tops = (2, 2)
    no_gradient = frozenset({2})
    traits = Traits(backward_reads=frozenset({Reads.BOTTOMS}))

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        c, x, cont = shapes
        if len(c) != 3 or c[0] != 1:
            raise LayerError(f"expected a state of 1 x N x D, got {shape_text(c)}", ("bottom", 0))
        for place, (found, expected) in enumerate([(x, (1, c[1], 4 * c[2])), (cont, (1, c[1]))], 1):
            if found != expected:
                raise LayerError(
                    f"expected {shape_text(expected)}, got {shape_text(found)}", ("bottom", place)
                )
        return [c, c]

    def build(self, shapes: Sequence[Shape]) -> None:
        _, streams, outputs = shapes[0]
        self._acts = self.scratch((streams, 4 * outputs))
        self._dacts = self.scratch((streams, 4 * outputs))
        self._tanh, self._dc = (self.scratch((streams, outputs)) for _ in range(2))
        self._step = LSTMStep.make(self.device, self.dtype, streams, outputs)

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        (c_before,), (x,), cont = bottoms[0], bottoms[1], bottoms[2].reshape(-1, 1)
        self._acts[...] = x
        self._step.forward(cont, c_before, self._acts, tops[0][0], self._tanh, tops[1][0])

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        self._dc[...] = dtops[0][0]
        dc, dh = self._dc, dtops[1][0]
        self._step.backward(bottoms[0][0], self._acts, self._tanh, dc, dh, self._dacts, dc)
        for dx, gradient in zip(dbottoms, (self._dc, self._dacts), strict=False):
            if dx is not None:
                dx[0] = gradient
