"""Criterions beside formulas."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from protonet.proto.source import Source
from protonet.torch7.api import TorchCriterion
from protonet.torch7.builder import NetBuilder
from protonet.torch7.modules.base import Criterion, module_class
from protonet.torch7.network import builder
from protonet.torch7.objects import TorchObject

Formula = Callable[..., Any]


def hold(
    criterion: TorchObject, formula: Formula, xs: Sequence[np.ndarray], target: Any
) -> TorchCriterion:
    """Compare loss and gradients with a formula of the inputs and with its differences."""
    made = TorchCriterion(criterion)
    given = xs[0] if len(xs) == 1 else list(xs)
    arrays = [np.asarray(x, np.float64) for x in xs]
    loss = float(formula(*arrays))
    np.testing.assert_allclose(made.forward(given, target), loss, rtol=1e-5, atol=1e-6)
    found = made.backward(given, target)
    gradients = [found] if len(xs) == 1 else found
    for place, gradient in enumerate(gradients):
        expected = differences(formula, arrays, place)
        np.testing.assert_allclose(gradient, expected, rtol=1e-4, atol=1e-5)
    return made


def differences(formula: Formula, xs: Sequence[np.ndarray], place: int) -> np.ndarray:
    """The gradient of a formula by central differences."""
    found, h = np.zeros(xs[place].shape), 1e-6
    for index in np.ndindex(xs[place].shape):
        ends = []
        for sign in (1, -1):
            moved = [x.copy() for x in xs]
            moved[place][index] += sign * h
            ends.append(float(formula(*moved)))
        found[index] = (ends[0] - ends[1]) / (2 * h)
    return found


def layers_of(
    criterion: TorchObject, *shapes: tuple[int, ...], base: int | None = None
) -> NetBuilder:
    """The layers that a criterion becomes, on inputs and then the target."""
    net = builder(Source("n", ""))
    *xs, target = (net.input(f"x{place}", shape) for place, shape in enumerate(shapes))
    made = module_class(criterion.typename)(criterion)
    assert isinstance(made, Criterion)
    wanted = net.input("label", target.shape, base)
    with net.at(made), net.with_labels():
        made.loss(net, xs[0] if len(xs) == 1 else list(xs), wanted)
    return net
