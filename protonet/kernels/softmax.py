"""Softmax along one axis, and its gradient."""

from __future__ import annotations

from typing import Any

from protonet.blob import Array


def softmax(xp: Any, x: Array, axis: int, y: Array, reduced: Array) -> None:
    """Write exp(x) / sum(exp(x)) along ``axis`` to ``y``, which may be ``x``.

    ``reduced`` is scratch of x's shape with extent 1 at ``axis``. The maximum is taken off
    first, so that no finite ``x`` overflows.
    """
    x.max(axis=axis, out=reduced, keepdims=True)
    xp.subtract(x, reduced, out=y)
    xp.exp(y, out=y)
    y.sum(axis=axis, out=reduced, keepdims=True)
    xp.divide(y, reduced, out=y)


def softmax_gradient(
    xp: Any, y: Array, dy: Array, axis: int, dx: Array, product: Array, reduced: Array
) -> None:
    """Write y * (dy - sum(y * dy)) along ``axis`` to ``dx``, which may be ``dy``.

    ``product`` is scratch of y's shape, ``reduced`` the same with extent 1 at ``axis``.
    """
    xp.multiply(y, dy, out=product)
    product.sum(axis=axis, out=reduced, keepdims=True)
    xp.subtract(dy, reduced, out=dx)
    xp.multiply(dx, y, out=dx)
