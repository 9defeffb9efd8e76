"""One rank, and how batches are shared out."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import UsageError
from protonet.ranks.communicator import ALONE, Communicator


def rank_of(rank: int, size: int) -> Communicator:
    made = Communicator()
    made.rank, made.size = rank, size
    return made


@pytest.mark.parametrize(("whole", "size"), [(10, 1), (10, 3), (3, 3), (64, 7)])
def test_the_parts_of_a_batch_are_all_of_it(whole: int, size: int) -> None:
    parts = [rank_of(rank, size).part(whole) for rank in range(size)]
    items = [item for part in parts for item in range(part.first, part.first + part.count)]
    assert items == list(range(whole))
    assert max(part.count for part in parts) - min(part.count for part in parts) <= 1
    assert sum(part.share for part in parts) == pytest.approx(1)


def test_a_batch_for_each_is_dealt_out() -> None:
    """Image by image, as Caffe's solvers take theirs from one reader."""
    parts = [rank_of(rank, 3).part_of_each(4) for rank in range(3)]
    assert [list(range(12))[part.places] for part in parts] == [
        [0, 3, 6, 9], [1, 4, 7, 10], [2, 5, 8, 11],
    ]  # fmt: skip
    assert list(range(10))[rank_of(1, 3).part(10).places] == [3, 4, 5]
    assert [part.share for part in parts] == [pytest.approx(1 / 3)] * 3


def test_few_items_are_computed_by_every_rank() -> None:
    """So the shares of all are the whole."""
    parts = [rank_of(rank, 3).part_of_few(2) for rank in range(3)]
    assert [list(range(2))[part.places] for part in parts] == [[0, 1]] * 3
    assert sum(part.share for part in parts) == pytest.approx(1)
    assert {part.fraction for part in parts} == {1}


def test_ranks_without_exchanges_say_so() -> None:
    for begin in (rank_of(0, 2).begin_swap, rank_of(0, 2).begin_collect):
        with pytest.raises(UsageError, match="send gradients as float32 only"):
            begin(np.zeros(2), np.zeros((2, 2)))


def test_a_batch_smaller_than_the_ranks_is_refused() -> None:
    with pytest.raises(UsageError, match="a batch of 2 cannot be shared out over 3 ranks"):
        rank_of(1, 3).part(2)


def test_alone_nothing_changes() -> None:
    array = np.arange(3.0)
    ALONE.sum(array)
    ALONE.broadcast_array(array)
    ALONE.begin_sum(array).wait()
    assert ALONE.begin_sum(array).progress()
    rows = np.zeros((1, 3))
    for begin in (ALONE.begin_swap, ALONE.begin_collect):
        assert begin(array, rows).progress()
        assert rows.tolist() == [[0.0, 1.0, 2.0]]
        rows.fill(0)
    assert array.tolist() == [0.0, 1.0, 2.0]
    assert ALONE.alone
    assert ALONE.broadcast("a") == "a"
    assert ALONE.gather(3) == [3]
    assert ALONE.sums([1.5]) == [1.5]
    assert ALONE.any_of(True, False) == (True, False)
