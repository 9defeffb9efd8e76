"""The compiled count of right answers beside its definition."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.device import Device
from protonet.kernels.in_top_k import InTopK
from tests.kernels.instructions import MODULES, use


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("top_k", [1, 2])
@pytest.mark.parametrize("shape", [(7, 2), (9, 10), (5, 33), (40, 1000), (2, 5, 3, 7)])
def test_every_instruction_set_meets_the_definition(
    shape: tuple[int, ...], top_k: int, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(module, monkeypatch)
    generator = np.random.default_rng(6)
    # Few values, so that there are ties; and what is no number.
    x = generator.choice([0.0, 1.0, 2.0, np.inf, -np.inf, np.nan], size=shape)
    x[0] = generator.normal(size=shape[1:])
    labels = generator.integers(0, shape[1], size=(shape[0], 1, *shape[2:]))
    labels[0] = x[:1].argmax(axis=1, keepdims=True)
    found = []
    for family, dtype in ((InTopK.make, np.float32), (InTopK, np.float64)):
        kernel = family(Device("cpu"), dtype, shape, 1, top_k)
        right = np.full(labels.shape, np.nan, dtype)
        kernel.forward(x.astype(dtype), labels.astype(dtype), right)
        found.append(right)
    assert found[1].any()
    np.testing.assert_array_equal(found[0], found[1])
