"""Arithmetic, element by element and of matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.torch7.tensors.arithmetic import operate
from tests.torch7.tensors.calls import TORCH, counted, f, m

A = np.arange(1.0, 7).reshape(2, 3)


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("add", (2,), A + 2),
        ("add", (counted(2, 3),), A + A),
        ("add", (2, counted(2, 3)), A + 2 * A),
        ("add", (counted(2, 3), 2), A + 2),
        ("add", (f("ones", 2, 3), counted(6)), 1 + A),
        ("add", (f("ones", 2, 3), 3, counted(2, 3)), 1 + 3 * A),
        ("csub", (counted(2, 3),), 0 * A),
        ("mul", (3,), 3 * A),
        ("mul", (f("ones", 2, 3), 3), 3 + 0 * A),
        ("div", (2,), A / 2),
        ("cmul", (counted(2, 3),), A * A),
        ("cdiv", (counted(2, 3),), A / A),
        ("pow", (2,), A**2),
        ("cmax", (3,), np.maximum(A, 3)),
        ("neg", (), -A),
        ("sqrt", (), np.sqrt(A)),
        ("sqrt", (f("ones", 2, 3),), 1 + 0 * A),
        ("clamp", (2, 4), np.clip(A, 2, 4)),
        ("fill", (7,), 7 + 0 * A),
        ("zero", (), 0 * A),
    ],
)
def test_methods_change_and_return_their_tensor(
    name: str, arguments: tuple[Any, ...], expected: np.ndarray
) -> None:
    a = counted(2, 3)
    assert m(a, name, *arguments) is a
    np.testing.assert_allclose(a.array, expected, rtol=1e-6)


def test_functions_leave_their_argument() -> None:
    a = counted(2, 3)
    assert f("add", a, 1).array.tolist() == (A + 1).tolist()
    assert f("mul", a, 2).array.tolist() == (A * 2).tolist()
    assert f("sqrt", a).array == pytest.approx(np.sqrt(A), rel=1e-6)
    assert a.array.tolist() == A.tolist()


def test_operators() -> None:
    a = counted(2, 3)
    for sign, one, two, expected in [
        ("+", a, 1, A + 1),
        ("-", 1, a, 1 - A),
        ("*", 2, a, 2 * A),
        ("/", a, 2, A / 2),
        ("/", 2, a, 2 / A),
        ("+", a, a, A + A),
        ("-", a, a, A - A),
        ("*", a, m(a, "t"), A @ A.T),
        ("*", a, counted(3), A @ [1, 2, 3]),
        ("neg", a, None, -A),
    ]:
        np.testing.assert_allclose(operate(TORCH, sign, one, two).array, expected, rtol=1e-6)
    assert operate(TORCH, "*", counted(3), counted(3)) == 14
    assert a.array.tolist() == A.tolist()


def test_comparisons_are_bytes() -> None:
    found = f("ge", counted(2, 3), 4)
    assert found.kind == "Byte"
    assert found.array.tolist() == [[0, 0, 0], [1, 1, 1]]
    assert m(counted(2, 3), "lt", counted(6)).array.sum() == 0


def test_a_function_for_each_element() -> None:
    product = 1

    def multiply(x: float) -> None:
        nonlocal product
        product *= int(x)

    a = counted(2, 3)
    assert m(a, "apply", multiply) is a
    assert product == 720
    assert m(a, "apply", lambda x: -x if x > 3 else None).array.tolist() == [
        [1, 2, 3],
        [-4, -5, -6],
    ]
    assert m(a, "map", counted(6), lambda x, y: x + y).array.tolist() == [[2, 4, 6], [0, 0, 0]]


@pytest.mark.parametrize(
    ("name", "arguments", "told"),
    [
        ("add", (counted(2, 2),), "add: tensors of sizes 2x3 and 2x2"),
        ("add", (), "takes a number, a tensor"),
        ("mul", (counted(2, 3),), "of two tensors it is cmul"),
        ("cmul", ("x",), "value must be a number, got 'x'"),
        ("apply", (3,), "expected a function, got 3"),
        ("apply", (lambda _: "x",), "value must be a number, got 'x'"),
        ("fill", (None,), "fill takes"),
    ],
)
def test_what_does_not_fit_is_told(name: str, arguments: tuple[Any, ...], told: str) -> None:
    with pytest.raises(LayerError, match=told):
        m(counted(2, 3), name, *arguments)


def test_whole_numbers_divide_as_in_c() -> None:
    whole = m(f("range", -7, 7, 14), "int")
    assert m(whole, "div", 2).array.tolist() == [-3, 3]
    with pytest.raises(LayerError, match="by zero"):
        m(whole, "div", 0)
