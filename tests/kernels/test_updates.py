"""The steps of solvers: the compiled versions beside their definitions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from protonet.kernels.updates import (
    AdaDeltaUpdate,
    AdaGradUpdate,
    AdamUpdate,
    AdamWUpdate,
    NesterovUpdate,
    RMSPropUpdate,
    SGDUpdate,
    TorchSGDUpdate,
    Update,
)
from tests.kernels.instructions import CPU, MODULES, UNTUNED, check_threads, use

RULES: list[tuple[type[Update], int, dict[str, float]]] = [
    (SGDUpdate, 1, {"momentum": 0.9}),
    (NesterovUpdate, 1, {"momentum": 0.9}),
    (AdaGradUpdate, 1, {"delta": 1e-4}),
    (RMSPropUpdate, 1, {"delta": 1e-4, "rms_decay": 0.98}),
    (AdaDeltaUpdate, 2, {"delta": 1e-4, "momentum": 0.95}),
    (AdamUpdate, 2, {"delta": 1e-4, "momentum": 0.9, "momentum2": 0.999}),
    (AdamWUpdate, 2, {"delta": 1e-4, "momentum": 0.9, "momentum2": 0.999}),
    (TorchSGDUpdate, 1, {"momentum": 0.9, "dampening": 0.75, "nesterov": 0}),
    (TorchSGDUpdate, 1, {"momentum": 0.9, "dampening": 0, "nesterov": 1}),
]


def walk(
    kind: type[Update],
    slots: int,
    constants: dict[str, float],
    dtype: Any,
    *,
    size: int,
    decay: float,
    l1: bool = False,
) -> list[np.ndarray]:
    """Weights and history after some steps."""
    generator = np.random.default_rng(3)
    w = generator.normal(size=size).astype(dtype)
    w[::5] = 0
    history, g = [np.zeros(size, dtype) for _ in range(slots)], np.empty(size, dtype)
    device = CPU if dtype == np.float32 else UNTUNED
    update = kind.make(device, dtype, w, g, history, decay, l1, **constants)
    assert update.processor == ("native" if dtype == np.float32 else "")
    for iteration in range(4):
        g[...] = generator.normal(size=size)
        update.step(0.1, iteration, 1 if iteration % 2 else 0.25)
    return [w, *history]


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize(("decay", "l1"), [(0.0, False), (0.1, False), (0.1, True)])
@pytest.mark.parametrize(("kind", "slots", "constants"), RULES, ids=lambda value: str(value))
def test_every_instruction_set_meets_the_definition(
    kind: type[Update],
    slots: int,
    constants: dict[str, float],
    decay: float,
    l1: bool,
    module: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use(module, monkeypatch)
    found, expected = (
        walk(kind, slots, constants, dtype, size=1037, decay=decay, l1=l1)
        for dtype in (np.float32, np.float64)
    )
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=2e-6 * np.abs(theirs).max())


@pytest.mark.parametrize(("kind", "slots", "constants"), RULES, ids=lambda value: str(value))
def test_the_number_of_threads_changes_no_bit(
    kind: type[Update], slots: int, constants: dict[str, float]
) -> None:
    check_threads(lambda: walk(kind, slots, constants, np.float32, size=70_001, decay=0.1))


def test_weights_that_are_not_finite_stay_so() -> None:
    w, g, h = np.array([np.nan, np.inf, 1], np.float32), *np.zeros((2, 3), np.float32)
    SGDUpdate.make(CPU, np.float32, w, g, [h], 0.1, True, momentum=0.9).step(0.1, 0, 1)
    assert np.isnan(w[0])
    assert np.isinf(w[1])
