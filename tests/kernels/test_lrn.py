"""The compiled local response normalization beside its definitions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from protonet.device import Device
from protonet.kernels import native
from protonet.kernels.lrn import LRNAcrossChannels, LRNWithinChannel
from tests.kernels.instructions import MODULES, use

CASES = [
    # shape, size, alpha, beta, k
    ((2, 7, 5, 6), 5, 0.5, 0.75, 1.0),
    ((2, 3, 9, 11), 7, 0.3, 0.75, 2.0),
    ((3, 1, 1, 3), 5, 1.5, 0.75, 1.0),
    ((2, 4, 13, 17), 3, 0.1, 0.6, 1.0),
    ((1, 5, 4, 4), 1, 0.1, 1.0, 0.5),
]


def passes(kernel: Any, x: np.ndarray, dy: np.ndarray) -> list[np.ndarray]:
    y, dx = np.full_like(x, np.nan), np.full_like(x, np.nan)
    kernel.forward(x, y)
    kernel.backward(dy, x, y, dx)
    return [y, dx]


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("family", [LRNAcrossChannels, LRNWithinChannel])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_instruction_set_meets_the_definition(
    case: Any, family: Any, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(module, monkeypatch)
    tuned = family.make(Device("cpu"), np.float32, *case)
    assert tuned.processor == "native"
    definition = family(Device("cpu", tuned=False), np.float64, *case)
    generator = np.random.default_rng(5)
    x, dy = generator.normal(size=(2, *case[0]))
    x.flat[0] = 1000
    found = passes(tuned, x.astype(np.float32), dy.astype(np.float32))
    for one, other in zip(found, passes(definition, x, dy), strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-6, atol=2e-6)


def test_without_gradients_nothing_is_kept() -> None:
    kernel = LRNAcrossChannels.make(Device("cpu"), np.float32, *CASES[0], keeps=False)
    x = np.ones(CASES[0][0], np.float32)
    kernel.forward(x, np.empty_like(x))
    assert not [each for each in vars(kernel).values() if isinstance(each, np.ndarray)]


def test_infinity_and_what_is_no_number_stay_near() -> None:
    kernel = LRNAcrossChannels.make(Device("cpu"), np.float32, (1, 9, 2, 2), 3, 1.0, 0.75, 1.0)
    x = np.ones((1, 9, 2, 2), np.float32)
    x[0, 4, 0, 1], x[0, 4, 1, 0] = np.nan, np.inf
    y = np.empty_like(x)
    kernel.forward(x, y)
    assert np.argwhere(np.isnan(y)).tolist() == [
        [0, 3, 0, 1],
        [0, 4, 0, 1],
        [0, 4, 1, 0],
        [0, 5, 0, 1],
    ]


@pytest.mark.parametrize("family", [LRNAcrossChannels, LRNWithinChannel])
def test_the_number_of_threads_changes_no_bit(family: Any) -> None:
    module = native.load()
    shape = (3, 20, 23, 29)
    kernel = family.make(Device("cpu"), np.float32, shape, 5, 1.0, 0.75, 1.0)
    x, dy = np.random.default_rng(5).normal(size=(2, *shape)).astype(np.float32)
    before, found = module.threads(), []
    for threads in (1, 2, 3, 5):
        module.set_threads(threads)
        found.append(passes(kernel, x, dy))
    module.set_threads(before)
    for others in found[1:]:
        for one, other in zip(found[0], others, strict=True):
            np.testing.assert_array_equal(one, other)
