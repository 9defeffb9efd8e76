"""Random numbers beside those that Torch7 drew."""

from __future__ import annotations

import math
import time
from pathlib import Path

import numpy as np
import pytest

from protonet.torch7.objects import Storage, Tensor, contiguous_strides
from protonet.torch7.random import Generator, Numbers

GOLDEN = Path(__file__).parents[1] / "golden_torch7"


def empty(*shape: int, kind: str = "Float") -> Tensor:
    count = math.prod(shape)
    return Tensor(kind, Storage(kind, count), 0, shape, contiguous_strides(shape))


def initial(name: str) -> np.ndarray:
    with np.load(GOLDEN / "trainings" / name / "data.npz", allow_pickle=False) as data:
        found: np.ndarray = data["init"]
        return found


def test_initial_values_of_the_regression_are_exact() -> None:
    random, weight, bias = Generator(42), empty(2, 2500), empty(2)
    for tensor in (weight, bias):
        random.draw(tensor, "uniform", -1 / math.sqrt(2500), 1 / math.sqrt(2500))
    made = np.concatenate([weight.array.reshape(-1), bias.array])
    np.testing.assert_array_equal(made, initial("regression"))


def test_initial_values_of_the_digits_are_exact() -> None:
    """BatchNormalization draws its weights from [0, 1) and sets its biases to 0."""
    random = Generator(42)
    fans = [((8, 1, 3, 3), 9), ((16, 72), 72), ((32, 64), 64), ((10, 32), 32)]
    tensors = []
    for place, (shape, fan_in) in enumerate(fans):
        for each in (empty(*shape), empty(shape[0])):
            random.draw(each, "uniform", -1 / math.sqrt(fan_in), 1 / math.sqrt(fan_in))
            tensors.append(each)
        if place == 0:
            weight, bias = empty(8), empty(8)
            random.draw(weight, "uniform", 0, 1)
            random.write(bias, "fill", 0)
            tensors += [weight, bias]
    made = np.concatenate([each.array.reshape(-1) for each in tensors])
    np.testing.assert_array_equal(made, initial("digits"))


def beside(seed: int) -> np.random.RandomState:
    """MT19937 of NumPy, whose numbers of 32 bits are the same."""
    return np.random.RandomState(seed)


def test_normal_numbers_come_in_pairs_across_tensors() -> None:
    unit = beside(7).randint(0, 2**32, 6, np.uint64) / 2**32
    expected = []
    for x, y in unit.reshape(3, 2):
        rho = math.sqrt(-2 * math.log(1 - y))
        expected += [rho * math.cos(2 * math.pi * x), rho * math.sin(2 * math.pi * x)]
    random = Generator(7)
    parts = [empty(n, kind="Double") for n in (1, 3, 1)]
    for place, part in enumerate(parts):
        random.draw(part, "normal", 2.0, place + 1)
    made = [part.array for part in parts]
    scaled = [2 + np.array(expected[s]) * (k + 1) for k, s in enumerate([slice(1), slice(1, 4)])]
    np.testing.assert_allclose(made[0], scaled[0], rtol=1e-14)
    np.testing.assert_allclose(made[1], scaled[1], rtol=1e-14)
    np.testing.assert_allclose(made[2], 2 + 3 * np.array(expected[4:5]), rtol=1e-14)
    assert random.scalar("normal", 0, 1) == pytest.approx(expected[5], rel=1e-14)


def test_whole_numbers_and_coins() -> None:
    words = beside(3).randint(0, 2**32, 9, np.uint64)
    random = Generator(3)
    dice, coins, full = empty(3), empty(3, kind="Byte"), empty(3)
    random.draw(dice, "random", 1, 6)
    random.draw(coins, "bernoulli", 0.5)
    random.draw(full, "bits")
    assert full.array.tolist() == (words[6:] % (2**24 + 1)).tolist()
    assert dice.array.tolist() == (words[:3] % 6 + 1).tolist()
    assert coins.array.tolist() == (words[3:6] / 2**32 <= 0.5).tolist()


