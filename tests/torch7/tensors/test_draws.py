"""Random numbers as definitions ask for them."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError
from tests.torch7.tensors.calls import counted, f, m


def test_numbers_and_tensors_are_of_one_stream() -> None:
    words = np.random.RandomState(3).randint(0, 2**32, 8, np.uint64)
    f("manualSeed", 3)
    drawn = m(counted(2), "uniform", 1, 3)
    assert f("uniform") == words[2] / 2**32
    np.testing.assert_allclose(drawn.array, 1 + 2 * (words[:2] / 2**32), rtol=1e-6)
    assert f("random") == words[3]
    assert f("random", 6) == words[4] % 6 + 1
    assert f("random", 5, 9) == words[5] % 5 + 5
    assert m(counted(1), "random", 3).array[0] == words[6] % 3 + 1
    assert f("bernoulli", 0.3) == int(words[7] / 2**32 <= 0.3)
    assert f("initialSeed") == 3


def test_shapes() -> None:
    assert f("rand", 2, 3).shape == f("randn", 2, 3).shape == (2, 3)
    assert sorted(f("randperm", 5).array.tolist()) == [1, 2, 3, 4, 5]
    assert set(m(counted(50), "bernoulli").array.tolist()) == {0, 1}
    assert m(counted(3), "normal", 5, 1e-3).array == pytest.approx(5, abs=0.1)


def test_impossible_distributions_are_told() -> None:
    with pytest.raises(LayerError, match="normal: the standard deviation must be positive, got 0"):
        m(counted(2), "normal", 0, 0)
    with pytest.raises(LayerError, match="random: from 3 to 1"):
        f("random", 3, 1)


def test_further_distributions() -> None:
    f("manualSeed", 3)
    numbers = [f("exponential", 2), f("cauchy", 1, 3), f("logNormal", 1, 2), f("geometric", 0.3)]
    f("manualSeed", 3)
    one = counted(1)
    filled = [
        float(m(m(one, "double"), name, *given).array[0])
        for name, given in [("exponential", (2,)), ("cauchy", (1, 3)), ("logNormal", (1, 2))]
    ]
    assert filled == pytest.approx(numbers[:3])
    assert m(one, "geometric", 0.3).array[0] == numbers[3]
    with pytest.raises(LayerError, match="the probability must be between 0 and 1, got 1"):
        f("geometric", 1)
    with pytest.raises(LayerError, match="the rate must be positive"):
        m(one, "exponential", 0)
