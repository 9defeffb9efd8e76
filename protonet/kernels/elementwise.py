"""Elementwise functions, and their gradients from their values."""

from __future__ import annotations

from typing import Any

from protonet.blob import Array


def sigmoid(xp: Any, x: Array, y: Array) -> None:
    """Write 1 / (1 + exp(-x)) to ``y``, which may be ``x``.

    Computed as 0.5 tanh(x / 2) + 0.5: as Caffe does, without overflow.
    """
    xp.multiply(x, 0.5, out=y)
    xp.tanh(y, out=y)
    xp.multiply(y, 0.5, out=y)
    xp.add(y, 0.5, out=y)


def sigmoid_gradient(xp: Any, y: Array, dy: Array, dx: Array, slope: Array) -> None:
    """Write dy * y (1 - y) to ``dx``, which may be ``dy``; ``slope`` is scratch."""
    xp.subtract(1.0, y, out=slope)
    xp.multiply(slope, y, out=slope)
    xp.multiply(dy, slope, out=dx)


def tanh_gradient(xp: Any, y: Array, dy: Array, dx: Array, slope: Array) -> None:
    """Write dy * (1 - y^2) to ``dx``, which may be ``dy``; ``slope`` is scratch."""
    xp.multiply(y, y, out=slope)
    xp.subtract(1.0, slope, out=slope)
    xp.multiply(dy, slope, out=dx)


def softplus(xp: Any, x: Array, y: Array, scratch: Array) -> None:
    """Write log(1 + exp(x)) to ``y``, which may be ``x``, as max(x, 0) + log(1 + exp(-|x|))."""
    xp.maximum(x, 0.0, out=scratch)
    xp.absolute(x, out=y)
    xp.negative(y, out=y)
    xp.exp(y, out=y)
    xp.log1p(y, out=y)
    xp.add(y, scratch, out=y)


def softplus_gradient(xp: Any, y: Array, dy: Array, dx: Array, slope: Array) -> None:
    """Write dy * (1 - exp(-y)) to ``dx``, which may be ``dy``; ``slope`` is scratch."""
    xp.negative(y, out=slope)
    xp.expm1(slope, out=slope)
    xp.negative(slope, out=slope)
    xp.multiply(dy, slope, out=dx)
