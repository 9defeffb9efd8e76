"""Sums whose messages have 16 bits a number."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from protonet.device import Device
from protonet.precision import type_of
from protonet.ranks.communicator import Communicator
from protonet.train.compressed_sum import CompressedSums
from tests.jobs.training.test_join import RANDOM
from tests.ranks.agreement import SOLVER, digits, weights_of
from tests.ranks.started import on_ranks, train_all

ROUNDING = {"float16": 2.0**-11, "bfloat16": 2.0**-8}
"""Half of the distance between two numbers, relative to them."""


def alone(dtype: str, values: np.ndarray) -> np.ndarray:
    """A sum over one rank: what is left of the values after both of its roundings."""
    array = values.astype(np.float32)
    pending = CompressedSums(Communicator(), Device(), type_of(dtype)).begin_sum(array)
    pending.wait()
    assert pending.progress()
    return array


@pytest.mark.parametrize("dtype", ROUNDING)
@pytest.mark.parametrize("size", [1e-30, 1e-6, 1.0, 3e5, 1e30])
def test_numbers_of_any_size_are_rounded(dtype: str, size: float) -> None:
    """Those of float16 end at 65504, and below 6e-8 there is only 0."""
    values = (size * np.random.default_rng(0).standard_normal(1000)).astype(np.float32)
    values[np.abs(values) < 1e-3 * size] = size
    np.testing.assert_allclose(alone(dtype, values), values, rtol=ROUNDING[dtype])


@pytest.mark.parametrize("dtype", ROUNDING)
def test_what_is_no_number_stays_so(dtype: str) -> None:
    """An overflow must be seen, by loss scaling and by the loss."""
    found = alone(dtype, np.array([1.0, np.inf, -np.inf, np.nan, 0.0]))
    assert found[[0, 4]].tolist() == [1.0, 0.0]
    assert np.isposinf(found[1])
    assert np.isneginf(found[2])
    assert np.isnan(found[3])
    assert alone(dtype, np.zeros(3)).tolist() == [0.0] * 3


def test_three_ranks_have_the_same_bits(tmp_path: Path) -> None:
    """Several sums at once, which proceed at different times; blocks of fewer numbers than ranks;
    one rank with much larger numbers than others.
    """
    told = on_ranks(
        3,
        """
import numpy as np
from protonet.device import Device
from protonet.precision import type_of
from protonet.ranks.mpi import communicator
from protonet.train.compressed_sum import CompressedSums
ranks = communicator()
for dtype, rounding in (("float16", 2**-11), ("bfloat16", 2**-8)):
    sums = CompressedSums(ranks, Device(), type_of(dtype))
    for turn in range(2):
        parts = [[np.random.default_rng((turn, rank, count)).standard_normal(count) * 1e3**rank
                  for rank in range(3)] for count in (2, 5, 1000, 5)]
        arrays = [each[ranks.rank].astype(np.float32) for each in parts]
        pending = [sums.begin_sum(array) for array in arrays]
        for _ in range(5 * ranks.rank):
            for each in reversed(pending):
                each.progress()
        for each in pending:
            each.wait()
        for array, each in zip(arrays, parts):
            exact, sizes = sum(each), sum(map(np.abs, each))
            limit = rounding * (sizes + np.abs(exact)) * 1.01 + 1e-9 * sizes.max()
            assert (np.abs(array - exact) <= limit).all(), (dtype, array, exact)
        assert len(set(ranks.gather(b"".join(array.tobytes() for array in arrays)))) == 1
if ranks.rank == 0:
    print("the same")
""",
        tmp_path,
    )
    assert told == "the same\n"


def test_trainings_are_repeated_to_the_bit(tmp_path: Path) -> None:
    """Twice, and from a snapshot; near the training whose messages are float32."""
    text = SOLVER.replace(
        "max_iter: 100 test_iter: 5 test_interval: 50", "max_iter: 40 snapshot: 20"
    )
    text = f"test_iter: 1 test_interval: 40 {text}"
    names = [f"{kind}-{dtype}" for dtype in ROUNDING for kind in ("first", "again", "resumed")]
    folder = digits(tmp_path, RANDOM, **dict.fromkeys(["exact", *names], text))
    cases: list[tuple[str, dict[str, str]]] = [("exact.prototxt", {"out": "run-exact"})]
    for name in names:
        kind, dtype = name.split("-")
        state = {"snapshot": f"first-{dtype}_iter_20.solverstate"} if kind == "resumed" else {}
        given = {"out": f"run-{name}", "gradient_precision": dtype, **state}
        cases.append((f"{name}.prototxt", given))
    train_all(2, cases, folder)
    found = {name: weights_of(folder / f"{name}_iter_40.caffemodel") for name in ["exact", *names]}
    for dtype, error in (("float16", 1e-3), ("bfloat16", 5e-3)):
        first = found[f"first-{dtype}"]
        for kind in ("again", "resumed"):
            np.testing.assert_array_equal(found[f"{kind}-{dtype}"], first)
        difference = np.linalg.norm(first - found["exact"]) / np.linalg.norm(found["exact"])
        assert 0 < difference < error
