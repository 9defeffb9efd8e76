"""Numbers by chance: the same for the same image, in any order, and of the right range."""

from __future__ import annotations

import numpy as np

from protonet.data.image_rng import ImageRNG

KEY = np.array([7, 9], np.uint64)


def test_the_same_image_gets_the_same_numbers() -> None:
    first, again, other = ImageRNG(KEY, 5), ImageRNG(KEY, 5), ImageRNG(KEY, 6)
    numbers = [first.random() for _ in range(4)]
    assert numbers == [again.random() for _ in range(4)]
    assert numbers != [other.random() for _ in range(4)]
    assert numbers != [ImageRNG(KEY[::-1], 5).random() for _ in range(4)]


def test_ranges() -> None:
    rng = ImageRNG(KEY, 0)
    units = [rng.random() for _ in range(1000)]
    assert 0 <= min(units) < 0.01
    assert 0.99 < max(units) < 1
    between = [rng.uniform(-3, 5) for _ in range(1000)]
    assert -3 <= min(between) < -2.9
    assert 4.9 < max(between) <= 5
    assert {rng.randrange(3) for _ in range(100)} == {0, 1, 2}
    assert not any(rng.bernoulli(0) for _ in range(100))
    assert all(rng.bernoulli(1) for _ in range(100))
