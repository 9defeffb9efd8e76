"""Activations: the compiled versions beside definitions and exact functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from protonet.kernels import activations, native
from protonet.kernels.activations import Activation
from protonet.kernels.scaling import ParametricRectifier
from tests.kernels.elements import check_elements, passes
from tests.kernels.instructions import CPU, MODULES, both, check_threads, use

CASES: list[tuple[type[Activation], tuple[Any, ...], str]] = [
    # kind, arguments, what backward reads
    (activations.Rectifier, (0.0,), "y"),
    (activations.Rectifier, (0.25,), "y"),
    (activations.Rectifier, (-0.5,), "x"),
    (activations.Bounds, (-0.5, 0.75, False), "x"),
    (activations.Bounds, (0.0, 1.0, True), "y"),
    (activations.ELU, (1.5,), "yy"),
    (activations.ELU, (-1.5,), "yx"),
    (activations.Swish, (1.25,), "x"),
    (activations.Sigmoid, (), "y"),
    (activations.TanH, (), "y"),
    (activations.Softplus, (), "y"),
    (activations.Absolute, (), "x"),
]


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("size", [1, 37, 1024])
@pytest.mark.parametrize(("kind", "arguments", "reads"), CASES, ids=str)
def test_every_instruction_set_meets_the_definition(
    kind: type[Activation],
    arguments: tuple[Any, ...],
    reads: str,
    size: int,
    module: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use(module, monkeypatch)
    check_elements(kind, size, arguments, reads)


FUNCTIONS: list[tuple[str, Callable[[np.ndarray], np.ndarray], tuple[float, ...]]] = [
    ("exp", np.exp, ()),
    ("tanh", np.tanh, ()),
    ("sigmoid", lambda x: np.exp(-np.logaddexp(0, -x)), ()),
    ("softplus", lambda x: np.logaddexp(0, x), ()),
    ("elu", lambda x: np.where(x > 0, x, np.expm1(x)), (1.0,)),
]


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize(("name", "function", "more"), FUNCTIONS, ids=[f[0] for f in FUNCTIONS])
def test_functions_are_good_to_some_units_over_the_whole_range(
    name: str,
    function: Callable[[np.ndarray], np.ndarray],
    more: tuple[float, ...],
    module: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use(module, monkeypatch)
    sizes = np.concatenate([np.geomspace(1e-45, 3e38, 50_001), np.linspace(0, 120, 200_001)])
    x = np.concatenate([sizes, -sizes, [0, -0.0]]).astype(np.float32)
    y = np.empty_like(x)
    getattr(native.load(), name)(x, y, *more)
    with np.errstate(over="ignore", under="ignore"):
        exact = function(x.astype(np.float64))
        expected = exact.astype(np.float32)
    np.testing.assert_array_equal(np.isinf(y), np.isinf(expected))
    finite = np.isfinite(expected)
    # what is smaller than the normal numbers has fewer digits
    unit = np.maximum(np.spacing(np.abs(expected[finite])), np.finfo(np.float32).tiny * 2.0**-23)
    errors = np.abs(y[finite] - exact[finite]) / unit
    normal = np.abs(exact[finite]) >= np.finfo(np.float32).tiny
    assert errors[normal].max() < (3 if name == "softplus" else 2.5)
    assert (np.abs(y[finite] - exact[finite])[~normal] < np.finfo(np.float32).tiny).all()


@pytest.mark.parametrize("module", MODULES)
def test_what_is_not_finite(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    use(module, monkeypatch)
    x = np.array([np.nan, np.inf, -np.inf, 1], np.float32)
    for name, more, expected in (
        ("exp", (), [np.nan, np.inf, 0]),
        ("tanh", (), [np.nan, 1, -1]),
        ("sigmoid", (), [np.nan, 1, 0]),
        ("softplus", (), [np.nan, np.inf, 0]),
        ("elu", (1.0,), [np.nan, np.inf, -1]),
        ("rectify", (0.0,), [np.nan, np.inf, 0]),
        ("rectify", (0.5,), [np.nan, np.inf, -np.inf]),
        ("clip", (-1.0, 2.0), [np.nan, 2, -1]),
    ):
        y = np.empty_like(x)
        getattr(native.load(), name)(x, y, *more)
        np.testing.assert_array_equal(y[:3], expected, err_msg=name)
    dx, ones = np.empty_like(x), np.ones_like(x)
    native.load().rectify_back(x, -ones, dx, 0.0)
    np.testing.assert_array_equal(dx, [np.nan, np.nan, np.nan, 0])


def rectified(
    kernel: ParametricRectifier, dtype: Any, shape: tuple[int, int, int]
) -> list[np.ndarray]:
    generator = np.random.default_rng(3)
    x, dy = (generator.normal(size=shape).astype(dtype) for _ in range(2))
    a, y, dx = generator.normal(size=shape[1]).astype(dtype), np.empty_like(x), np.empty_like(x)
    da = np.ones(shape[1], dtype)
    kernel.forward(x, a, y)
    kernel.backward(dy, x, a, dx, da)
    kernel.backward(dy, x, a, None, da)
    kernel.backward(dy, x, a, dy, None)
    np.testing.assert_array_equal(dy, dx)
    return [y, dx, da]


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("shape", [(2, 3, 5), (3, 5, 49), (9, 37, 1), (1, 1, 7), (5, 2, 20_003)])
def test_a_learned_slope(
    shape: tuple[int, int, int], module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(module, monkeypatch)
    tuned, definition = both(ParametricRectifier, *shape)
    for found, expected in zip(
        rectified(tuned, np.float32, shape), rectified(definition, np.float64, shape), strict=True
    ):
        np.testing.assert_allclose(found, expected, rtol=0, atol=2e-6 * np.abs(expected).max())


def test_the_number_of_threads_changes_no_bit() -> None:
    size = 100_003
    kernels = [(kind.make(CPU, np.float32, (size,), *more), reads) for kind, more, reads in CASES]
    check_threads(
        lambda: [
            array for kernel, reads in kernels for array in passes(kernel, np.float32, size, reads)
        ]
    )
    leaning = ParametricRectifier.make(CPU, np.float32, 3, 2, 40_003)
    check_threads(lambda: rectified(leaning, np.float32, (3, 2, 40_003)))
