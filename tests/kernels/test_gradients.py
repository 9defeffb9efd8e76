"""What is done to gradients: the compiled versions beside their definitions."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.kernels.gradients import GradientClipping, NativeZeroGradients, ZeroGradients
from tests.kernels.instructions import CPU, MODULES, UNTUNED, both, check_threads, use


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("limit", [0.0, 1.0, 1e3])
@pytest.mark.parametrize("size", [1, 37, 100_003])
def test_clipping(module: str, limit: float, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    use(module, monkeypatch)
    g = np.random.default_rng(3).normal(size=size)
    tuned, definition = g.astype(np.float32), g.copy()
    tuned *= GradientClipping.make(CPU, np.float32, tuned, limit).factor()
    definition *= GradientClipping.make(UNTUNED, np.float64, definition, limit).factor()
    np.testing.assert_allclose(tuned, definition, rtol=1e-6)


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("size", [0, 1, 37, 100_003])
def test_gradients_become_0_and_nothing_else(
    size: int, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(module, monkeypatch)
    array = np.full(size + 2, np.nan, np.float32)
    clear = ZeroGradients.make(CPU, np.float32)
    assert isinstance(clear, NativeZeroGradients)
    clear.clear(array[1:-1])
    assert not array[1:-1].any()
    assert np.isnan(array[[0, -1]]).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_norm_that_is_no_number_shows(bad: float) -> None:
    g = np.array([1, bad, 2], np.float32)
    with np.errstate(invalid="ignore"):
        g *= GradientClipping.make(CPU, np.float32, g, 1.0).factor()
    assert np.isnan(g[1])


def test_the_norm_of_a_long_gradient_has_the_same_bits() -> None:
    g = np.random.default_rng(3).normal(size=300_007).astype(np.float32)
    clipping, _ = both(GradientClipping, g, 1.0)
    check_threads(lambda: [np.array(clipping.factor())])