def test_further_distributions_beside_their_formulas() -> None:
    u = beside(3).randint(0, 2**32, 8, np.uint64) / 2**32
    random = Generator(3)
    tensors = [empty(2, kind="Double") for _ in range(4)]
    for tensor, (name, a, b) in zip(
        tensors,
        [("exponential", 2, 0), ("cauchy", 1, 3), ("geometric", 0.3, 0), ("logNormal", 1, 2)],
        strict=True,
    ):
        random.draw(tensor, name, a, b)
    rate, cauchy, trials, normal = (each.array for each in tensors)
    np.testing.assert_allclose(rate, -np.log(1 - u[:2]) / 2, rtol=1e-14)
    np.testing.assert_allclose(cauchy, 1 + 3 * np.tan(math.pi * (u[2:4] - 0.5)), rtol=1e-12)
    assert trials.tolist() == [int(math.log(1 - x) / math.log(0.3)) + 1 for x in u[4:6]]
    rho = math.sqrt(-2 * math.log(1 - u[7]))
    pair = [rho * math.cos(2 * math.pi * u[6]), rho * math.sin(2 * math.pi * u[6])]
    np.testing.assert_allclose(normal, np.exp(1 + 2 * np.array(pair)), rtol=1e-13)


def test_a_permutation() -> None:
    words = beside(5).randint(0, 2**32, 4, np.uint64)
    order = [1, 2, 3, 4, 5]
    for i in range(4):
        j = i + int(words[i]) % (5 - i)
        order[i], order[j] = order[j], order[i]
    assert Generator(5).permutation(5).tolist() == order


def test_nothing_is_drawn_before_somebody_reads() -> None:
    random, first, second = Generator(1), empty(3), empty(3)
    random.draw(first, "uniform", 0, 1)
    random.draw(second, "uniform", 0, 1)
    random.write(second, "mul", 2)
    assert random.numbers.drawn == 0
    unit = beside(1).randint(0, 2**32, 6, np.uint64) / 2**32
    assert second.array.tolist() == (2 * unit[3:].astype(np.float32)).tolist()
    assert random.numbers.drawn == 6
    assert first.array.tolist() == unit[:3].astype(np.float32).tolist()


def test_a_copy_of_pending_numbers_pends_and_is_of_that_moment() -> None:
    random, first, second = Generator(1), empty(2, 3), empty(6)
    random.draw(first, "uniform", 0, 1)
    random.copy(second, first)
    random.write(first, "fill", 7)
    assert random.numbers.drawn == 0
    unit = beside(1).randint(0, 2**32, 6, np.uint64) / 2**32
    assert second.array.tolist() == unit.astype(np.float32).tolist()
    assert (first.array == 7).all()


def test_a_source_that_is_written_directly_later_does_not_change_the_copy() -> None:
    random, drawn, source = Generator(1), empty(2), Tensor.of(np.array([1.0, 2.0]))
    random.draw(drawn, "uniform", 0, 1)
    random.copy(drawn, source)
    source.array[...] = 9
    assert drawn.array.tolist() == [1, 2]


def test_a_tensor_may_view_another_storage_before_its_draw() -> None:
    random, first, other = Generator(1), empty(2), empty(2)
    drawn = first.storage
    random.draw(first, "uniform", 5, 6)
    first.storage = other.storage
    assert first.array.tolist() == [0, 0]
    assert drawn is not None
    assert (drawn.data >= 5).all()


def test_draws_into_a_view_leave_the_rest() -> None:
    whole = empty(4, 3)
    column = Tensor("Float", whole.storage, 1, (4,), (3,))
    Generator(1).draw(column, "uniform", 5, 6)
    assert (whole.array[:, 1] >= 5).all()
    assert not whole.array[:, [0, 2]].any()


def test_another_seed_starts_again() -> None:
    random, first, second = Generator(1), empty(2), empty(2)
    random.draw(first, "uniform", 0, 1)
    random.manual_seed(1)
    random.draw(second, "uniform", 0, 1)
    assert first.array.tolist() == second.array.tolist()
    assert Numbers(-1).words(1) == Numbers(2**32 - 1).words(1)


def test_skipped_numbers() -> None:
    ahead, behind = Numbers(1), Numbers(1)
    ahead.words(3_000_000)
    behind.skip(3_000_000)
    assert ahead.words(1) == behind.words(1)
    assert behind.drawn == 3_000_001


def test_a_million_numbers_are_drawn_in_well_under_a_second() -> None:
    random, many = Generator(1), empty(1000, 1000)
    start = time.process_time()
    random.draw(many, "normal", 0, 1)
    mean = float(many.array.mean())
    assert time.process_time() - start < 1
    assert abs(mean) < 0.01


def test_arithmetic_rounds_the_number_as_torch_does() -> None:
    whole = Tensor.of(np.array([7, -7]), "Int")
    random = Generator(1)
    random.write(whole, "mul", 2.9)
    assert whole.array.tolist() == [14, -14]
    random.write(whole, "div", 4)
    assert whole.array.tolist() == [3, -3]
    random.write(whole, "add", 1.5)
    assert whole.array.tolist() == [4, -2]
