"""Powers, exponentials and logarithms: the compiled versions beside their definitions."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.kernels import powers
from protonet.kernels.activations import Activation
from tests.kernels.elements import check_elements, passes
from tests.kernels.instructions import CPU, MODULES, both, check_threads, use

CASES: list[tuple[type[Activation], tuple[float, ...], str]] = [
    # kind, arguments, what backward reads
    (powers.Power, (1.0, 0.5, 0.25), "x"),
    (powers.Power, (2.0, 0.5, 0.25), "x"),
    (powers.Exponential, (0.75, 1.5), "y"),
    (powers.Exponential, (-0.5, 1.0), "y"),
    (powers.Logarithm, (0.5, 8.0, 1.25), "x"),
]


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("size", [1, 37, 1024])
@pytest.mark.parametrize(("kind", "arguments", "reads"), CASES, ids=str)
def test_every_instruction_set_meets_the_definition(
    kind: type[Activation],
    arguments: tuple[float, ...],
    reads: str,
    size: int,
    module: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use(module, monkeypatch)
    check_elements(kind, size, arguments, reads)


@pytest.mark.parametrize("module", MODULES)
def test_a_rectified_power(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    use(module, monkeypatch)
    x, dy = np.random.default_rng(3).normal(size=(2, 37)).astype(np.float32)
    x[:3] = np.nan, np.inf, -np.inf
    tuned, definition = both(powers.Power, (37,), 1.0, -0.5, 0.25)
    found, expected = np.empty((2, 2, 37), np.float32)
    for kernel, (y, dx) in ((tuned, found), (definition, expected)):
        kernel.forward(x, y, rectify=True)
        kernel.backward(dy, x, dx, y=y)
    np.testing.assert_allclose(found, expected, rtol=2e-6, atol=1e-7)


@pytest.mark.parametrize("kind", [powers.Exponential, powers.Logarithm])
def test_what_is_not_finite(kind: type[Activation]) -> None:
    x, y = np.array([np.nan, np.inf, 0], np.float32), np.empty(3, np.float32)
    more = (1.0, 1.0) if kind is powers.Exponential else (1.0, 0.0, 1.0)
    with np.errstate(divide="ignore"):
        kind.make(CPU, np.float32, (3,), *more).forward(x, y)
    np.testing.assert_array_equal(y, [np.nan, np.inf, 1 if kind is powers.Exponential else -np.inf])


def test_other_powers_run_as_defined() -> None:
    kernel = powers.Power.make(CPU, np.float32, (3,), 0.5, 1.0, 0.0)
    assert type(kernel) is powers.Power


def test_the_number_of_threads_changes_no_bit() -> None:
    kernel = powers.Exponential.make(CPU, np.float32, (100_003,), 0.5, 2.0)
    check_threads(lambda: passes(kernel, np.float32, 100_003, "y"))
