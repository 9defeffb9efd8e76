"""The compiled gradient of a bias beside its definition."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.device import Device
from protonet.kernels.bias import BiasGradient, NativeBiasGradient
from tests.kernels.instructions import MODULES, use


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("shape", [(3, 5, 77), (10, 2, 1), (50, 37, 1), (2, 300, 9)], ids=str)
@pytest.mark.parametrize("rectified", [False, True])
def test_every_instruction_set_meets_the_definition(
    shape: tuple[int, int, int], rectified: bool, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(module, monkeypatch)
    generator = np.random.default_rng(7)
    y = np.maximum(generator.normal(size=shape), 0).astype(np.float32)
    y[0, 0, 0] = np.nan
    dy = generator.normal(size=shape).astype(np.float32)
    found = []
    for device in (Device("cpu"), Device("cpu", tuned=False)):
        kernel = BiasGradient.make(device, np.float32, *shape)
        assert isinstance(kernel, NativeBiasGradient) is device.tuned
        masked, db = dy.copy(), np.ones(shape[1], np.float32)
        kernel.learn(masked, y if rectified else None, db)
        found.append((masked, db))
        unlearned = dy.copy()
        kernel.learn(unlearned, y if rectified else None, None)
        np.testing.assert_array_equal(unlearned, masked)
    np.testing.assert_array_equal(found[0][0], found[1][0])
    np.testing.assert_allclose(found[0][1], found[1][1], rtol=1e-4, atol=1e-5)
