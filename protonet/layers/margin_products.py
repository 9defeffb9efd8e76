"""MarginInnerProduct: scores with a margin between angles, of SphereFace.

Source: Liu et al., SphereFace: Deep Hypersphere Embedding for Face Recognition, CVPR 2017;
wy1iu/sphereface, margin_inner_product_layer.cpp.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.layers.base import Reads, Stateful, Traits, Weight
from protonet.layers.fillers import filled_weight
from protonet.layers.labels import Labels
from protonet.layers.registry import register

_PARAM = "margin_inner_product_param"
_CHEBYSHEV = {1: (1, 0), 2: (2, 0, -1), 3: (4, 0, -3, 0), 4: (8, 0, -8, 0, 1)}
"""cos(m t) as a polynomial of cos(t), the highest power first."""
_TINY = float(np.finfo(np.float32).tiny)


@register("MarginInnerProduct")
class MarginInnerProduct(Stateful):
    """y = x w^T with rows of W of length 1, and, for the label's w, a margin in the angle t to it:
    (|x| psi(t) + lambda x w) / (1 + lambda), with psi(t) = (-1)^k cos(m t) - 2 k.

    m is 1 to 4 (SINGLE to QUADRUPLE), and k counts the m-th parts of pi below t. lambda is
    base (1 + gamma i)^-power, at least lambda_min, where i counts the passes from ``iteration``
    on.
    Gradients, as in the fork: dW += dy^T x. dx = dy W, but dy of the label's y goes to
    (u w + v x + lambda w) / (1 + lambda), where u = psi' and v = (psi - psi' cos t) / |x|, both
    over sqrt(u^2 + v^2), and psi' is the slope of psi by cos t; with SINGLE to w.

    Bottom:
        0: x, items before ``axis``, K values after it.
        1: label, one class 0 to num_output - 1 for each item. No gradient.
    Top:
        0: y, the axes of x before ``axis``, then num_output.
        1 (optional): lambda, 1 value.
    Params:
        0: W, num_output x K. Its rows are brought to length 1 before each use, and stay so.
    Spec:
        margin_inner_product_param: num_output (required), type (SINGLE), weight_filler (constant
        0), axis (1), base (1), gamma (0), power (1), iteration (0), lambda_min (0).
    Raises:
        LayerError: without num_output, for an axis out of range, a negative gamma, base or
        lambda_min, a wrong number of labels, and, while running on the CPU, an invalid label.
    Differs:
        BVLC Caffe has no such layer; this is the one of wy1iu/sphereface, which needs both tops.
        A resumed training continues its count; there it restarts at ``iteration``. An item or a
        row of zeros has angle 90 degrees to all; there it is NaN.
    """

    bottoms = (2, 2)
    tops = (1, 2)
    no_gradient = frozenset({1})
    traits = Traits(backward_reads=frozenset({Reads.BOTTOMS}), capturable=False)

    def setup(self) -> None:
        self.param = param = self.spec.margin_inner_product_param
        if not param.num_output:
            raise LayerError(f"{_PARAM} needs num_output above 0", (_PARAM,))
        for name in ("base", "gamma", "lambda_min"):
            if not 0 <= getattr(param, name) < math.inf:
                raise LayerError(
                    f"expected {name} of 0 or more, got {getattr(param, name):g}", (_PARAM, name)
                )
        self.turns = int(param.type) + 1
        self.passes = int(param.iteration)
        self.weight = 0.0

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        axis = self.axis(shapes[0], self.param.axis, (_PARAM, "axis"))
        items, labels = math.prod(shapes[0][:axis]), math.prod(shapes[1])
        if items != labels:
            raise LayerError(
                f"expected one label in '{self.spec.bottom[1]}' for each of {items} items, got "
                f"{labels}",
                ("bottom", 1),
            )
        tops: list[Shape] = [(*shapes[0][:axis], self.param.num_output), (1,)]
        return tops[: len(self.spec.top)]

    def declare(self, shapes: Sequence[Shape]) -> list[Weight]:
        axis = self.axis(shapes[0], self.param.axis, (_PARAM, "axis"))
        shape = (self.param.num_output, math.prod(shapes[0][axis:]))
        return [filled_weight(shape, self.param.weight_filler, (_PARAM, "weight_filler"))]

    def build(self, shapes: Sequence[Shape]) -> None:
        axis = self.axis(shapes[0], self.param.axis, (_PARAM, "axis"))
        items, values = math.prod(shapes[0][:axis]), math.prod(shapes[0][axis:])
        scores: Shape = (items, self.param.num_output)
        self._labels = Labels(self, scores, 1, None)
        self._mask, self._spread = self.scratch(scores, np.bool_), self.scratch(scores)
        self._products = self.scratch((items, values))
        self._squares = self.scratch((self.param.num_output, values))
        self._lengths = self.scratch((self.param.num_output, 1))
        names = ("own", "norm", "cosine", "turn", "sign", "value", "slope", "rest")
        self._of_items = {name: self.scratch((items, 1)) for name in names}
        self._past = self.scratch((items, 1), np.bool_)

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        xp, x = self.xp, bottoms[0].reshape(self._products.shape)
        self.passes += 1
        param, rows = self.param, self.params[0].data
        grown = float(param.base * (1 + param.gamma * self.passes) ** -param.power)
        self.weight = max(grown, param.lambda_min)
        self._measure(rows, self._squares, self._lengths)
        xp.divide(rows, self._lengths, out=rows)
        y = tops[0].reshape(self._spread.shape)
        xp.matmul(x, rows.T, out=y)
        self._labels.read(bottoms[1])
        self._labels.one_hot(self._mask)
        if self.turns > 1:
            self._put_margin(x, y)
        if len(tops) > 1:
            tops[1].fill(self.weight)

    def _measure(self, rows: Array, squares: Array, lengths: Array) -> None:
        """Write the length of each row, at least ``_TINY``."""
        self.xp.multiply(rows, rows, out=squares)
        squares.sum(axis=1, keepdims=True, out=lengths)
        self.xp.sqrt(lengths, out=lengths)
        self.xp.maximum(lengths, _TINY, out=lengths)

    def _put_margin(self, x: Array, y: Array) -> None:
        """Replace the label's scores, and keep what the backward pass needs."""
        xp, of = self.xp, self._of_items
        self._measure(x, self._products, of["norm"])
        xp.multiply(y, self._mask, out=self._spread)
        self._spread.sum(axis=1, keepdims=True, out=of["own"])
        xp.divide(of["own"], of["norm"], out=of["cosine"])
        self._count_turns(of["cosine"], of["turn"], of["sign"])
        powers = _CHEBYSHEV[self.turns]
        self._evaluate(powers, of["cosine"], of["value"])
        degree = len(powers) - 1
        slopes = [each * (degree - place) for place, each in enumerate(powers[:-1])]
        self._evaluate(slopes, of["cosine"], of["slope"])
        for each in (of["value"], of["slope"]):
            xp.multiply(each, of["sign"], out=each)
        xp.multiply(of["turn"], 2, out=of["rest"])
        xp.subtract(of["value"], of["rest"], out=of["value"])
        # (|x| psi - x w) / (1 + lambda) is added to the score.
        xp.multiply(of["value"], of["norm"], out=of["rest"])
        xp.subtract(of["rest"], of["own"], out=of["rest"])
        xp.divide(of["rest"], 1 + self.weight, out=of["rest"])
        xp.multiply(self._mask, of["rest"], out=self._spread)
        xp.add(y, self._spread, out=y)

    def _count_turns(self, cosine: Array, turn: Array, sign: Array) -> None:
        """Write k, and (-1)^k."""
        xp = self.xp
        turn.fill(0)
        for part in range(1, self.turns):
            xp.less(cosine, math.cos(part * math.pi / self.turns), out=self._past)
            xp.add(turn, self._past, out=turn)
        xp.remainder(turn, 2, out=sign)
        xp.multiply(sign, -2, out=sign)
        xp.add(sign, 1, out=sign)

    def _evaluate(self, powers: Sequence[float], at: Array, out: Array) -> None:
        """Write a polynomial's values, by Horner."""
        out.fill(0)
        for each in powers:
            self.xp.multiply(out, at, out=out)
            self.xp.add(out, each, out=out)

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        xp, x = self.xp, bottoms[0].reshape(self._products.shape)
        dy = dtops[0].reshape(self._spread.shape)
        if self.params[0].wanted:
            xp.matmul(dy.T, x, out=self._squares)
            xp.add(self.params[0].diff, self._squares, out=self.params[0].diff)
        if dbottoms[0] is None:
            return
        dx = dbottoms[0].reshape(x.shape)
        if self.turns == 1:
            xp.matmul(dy, self.params[0].data, out=dx)
            return
        of = self._of_items
        self._find_directions(of)
        # To the label's w goes (u + lambda) / (1 + lambda) of dy, the rest of it to x.
        xp.multiply(dy, self._mask, out=self._spread)
        self._spread.sum(axis=1, keepdims=True, out=of["own"])
        xp.subtract(of["sign"], 1, out=of["sign"])
        xp.divide(of["sign"], 1 + self.weight, out=of["sign"])
        xp.multiply(self._spread, of["sign"], out=self._spread)
        xp.add(self._spread, dy, out=self._spread)
        xp.matmul(self._spread, self.params[0].data, out=dx)
        xp.multiply(of["own"], of["turn"], out=of["own"])
        xp.divide(of["own"], 1 + self.weight, out=of["own"])
        xp.multiply(x, of["own"], out=self._products)
        xp.add(dx, self._products, out=dx)

    def _find_directions(self, of: dict[str, Array]) -> None:
        """Write u to ``sign`` and v to ``turn``, brought to length 1 together."""
        xp, u, v = self.xp, of["sign"], of["turn"]
        xp.multiply(of["slope"], of["cosine"], out=v)
        xp.subtract(of["value"], v, out=v)
        xp.divide(v, of["norm"], out=v)
        xp.multiply(v, v, out=of["rest"])
        xp.multiply(of["slope"], of["slope"], out=u)
        xp.add(of["rest"], u, out=of["rest"])
        xp.sqrt(of["rest"], out=of["rest"])
        xp.maximum(of["rest"], _TINY, out=of["rest"])
        xp.divide(of["slope"], of["rest"], out=u)
        xp.divide(v, of["rest"], out=v)

    def state(self) -> dict[str, Any]:
        return {"passes": self.passes}

    def restore(self, state: dict[str, Any]) -> None:
        self.passes = int(state["passes"])
