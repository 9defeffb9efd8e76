"""Rows of length 1, by InnerProduct, which has them."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.testing import LayerHarness

TEXT = 'type: "InnerProduct" inner_product_param { num_output: 4 normalize: true bias_term: false '


def test_rows_are_brought_to_length_1_and_stay_so() -> None:
    generator = np.random.default_rng(3)
    x = generator.standard_normal((2, 5))
    harness = LayerHarness(TEXT + "}", [x], dtype=float)
    weight = generator.standard_normal((4, 5))
    harness.layer.params[0].data[...] = weight
    unit = weight / np.sqrt((weight**2).sum(axis=1, keepdims=True) + 1e-6)
    (y,) = harness.forward()
    np.testing.assert_allclose(y, x @ unit.T)
    np.testing.assert_allclose(harness.layer.params[0].data, unit)
    dy = generator.standard_normal((2, 4))
    (dx,) = harness.backward([dy])
    np.testing.assert_allclose(dx, dy @ unit)
    np.testing.assert_allclose(harness.layer.params[0].diff, dy.T @ x)


def test_a_row_of_zeros_stays_so() -> None:
    harness = LayerHarness(TEXT + "}", [np.ones((2, 5))])
    assert not harness.forward()[0].any()


def test_columns_cannot_be_brought() -> None:
    with pytest.raises(LayerError, match="normalize and transpose cannot be combined"):
        LayerHarness(TEXT + "transpose: true }", [np.ones((2, 5))])
