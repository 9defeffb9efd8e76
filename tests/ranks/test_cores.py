"""Which cores a rank uses."""

from __future__ import annotations

import os

from protonet.ranks.cores import own_cores, share_of


def test_ranks_of_a_host_share_out_its_cores() -> None:
    cores = [("a", (0, 1, 2, 3)), ("b", (0, 1)), ("a", (0, 1, 2, 3)), ("a", (0, 1, 2, 3))]
    assert [share_of(rank, cores) for rank in range(4)] == [(0,), (0, 1), (1,), (2, 3)]


def test_cores_that_a_launcher_has_given_stay() -> None:
    assert share_of(1, [("a", (0, 1)), ("a", (2, 3))]) == (2, 3)


def test_fewer_cores_than_ranks_are_shared_by_all() -> None:
    assert [share_of(rank, [("a", (0, 1))] * 3) for rank in range(3)] == [(0, 1)] * 3


def test_the_cores_of_this_process() -> None:
    assert own_cores("here") == ("here", tuple(sorted(os.sched_getaffinity(0))))
