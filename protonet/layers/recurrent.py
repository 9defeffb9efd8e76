"""Recurrent layers: LSTM and RNN."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from protonet.blob import Array, Param, Shape
from protonet.errors import LayerError
from protonet.kernels.activations import TanH
from protonet.kernels.bias import BiasGradient
from protonet.kernels.lstm import LSTMStep
from protonet.kernels.product import Product
from protonet.layers.base import Reads, Stateful, Traits, Weight, shape_text
from protonet.layers.fillers import filled_weight
from protonet.layers.registry import register

_PARAM = "recurrent_param"


class Recurrent(Stateful):
    """Base of LSTM and RNN: sequences of T steps of N streams, static input, hidden state.

    ``hidden`` is the number of state arrays carried between steps, ``gates`` the number of sums
    for each output. The final state of a pass is the initial state of the next one, unless
    ``expose_hidden`` makes the states bottoms and tops.
    """

    bottoms = (2, 5)
    tops = (1, 3)
    no_gradient = frozenset({1})
    traits = Traits(backward_reads=frozenset({Reads.BOTTOMS}))
    hidden: ClassVar[int]
    gates: ClassVar[int]
    bias_place: ClassVar[int] = 1

    def setup(self) -> None:
        param = self.spec.recurrent_param
        if not param.num_output:
            raise LayerError(f"{_PARAM} needs num_output above 0", (_PARAM, "num_output"))
        self.outputs = int(param.num_output)
        self._exposed = self.hidden if param.expose_hidden else 0
        least = 2 + self._exposed
        found = len(self.spec.bottom)
        if found not in (least, least + 1):
            raise LayerError(
                f"expected {least} bottoms, or {least + 1} with a static input, got {found}"
            )
        if len(self.spec.top) != 1 + self._exposed:
            raise LayerError(f"expected {1 + self._exposed} top(s), got {len(self.spec.top)}")
        self._static = found > least

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        x, cont = shapes[:2]
        if len(x) < 2:
            raise LayerError(f"expected steps x streams x ..., got {shape_text(x)}", ("bottom", 0))
        if cont != x[:2]:
            raise LayerError(
                f"expected {shape_text(x[:2])} for the continuation marks, got {shape_text(cont)}",
                ("bottom", 1),
            )
        state = (1, x[1], self.outputs)
        if self._static and shapes[2][:1] != (x[1],):
            raise LayerError(
                f"expected a static input for each of {x[1]} streams, got {shape_text(shapes[2])}",
                ("bottom", 2),
            )
        first = 2 + self._static
        for place, shape in enumerate(shapes[first:], first):
            if shape != state:
                raise LayerError(
                    f"expected a state of {shape_text(state)}, got {shape_text(shape)}",
                    ("bottom", place),
                )
        return [(*x[:2], self.outputs), *[state] * self._exposed]

    def declare(self, shapes: Sequence[Shape]) -> list[Weight]:
        rows = self.gates * self.outputs
        weights = [self._weight((rows, math.prod(shapes[0][2:]))), self._bias(rows)]
        if self._static:
            weights.append(self._weight((rows, math.prod(shapes[2][1:]))))
        return [*weights, self._weight((rows, self.outputs))]

    def _weight(self, shape: Shape) -> Weight:
        filler = self.spec.recurrent_param.weight_filler
        return filled_weight(shape, filler, (_PARAM, "weight_filler"))

    def _bias(self, count: int) -> Weight:
        filler = self.spec.recurrent_param.bias_filler
        return filled_weight((count,), filler, (_PARAM, "bias_filler"))

    def build(self, shapes: Sequence[Shape]) -> None:
        self._steps, self._streams = shapes[0][:2]
        rows = self.gates * self.outputs
        steps = (self._steps, self._streams)
        self._acts = self.scratch((*steps, rows))
        self._dacts = self.scratch((*steps, rows))
        self._before = self.scratch((*steps, self.outputs))
        self._states = [
            self.device.zeros((self._steps + 1, self._streams, self.outputs), self.dtype)
            for _ in range(self.hidden)
        ]
        self._carried = [self.scratch((self._streams, self.outputs)) for _ in range(self.hidden)]
        self._still = self.scratch((self._streams, rows))
        count = self._steps * self._streams
        self._of_input = self.product(count, math.prod(shapes[0][2:]), rows)
        if self._static:
            self._of_static = self.product(self._streams, math.prod(shapes[2][1:]), rows)
        self._of_step = self.product(self._streams, self.outputs, rows)
        self._of_hidden = self.product(count, self.outputs, rows)
        self._bias_gradient = BiasGradient.make(self.device, self.dtype, count, rows, 1)

    def product(self, rows: int, inputs: int, outputs: int) -> Product:
        """Products with a weight of outputs x inputs."""
        return Product.make(self.device, self.dtype, rows, inputs, outputs, False)

    def begin(self, bottoms: Sequence[Array]) -> None:
        """Compute the input's part of the sums of the gates, and set the initial states."""
        weight, bias = self.params[0].data, self.params[self.bias_place].data
        self._of_input.forward(bottoms[0], weight, bias, self._acts)
        if self._static:
            self._of_static.forward(bottoms[2], self.params[2].data, None, self._still)
            self.xp.add(self._acts, self._still, out=self._acts)
        given = bottoms[2 + self._static :]
        for place, states in enumerate(self._states):
            states[0] = given[place][0] if self._exposed else states[self._steps]

    def add_recurrence(self, step: int, cont: Array, weight: Array) -> None:
        """Add the previous step's hidden values, where the sequence continues."""
        self.xp.multiply(self._states[0][step], cont, out=self._before[step])
        self._of_step.accumulate(self._before[step], weight, self._acts[step])

    def end(self, tops: Sequence[Array]) -> None:
        """Write the final states to the tops of expose_hidden."""
        for top, states in zip(tops[1:], self._states, strict=False):
            top[0] = states[self._steps]

    def parameter_gradients(
        self, bottoms: Sequence[Array], dbottoms: Sequence[Array | None], weight: Param
    ) -> None:
        """Gradients of the input, its parameters and ``weight``, from those of all sums."""
        params, dacts = self.params, self._dacts
        add_weight_gradient(params[0], self._of_input, dacts, bottoms[0])
        bias = params[self.bias_place]
        if bias.wanted:
            self._bias_gradient.learn(dacts, None, bias.diff)
        add_weight_gradient(weight, self._of_hidden, dacts, self._before)
        if dbottoms[0] is not None:
            self._of_input.backward(dacts, params[0].data, dbottoms[0])
        if self._static:
            self.xp.sum(dacts, axis=0, out=self._still)
            add_weight_gradient(params[2], self._of_static, self._still, bottoms[2])
            if dbottoms[2] is not None:
                self._of_static.backward(self._still, params[2].data, dbottoms[2])
        for dx in dbottoms[2 + self._static :]:
            if dx is not None:
                dx[...] = 0.0

    def state(self) -> dict[str, Any]:
        if self._exposed:
            return {}
        last = [self.device.get(states[self._steps]) for states in self._states]
        return {"hidden": [base64.b64encode(array.tobytes()).decode() for array in last]}

    def restore(self, state: dict[str, Any]) -> None:
        for states, text in zip(self._states, state["hidden"], strict=True):
            host = np.frombuffer(base64.b64decode(text), states.dtype)
            self.device.put(host, states[self._steps])


