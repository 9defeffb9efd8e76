"""Elementwise: a function of each value, without parameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.kernels.elementwise import sigmoid, softplus
from protonet.layers.activations import BY_BOTTOM, BY_TOP, Activation
from protonet.layers.registry import register
from protonet.proto.caffe_pb2 import ElementwiseParameter

_PARAM = "elementwise_param"


@dataclass(frozen=True)
class Room:
    """What functions are given: numbers, and scratch of the shape of x."""

    xp: Any
    spec: ElementwiseParameter
    work: Array
    mask: Array

    @property
    def bound(self) -> float:
        """``lambda``, which Python has a word for."""
        return float(getattr(self.spec, "lambda"))


Values = Callable[[Room, Array, Array], None]
"""Write y of x; both may be one array."""
Slopes = Callable[[Room, Array, Array], None]
"""Write dy / dx of x, or of y."""


def _softsign(room: Room, x: Array, y: Array) -> None:
    room.xp.absolute(x, out=room.work)
    room.xp.add(room.work, 1.0, out=room.work)
    room.xp.divide(x, room.work, out=y)


def _softsign_slope(room: Room, x: Array, slope: Array) -> None:
    room.xp.absolute(x, out=slope)
    room.xp.add(slope, 1.0, out=slope)
    room.xp.multiply(slope, slope, out=slope)
    room.xp.divide(1.0, slope, out=slope)


def _softplus(room: Room, x: Array, y: Array) -> None:
    room.xp.multiply(x, room.spec.beta, out=y)
    softplus(room.xp, y, y, room.work)
    room.xp.divide(y, room.spec.beta, out=y)


def _softplus_slope(room: Room, x: Array, slope: Array) -> None:
    room.xp.multiply(x, room.spec.beta, out=slope)
    sigmoid(room.xp, slope, slope)


def _log_sigmoid(room: Room, x: Array, y: Array) -> None:
    room.xp.negative(x, out=y)
    softplus(room.xp, y, y, room.work)
    room.xp.negative(y, out=y)


def _log_sigmoid_slope(room: Room, x: Array, slope: Array) -> None:
    room.xp.negative(x, out=slope)
    sigmoid(room.xp, slope, slope)


def _hard_shrink(room: Room, x: Array, y: Array) -> None:
    _beyond_bound(room, x, room.work)
    room.xp.multiply(x, room.work, out=y)


def _beyond_bound(room: Room, x: Array, slope: Array) -> None:
    room.xp.absolute(x, out=slope)
    room.xp.greater(slope, room.bound, out=slope)


def _soft_shrink(room: Room, x: Array, y: Array) -> None:
    room.xp.maximum(x, -room.bound, out=room.work)
    room.xp.minimum(room.work, room.bound, out=room.work)
    room.xp.subtract(x, room.work, out=y)


def _threshold(room: Room, x: Array, y: Array) -> None:
    room.xp.greater(x, room.spec.threshold, out=room.mask)
    room.xp.logical_not(room.mask, out=room.mask)
    if y is not x:
        room.xp.copyto(y, x)
    room.xp.copyto(y, room.spec.value, where=room.mask)


def _threshold_slope(room: Room, x: Array, slope: Array) -> None:
    room.xp.greater(x, room.spec.threshold, out=slope)


def _sqrt(room: Room, x: Array, y: Array) -> None:
    room.xp.sqrt(x, out=y)


def _sqrt_slope(room: Room, y: Array, slope: Array) -> None:
    # 0.5 / y, and 0 for y = 0
    room.xp.equal(y, 0.0, out=room.mask)
    room.xp.add(y, room.mask, out=slope)
    room.xp.divide(0.5, slope, out=slope)
    room.xp.copyto(slope, 0.0, where=room.mask)


_FUNCTIONS: dict[str, tuple[Values, Slopes]] = {
    "SOFTSIGN": (_softsign, _softsign_slope),
    "SOFTPLUS": (_softplus, _softplus_slope),
    "LOG_SIGMOID": (_log_sigmoid, _log_sigmoid_slope),
    "HARD_SHRINK": (_hard_shrink, _beyond_bound),
    "SOFT_SHRINK": (_soft_shrink, _beyond_bound),
    "THRESHOLD": (_threshold, _threshold_slope),
    "SQRT": (_sqrt, _sqrt_slope),
}
_NUMBERS = {
    "SOFTPLUS": ("beta",),
    "HARD_SHRINK": ("lambda",),
    "SOFT_SHRINK": ("lambda",),
    "THRESHOLD": ("threshold", "value"),
}
"""The numbers that an operation reads."""


@register("Elementwise")
class Elementwise(Activation):
    """y = f(x) by ``operation``: x / (1 + |x|) (SOFTSIGN), log(1 + exp(beta x)) / beta (SOFTPLUS),
    -log(1 + exp(-x)) (LOG_SIGMOID), x where |x| > lambda and else 0 (HARD_SHRINK), x less its value
    clipped to -lambda and lambda (SOFT_SHRINK), x where x > threshold and else value (THRESHOLD),
    the square root of x (SQRT).

    Gradient: dx = dy f'(x), with slope 0 at the bends, and of SQRT at 0.

    Bottom:
        x: any shape.
    Top:
        y: the shape of x.
    Params:
        none.
    Spec:
        elementwise_param: operation (SOFTSIGN), beta (1), lambda (0.5), threshold (0), value (0).
    Raises:
        LayerError: for a beta of 0, a lambda below 0, or a number that the operation does not read.
    Differs:
        Caffe has no such layer. The functions are those of Torch7's modules (nn).
    """

    traits = replace(Activation.traits, backward_reads=BY_BOTTOM)

    def setup(self) -> None:
        param = self.spec.elementwise_param
        self.operation = ElementwiseParameter.Operation.Name(param.operation)
        self._values, self._slopes = _FUNCTIONS[self.operation]
        if self.operation == "SQRT":
            self.traits = replace(self.traits, backward_reads=BY_TOP)
        for name in ("beta", "lambda", "threshold", "value"):
            if param.HasField(name) and name not in _NUMBERS.get(self.operation, ()):
                raise LayerError(f"{self.operation} does not read {name}", (_PARAM, name))
        if param.beta == 0:
            raise LayerError("expected a beta other than 0", (_PARAM, "beta"))
        if getattr(param, "lambda") < 0:
            raise LayerError(
                f"expected lambda of 0 or more, got {getattr(param, 'lambda'):g}",
                (_PARAM, "lambda"),
            )

    def build(self, shapes: Sequence[Shape]) -> None:
        work, mask = self.scratch(shapes[0]), self.scratch(shapes[0], np.bool_)
        self._room = Room(self.xp, self.spec.elementwise_param, work, mask)

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        self._values(self._room, bottoms[0], tops[0])

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        if dbottoms[0] is not None:
            seen = tops[0] if self.operation == "SQRT" else bottoms[0]
            self._slopes(self._room, seen, self._room.work)
            self.xp.multiply(dtops[0], self._room.work, out=dbottoms[0])
