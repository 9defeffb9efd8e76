"""Local response normalization beside the formula."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.torch7.modules.base import Session, create
from tests.torch7.modules.windows import forward, random
from tests.torch7.trees import Draws, nn


@pytest.mark.parametrize(("size", "planes"), [(5, 7), (3, 2), (5, 2)])
def test_beside_the_formula(size: int, planes: int) -> None:
    x, reach = random(2, planes, 4, 5), size // 2
    sums = np.stack(
        [(x[:, max(0, c - reach) : c + reach + 1] ** 2).sum(axis=1) for c in range(planes)], axis=1
    )
    expected = x * (2 + 0.5 / size * sums) ** -0.75
    made = nn("SpatialCrossMapLRN", size, 0.5, 0.75, 2)
    np.testing.assert_allclose(forward(made, x), expected, rtol=1e-4)
    np.testing.assert_allclose(forward(made, x[0]), expected[0], rtol=1e-4)


def test_defaults() -> None:
    made = nn("SpatialCrossMapLRN", 3)
    assert [made.fields[name] for name in ("alpha", "beta", "k")] == [0.0001, 0.75, 1]
    assert create("cudnn.SpatialCrossMapLRN", [], Session(Draws())).fields["size"] == 5
