"""Lstm, the recurrent layer with ``lstm_param`` of forks of Caffe."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.layers.base import Weight, shape_text
from protonet.layers.fillers import filled_weight
from protonet.layers.recurrent import LSTM
from protonet.layers.registry import register

_PARAM = "lstm_param"


@register("Lstm")
class Lstm(LSTM):
    """At each step: i, f, o = sigmoid and g = tanh of W_x x + W_h (cont h) + b, c = cont f c + i g,
    h = o tanh(c).

    Bottom:
        0: x, T N x ..., T steps of N streams, step by step.
        1 (optional): clip, T N values: 0 where a sequence begins, else 1. No gradient.
    Top:
        0: h of every step, T N x D.
    Params:
        0: W_x, 4 D x I, gates in the order i, f, o, g.
        1: W_h, 4 D x D.
        2: b, 4 D.
    Spec:
        lstm_param: num_output (D), batch_size (N, 1), clipping_threshold (0: none), weight_filler,
        bias_filler.
    Raises:
        LayerError: without num_output, with batch_size 0, a clipping_threshold below 0 or not
        finite, or for bottoms of mismatched shapes.
    Differs:
        The state that clip carries from pass to pass is part of a snapshot.
        With clip, W_h has its true gradient; the original adds that of the state before the pass
        for one stream only, and also that of steps with a mark of 0.
    """

    bottoms = (1, 2)
    tops = (1, 1)
    weight_place = 1
    bias_place = 2

    def setup(self) -> None:
        param = self.spec.lstm_param
        for field in ("num_output", "batch_size"):
            if not getattr(param, field):
                raise LayerError(f"{_PARAM} needs {field} above 0", (_PARAM, field))
        self.bound = float(param.clipping_threshold)
        if not 0 <= self.bound < math.inf:
            raise LayerError(
                f"expected a clipping_threshold of 0 or more, got {self.bound:g}",
                (_PARAM, "clipping_threshold"),
            )
        self.outputs, self._exposed, self._static = int(param.num_output), 0, False
        self._marked = len(self.spec.bottom) > 1

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        x, streams = shapes[0], int(self.spec.lstm_param.batch_size)
        if len(x) < 2 or x[0] % streams:
            raise LayerError(
                f"expected items x ..., items a multiple of batch_size {streams}, "
                f"got {shape_text(x)}",
                ("bottom", 0),
            )
        if self._marked and (shapes[1][:1] != x[:1] or math.prod(shapes[1]) != x[0]):
            raise LayerError(
                f"expected a mark for each of {x[0]} items, got {shape_text(shapes[1])}",
                ("bottom", 1),
            )
        return [(x[0], self.outputs)]

    def declare(self, shapes: Sequence[Shape]) -> list[Weight]:
        param, rows = self.spec.lstm_param, 4 * self.outputs
        path = (_PARAM, "weight_filler")
        return [
            filled_weight((rows, math.prod(shapes[0][1:])), param.weight_filler, path),
            filled_weight((rows, self.outputs), param.weight_filler, path),
            filled_weight((rows,), param.bias_filler, (_PARAM, "bias_filler")),
        ]

    def build(self, shapes: Sequence[Shape]) -> None:
        streams = int(self.spec.lstm_param.batch_size)
        x = shapes[0]
        super().build([(x[0] // streams, streams, *x[1:])])
        self._fresh = self.device.zeros((self._steps, self._streams, 1), self.dtype)
        self._fresh[1:] = 1

    def begin(self, bottoms: Sequence[Array]) -> None:
        if not self._marked:
            for states in self._states:
                states[self._steps] = 0
        super().begin(bottoms)

    def continuation(self, bottoms: Sequence[Array]) -> Array:
        return super().continuation(bottoms) if self._marked else self._fresh

    def state(self) -> dict[str, Any]:
        return super().state() if self._marked else {}

    def restore(self, state: dict[str, Any]) -> None:
        if self._marked:
            super().restore(state)
