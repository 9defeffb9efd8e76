"""The compiled dropout draws the definition's numbers, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.device import Device
from protonet.kernels import native
from protonet.kernels.dropout import Drop
from protonet.kernels.random_stream import Clock, RandomStream
from protonet.ranks.communicator import Part
from tests.kernels.instructions import MODULES, use

CPU = Device("cpu")


def passes(
    kernel: Drop, x: np.ndarray, dy: np.ndarray, iteration: int, part: Part | None = None
) -> list[np.ndarray]:
    clock = Clock(CPU)
    clock.iteration = iteration
    y, dx = np.empty_like(x), np.empty_like(dy)
    kernel.forward(x, y, RandomStream(CPU, 2**63 + 5, "drop", clock, part))
    kernel.backward(dy, dx)
    return [y, dx]


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("ratio", [0.0, 0.5, float(np.float32(0.3)), 0.999])
@pytest.mark.parametrize("shape", [(1,), (7,), (5, 9), (33, 32), (3, 17, 700)])
def test_the_same_bits(
    shape: tuple[int, ...], ratio: float, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(module, monkeypatch)
    tuned = Drop.make(CPU, np.float32, shape, ratio)
    assert tuned.processor == "native"
    x, dy = np.random.default_rng(1).normal(size=(2, *shape)).astype(np.float32)
    x.flat[-1] = np.nan
    for iteration in (0, 1, 2**40 + 3):
        expected = passes(Drop(CPU, np.float32, shape, ratio), x, dy, iteration)
        for found, value in zip(passes(tuned, x, dy, iteration), expected, strict=True):
            np.testing.assert_array_equal(found, value)


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("part", [Part(2, 3, 9), Part(1, 3, 7), Part(1, 3, 6, 2), Part(2, 3, 9, 3)])
@pytest.mark.parametrize("each", [1, 5, 8, 40, 17 * 700])
def test_a_part_has_the_bits_of_the_whole(
    each: int, part: Part, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its numbers begin within a block, or a byte, of those of the whole batch."""
    use(module, monkeypatch)
    x, dy = np.random.default_rng(1).normal(size=(2, part.whole, each)).astype(np.float32)
    whole = passes(Drop(CPU, np.float32, x.shape, 0.3), x, dy, 5)
    mine = (np.ascontiguousarray(array[part.places]) for array in (x, dy))
    tuned = Drop.make(CPU, np.float32, (part.count, each), 0.3)
    for found, expected in zip(passes(tuned, *mine, 5, part), whole, strict=True):
        np.testing.assert_array_equal(found, expected[part.places])


def test_the_number_of_threads_changes_no_bit() -> None:
    module = native.load()
    before, found = module.threads(), []
    x, dy = np.random.default_rng(1).normal(size=(2, 70_001)).astype(np.float32)
    kernel = Drop.make(CPU, np.float32, x.shape, 0.5)
    for threads in (1, 2, 3, 5):
        module.set_threads(threads)
        found.append(passes(kernel, x, dy, 3))
    module.set_threads(before)
    for others in found[1:]:
        for one, other in zip(found[0], others, strict=True):
            np.testing.assert_array_equal(one, other)
