"""One step of an LSTM against its formula."""

from __future__ import annotations

import numpy as np

from protonet.device import Device
from protonet.kernels.lstm import LSTMStep

N, D = 3, 5


def formula(x: np.ndarray, cont: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    i, f, o, g = (x[:, k * D : (k + 1) * D] for k in range(4))

    def gate(v: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-v))

    new = cont * gate(f) * c + gate(i) * np.tanh(g)
    return new, gate(o) * np.tanh(new)


def test_a_step_and_its_gradient() -> None:
    generator = np.random.default_rng(0)
    x, c_before = generator.standard_normal((N, 4 * D)), generator.standard_normal((N, D))
    cont = np.array([[1.0], [0.0], [1.0]])
    acts, (c, tanh_c, h) = x.copy(), np.empty((3, N, D))
    step = LSTMStep.make(Device(), np.float64, N, D)
    step.forward(cont, c_before, acts, c, tanh_c, h)
    expected = formula(x, cont, c_before)
    np.testing.assert_allclose(c, expected[0])
    np.testing.assert_allclose(h, expected[1])

    wc, wh = generator.standard_normal((2, N, D))
    dc, dacts = wc.copy(), np.empty_like(x)
    step.backward(c_before, acts, tanh_c, dc, wh, dacts, dc)
    for array, gradient in ((x, dacts), (c_before, dc)):
        direction = generator.standard_normal(array.shape)
        sides = []
        for sign in (1, -1):
            array += sign * 1e-6 * direction
            new_c, new_h = formula(x, cont, c_before)
            sides.append((wc * new_c).sum() + (wh * new_h).sum())
            array -= sign * 1e-6 * direction
        np.testing.assert_allclose(
            (sides[0] - sides[1]) / 2e-6, (gradient * direction).sum(), rtol=1e-6
        )
