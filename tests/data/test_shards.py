"""Which records of its shard a rank reads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from protonet.data.datum import make_datum
from protonet.data.shards import (
    OwnShards,
    Shard,
    Survey,
    agree_on_shards,
    is_sharded,
    shard_name,
)
from protonet.data.writer import DatabaseWriter
from protonet.errors import DataError
from protonet.ranks.communicator import Communicator, Part

HOSTS = ("a", "b", "a")


class Rank(Communicator):
    """One of three ranks on two hosts; what the others say is known."""

    size = 3

    def __init__(self, rank: int, everyone: Sequence[Any] = ()) -> None:
        self.rank, self.host, self.everyone = rank, HOSTS[rank], everyone
        self.said: Any = None

    def gather(self, value: Any) -> Sequence[Any]:
        self.said = value
        return self.everyone if self.everyone else [value]


def shards(
    name: str, records: Sequence[int], shapes: Sequence[tuple[int, ...]] = ((1, 2, 2),) * 3
) -> list[Shard]:
    def agree(rank: Rank) -> Shard:
        path = Path("/data") / shard_name(name, rank)
        each = rank.rank
        return agree_on_shards(rank, path, records[each], shapes[each], rank.part(10))

    ranks = [Rank(rank) for rank in range(3)]
    for rank in ranks:
        agree(rank)
    return [agree(Rank(rank, [each.said for each in ranks])) for rank in range(3)]


def test_names() -> None:
    assert is_sharded("db_{rank}")
    assert is_sharded("/local/{host}/db")
    assert not is_sharded("db")
    assert shard_name("{host}/db_{rank}", Rank(2)) == "a/db_2"


def test_each_rank_reads_its_shard_from_end_to_end() -> None:
    """A batch of 10 is 3, 3 and 4 images."""
    found = shards("db_{rank}", (30, 20, 7))
    assert {each.length for each in found} == {57}
    for rank, count in enumerate((3, 3, 4)):
        part = Rank(rank).part(10)
        positions = [10 * batch + part.first + i for batch in range(4) for i in range(count)]
        assert [found[rank].place(each) for each in positions] == list(range(4 * count))


def test_ranks_of_a_host_share_its_shard() -> None:
    found = shards("{host}/db", (30, 20, 30))
    assert {each.length for each in found} == {50}
    assert found[0].text.startswith("2 shard(s) with 50 records together")
    read = {
        rank: [found[rank].place(10 * batch + Rank(rank).part(10).first) for batch in range(3)]
        for rank in range(3)
    }
    assert read == {0: [0, 7, 14], 1: [0, 3, 6], 2: [3, 10, 17]}


def test_images_that_are_dealt_out_one_by_one() -> None:
    shard = Shard(100, 4, 0, Part(1, 4, 12, 3))
    assert [shard.place(12 + 1 + 3 * i) for i in range(4)] == [4, 5, 6, 7]


def test_images_of_other_shapes_are_refused() -> None:
    with pytest.raises(DataError) as caught:
        shards("db_{rank}", (1, 1, 1), ((1, 2, 2), (1, 2, 2), (3, 2, 2)))
    assert str(caught.value) == (
        "/data/db_2 on a: the images of rank 2 are 3x2x2, those of rank 0 in /data/db_0 1x2x2; "
        "shards have images of one shape"
    )


def test_a_survey_counts_the_records_of_all_shards(tmp_path: Path) -> None:
    for rank, count in enumerate((2, 3, 4)):
        with DatabaseWriter(tmp_path / f"db_{rank}") as writer:
            for index in range(count):
                writer.put(f"{index}".encode(), make_datum(np.zeros((1, 1, 1), np.uint8)))
    survey = Survey((f"{tmp_path}/db_{{rank}}",))
    ranks = [Rank(rank) for rank in range(3)]
    for each in ranks:
        survey.answer(each)
    assert survey.answer(Rank(1, [each.said for each in ranks])) == [9]


def test_tests_have_as_many_batches_for_each_rank() -> None:
    shards = OwnShards({"/data/db_0": "/data/db_{rank}"}, {"/data/db_0": 70}, 3)
    assert shards.count(Path("/data/db_0"), 20) == 70
    assert shards.count(Path("/data/other"), 20) == 20
    assert [shards.batches(Path("/data/db_0"), count) for count in (6, 7)] == [6, 9]
    assert shards.batches(Path("/data/other"), 7) == 7
