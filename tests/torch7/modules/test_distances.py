"""Distances and similarities, beside their formulas."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from protonet.errors import LayerError, NetworkError
from protonet.torch7.api import TorchModule
from tests.torch7.modules.losses import differences
from tests.torch7.trees import nn

RANDOM = np.random.default_rng(5)
A, B = RANDOM.normal(size=(2, 3, 5))


@pytest.mark.parametrize(
    ("name", "arguments", "formula"),
    [
        ("DotProduct", (), lambda a, b: (a * b).sum(-1)),
        (
            "CosineDistance",
            (),
            lambda a, b: (a * b).sum(-1) / np.sqrt((a * a).sum(-1) * (b * b).sum(-1)),
        ),
        ("PairwiseDistance", (), lambda a, b: np.sqrt(((a - b) ** 2).sum(-1))),
        ("PairwiseDistance", (1,), lambda a, b: np.abs(a - b).sum(-1)),
        ("PairwiseDistance", (3,), lambda a, b: (np.abs(a - b) ** 3).sum(-1) ** (1 / 3)),
    ],
)
@pytest.mark.parametrize("rows", [slice(None), 0])
def test_values_and_gradients(
    name: str, arguments: tuple[float, ...], formula: Callable[..., np.ndarray], rows: slice | int
) -> None:
    a, b = A[rows], B[rows]
    model = TorchModule(nn(name, *arguments), [a.shape, b.shape])
    y = np.atleast_1d(formula(a, b))
    np.testing.assert_allclose(model.forward(a, b), y, rtol=1e-5)
    dy = np.arange(1, y.size + 1)
    gradients = model.backward(dy)
    for place, gradient in enumerate(gradients):
        expected = differences(lambda *xs: (dy * formula(*xs)).sum(), [a, b], place)
        np.testing.assert_allclose(gradient, expected, rtol=1e-3, atol=1e-5)


def test_fields_are_those_of_torch7() -> None:
    assert nn("PairwiseDistance").fields["norm"] == 2
    assert len(nn("DotProduct").fields["gradInput"].sequence) == 2


def test_what_does_not_fit() -> None:
    with pytest.raises(LayerError, match="expected a p above 0, got 0"):
        nn("PairwiseDistance", 0)
    with pytest.raises(NetworkError, match="two tensors of one shape, got 3x5 and 3x4"):
        TorchModule(nn("DotProduct"), [(3, 5), (3, 4)])
