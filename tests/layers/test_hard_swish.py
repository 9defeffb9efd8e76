"""HardSwish."""

from __future__ import annotations

import numpy as np

from protonet.testing import LayerHarness


def test_values_and_slopes() -> None:
    x = np.array([[-4, -3, -1.5, 0, 1.5], [3, 4, -1, 2, 100]])
    harness = LayerHarness('type: "HardSwish"', [x], dtype=float)
    np.testing.assert_allclose(harness.forward()[0], x * np.clip(x + 3, 0, 6) / 6)
    (dx,) = harness.backward([np.full((2, 5), 2.0)])
    np.testing.assert_allclose(dx, [[0, 0, 0, 1, 2], [2, 2, 1 / 3, 7 / 3, 2]], atol=1e-12)
