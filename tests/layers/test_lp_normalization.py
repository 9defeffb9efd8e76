"""LpNormalization beside its formula."""

from __future__ import annotations

import math

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.testing import LayerHarness

X = np.array([[3.0, -4.0, 0.0], [1.0, 2.0, -2.0]])


def made(fields: str, x: object = X) -> LayerHarness:
    text = f'type: "LpNormalization" lp_normalization_param {{ {fields} }}'
    return LayerHarness(text, [x], dtype=float)


@pytest.mark.parametrize("p", [1, 1.5, 2, 3, 4])
def test_norms(p: float) -> None:
    norm = (np.abs(X) ** p).sum(1, keepdims=True) ** (1 / p)
    np.testing.assert_allclose(made(f"p: {p}").forward()[0], X / norm)
    rows = np.ascontiguousarray(X.T)
    np.testing.assert_allclose(made(f"p: {p} axis: 0", rows).forward()[0], rows / norm.T)


def test_the_largest_value() -> None:
    harness = made("p: inf", [[2.0, -4.0, 4.0]])
    assert harness.forward()[0] == pytest.approx(np.array([[0.5, -1, 1]]))
    dx = harness.backward([[[1.0, 2.0, 3.0]]])[0]
    # of equal values the first has the slope of the norm: sum(x dy) = 6
    assert dx == pytest.approx(np.array([[0.25, 0.5 + 6 / 16, 0.75]]))


@pytest.mark.parametrize("p", [0.5, 1, 1.5, 2, 3, math.inf])
def test_zeros_stay_zeros(p: float) -> None:
    harness = made(f"p: {p}", np.zeros((2, 3)))
    assert not harness.forward()[0].any()
    assert np.isfinite(harness.backward([np.ones((2, 3))])[0]).all()


def test_eps_is_added_before_the_root() -> None:
    y = made("eps: 11", [[3.0, 4.0]]).forward()[0]
    assert y == pytest.approx(np.array([[0.5, 4 / 6]]))


@pytest.mark.parametrize(
    ("fields", "message", "name"),
    [
        ("p: 0", "expected p above 0, got 0", "p"),
        ("p: nan", "expected p above 0, got nan", "p"),
        ("eps: -1", "expected eps of 0 or more, got -1", "eps"),
        ("axis: 2", "axis 2 is out of range for a bottom of shape 2x3", "axis"),
    ],
)
def test_mistakes(fields: str, message: str, name: str) -> None:
    with pytest.raises(LayerError) as caught:
        made(fields)
    assert (str(caught.value), caught.value.path) == (message, ("lp_normalization_param", name))
