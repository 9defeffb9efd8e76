"""Numbers by chance: the same for the same image, in any order, and of the right range."""

from __future__ import annotations

import numpy as np

from protonet.data.chance import Chance

KEY = np.array([7, 9], np.uint64)


def test_the_same_image_gets_the_same_numbers() -> None:
    first, again, other = Chance(KEY, 5), Chance(KEY, 5), Chance(KEY, 6)
    numbers = [first.unit() for _ in range(4)]
    assert numbers == [again.unit() for _ in range(4)]
    assert numbers != [other.unit() for _ in range(4)]
    assert numbers != [Chance(KEY[::-1], 5).unit() for _ in range(4)]


def test_ranges() -> None:
    chance = Chance(KEY, 0)
    units = [chance.unit() for _ in range(1000)]
    assert 0 <= min(units) < 0.01
    assert 0.99 < max(units) < 1
    between = [chance.between(-3, 5) for _ in range(1000)]
    assert -3 <= min(between) < -2.9
    assert 4.9 < max(between) <= 5
    assert {chance.below(3) for _ in range(100)} == {0, 1, 2}
    assert not any(chance.happens(0) for _ in range(100))
    assert all(chance.happens(1) for _ in range(100))