def add_weight_gradient(param: Param, product: Product, dy: Array, x: Array) -> None:
    """Add dy^T x to the gradient of a weight, if needed."""
    if param.wanted:
        product.learn(dy, x, param.diff)


@register("LSTM")
class LSTM(Recurrent):
    """At each step: i, f, o = sigmoid and g = tanh of W_x x + b + W_h (cont h), c = cont f c + i g,
    h = o tanh(c).

    Bottom:
        0: x, T x N x ..., T steps of N streams.
        1: cont, T x N: 0 where a sequence begins, else 1. No gradient.
        2 (optional): x_static, N x ..., added at every step through a weight of its own.
        then, with expose_hidden: h_0 and c_0, 1 x N x D.
    Top:
        0: h of every step, T x N x D.
        then, with expose_hidden: h_T and c_T, 1 x N x D.
    Params:
        0: W_x, 4 D x I, gates in the order i, f, o, g.
        1: b, 4 D.
        2 (with a static input): W_static, 4 D x S.
        last: W_h, 4 D x D.
    Spec:
        recurrent_param: num_output (D), weight_filler, bias_filler, expose_hidden (false).
    Raises:
        LayerError: without num_output, or for bottoms of mismatched shapes.
    Differs:
        debug_info has no effect. The state is carried from pass to pass, as in Caffe, and is
        part of a snapshot.
    """

    hidden = 2
    gates = 4
    weight_place: ClassVar[int] = -1
    bound: float = 0.0
    """The bound that gradients of gate sums are clipped to; 0 for none."""

    def build(self, shapes: Sequence[Shape]) -> None:
        super().build(shapes)
        self._step = LSTMStep.make(self.device, self.dtype, self._streams, self.outputs)
        self._tanh = self.scratch((self._steps, self._streams, self.outputs))

    def continuation(self, bottoms: Sequence[Array]) -> Array:
        return bottoms[1].reshape(self._steps, self._streams, 1)

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        self.begin(bottoms)
        h, c = self._states
        cont = self.continuation(bottoms)
        for t in range(self._steps):
            self.add_recurrence(t, cont[t], self.params[self.weight_place].data)
            self._step.forward(cont[t], c[t], self._acts[t], c[t + 1], self._tanh[t], h[t + 1])
        tops[0].reshape(h[1:].shape)[...] = h[1:]
        self.end(tops)

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        xp, (dh, dc), weight = self.xp, self._carried, self.params[self.weight_place]
        cont = self.continuation(bottoms)
        dh[...] = dc[...] = 0.0  # of exposed states too
        dy = dtops[0].reshape(self._tanh.shape)
        for t in range(self._steps - 1, -1, -1):
            xp.add(dh, dy[t], out=dh)
            c, acts, tanh = self._states[1][t], self._acts[t], self._tanh[t]
            self._step.backward(c, acts, tanh, dc, dh, self._dacts[t], dc)
            if self.bound:
                xp.clip(self._dacts[t], -self.bound, self.bound, out=self._dacts[t])
            self._of_step.backward(self._dacts[t], weight.data, dh)
            xp.multiply(dh, cont[t], out=dh)
        self.parameter_gradients(bottoms, dbottoms, weight)


