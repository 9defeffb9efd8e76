"""Work that ranks share comes in the order of one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from protonet.errors import DataError
from protonet.ranks.pool import IN_TURN, opening
from tests.ranks.started import on_ranks

SHARED = """
import sys, time
from contextlib import contextmanager
from protonet.errors import DataError
from protonet.ranks.mpi import communicator
from protonet.ranks.pool import Pool, opening, serve

ranks = communicator()

def squared(item):
    time.sleep(0.004 * (item % 3))
    if item == 70:
        raise DataError("list:71: is no image")
    return ranks.rank, item * item

@contextmanager
def broken_elsewhere():
    if ranks.rank:
        raise DataError("db: there is no such database")
    yield squared

if ranks.rank:
    serve(ranks)
    sys.exit()
pool = Pool(ranks)
taken = given = 0
def items(count):
    global given
    for given in range(1, count + 1):
        yield given - 1

made = []
for made_by, value in pool.map(opening(squared), items(60)):
    made.append((made_by, value))
    assert given - len(made) <= 4 * 3 * 32
assert [value for _, value in made] == [item * item for item in range(60)]
assert {made_by for made_by, _ in made} == {0, 1, 2}
assert list(pool.map(opening(squared), [])) == []
seen = []
def told(start, items):
    seen.clear()
    try:
        for _, value in pool.map(start, items):
            seen.append(value)
    except DataError as error:
        return str(error)
message = told(opening(squared), items(100))
assert len(seen) == 70
assert message.removeprefix("rank 1 on ").removeprefix("rank 2 on ").endswith(
    "list:71: is no image"), message
print("done", flush=True)
ranks.end_all(0)
"""


def test_results_of_three_ranks(tmp_path: Path) -> None:
    assert on_ranks(3, SHARED, tmp_path) == "done\n"


def test_another_rank_that_cannot_begin_is_named(tmp_path: Path) -> None:
    program = SHARED[: SHARED.index("pool = Pool")]
    program += """
try:
    list(Pool(ranks).map(broken_elsewhere, range(60)))
except DataError as error:
    print(str(error).replace(ranks.host, "here"), flush=True)
ranks.end_all(0)
"""
    told = on_ranks(2, program, tmp_path)
    assert told == "rank 1 on here: db: there is no such database\n"


def test_one_rank_makes_an_item_when_it_is_asked_for() -> None:
    given: list[int] = []

    def items() -> Iterator[int]:
        for item in range(3):
            given.append(item)
            yield item

    results = IN_TURN.map(opening(lambda item: 10 / (item - 1)), items())
    assert next(results) == -10
    assert given == [0]
    with pytest.raises(ZeroDivisionError):
        next(results)
    IN_TURN.close()


def test_an_item_that_cannot_be_had_is_an_error_in_its_place() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise DataError("list:2: is elsewhere")

    results = IN_TURN.map(opening(str), items())
    assert next(results) == "1"
    with pytest.raises(DataError, match="list:2"):
        next(results)