@register("RNN")
class RNN(Recurrent):
    """At each step: h = tanh(W_x x + b + W_h (cont h)), y = tanh(W_y h + b_y).

    Bottom:
        0: x, T x N x ..., T steps of N streams.
        1: cont, T x N: 0 where a sequence begins, else 1. No gradient.
        2 (optional): x_static, N x ..., added at every step through a weight of its own.
        then, with expose_hidden: h_0, 1 x N x D.
    Top:
        0: y of every step, T x N x D.
        then, with expose_hidden: h_T, 1 x N x D.
    Params:
        0: W_x, D x I.
        1: b, D.
        2 (with a static input): W_static, D x S.
        then: W_h, D x D; W_y, D x D; b_y, D.
    Spec:
        recurrent_param: num_output (D), weight_filler, bias_filler, expose_hidden (false).
    Raises:
        LayerError: without num_output, or for bottoms of mismatched shapes.
    Differs:
        debug_info has no effect. The state is carried from pass to pass, as in Caffe, and is
        part of a snapshot.
    """

    hidden = 1
    gates = 1
    traits = replace(Recurrent.traits, backward_reads=frozenset({Reads.BOTTOMS, Reads.TOPS}))

    def declare(self, shapes: Sequence[Shape]) -> list[Weight]:
        output = [self._weight((self.outputs, self.outputs)), self._bias(self.outputs)]
        return [*super().declare(shapes), *output]

    def build(self, shapes: Sequence[Shape]) -> None:
        super().build(shapes)
        steps = (self._steps, self._streams, self.outputs)
        self._dy, self._dh = self.scratch(steps), self.scratch(steps)
        self._bend = TanH.make(self.device, self.dtype, steps[1:])
        self._bend_output = TanH.make(self.device, self.dtype, steps)
        self._of_output = self.product(math.prod(steps[:2]), self.outputs, self.outputs)

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        h, y = self._states[0], tops[0]
        self.begin(bottoms)
        cont = bottoms[1].reshape(self._steps, self._streams, 1)
        for t in range(self._steps):
            self.add_recurrence(t, cont[t], self.params[-3].data)
            self._bend.forward(self._acts[t], h[t + 1])
        self._of_output.forward(h[1:], self.params[-2].data, self.params[-1].data, y)
        self._bend_output.forward(y, y)
        self.end(tops)

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        xp, h, (dh,), weight = self.xp, self._states[0], self._carried, self.params[-3]
        cont = bottoms[1].reshape(self._steps, self._streams, 1)
        self._bend_output.backward(dtops[0], tops[0], self._dy)
        add_weight_gradient(self.params[-2], self._of_output, self._dy, h[1:])
        if self.params[-1].wanted:
            self._bias_gradient.learn(self._dy, None, self.params[-1].diff)
        self._of_output.backward(self._dy, self.params[-2].data, self._dh)
        dh[...] = 0.0  # of an exposed state too
        for t in range(self._steps - 1, -1, -1):
            xp.add(dh, self._dh[t], out=dh)
            self._bend.backward(dh, h[t + 1], self._dacts[t])
            self._of_step.backward(self._dacts[t], weight.data, dh)
            xp.multiply(dh, cont[t], out=dh)
        self.parameter_gradients(bottoms, dbottoms, weight)
