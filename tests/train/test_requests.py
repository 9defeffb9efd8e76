"""Requests are obeyed when all ranks know of them."""

from __future__ import annotations

from protonet.ranks.communicator import ALONE, Communicator
from protonet.train.requests import Requests


class Other(Communicator):
    """A second rank that was told something."""

    size = 2

    def __init__(self) -> None:
        self.flags: tuple[bool, ...] = ()

    def any_of(self, *flags: bool) -> tuple[bool, ...]:
        return tuple(ours or theirs for ours, theirs in zip(flags, self.flags, strict=True))


def test_alone_a_request_is_obeyed_at_once() -> None:
    requests = Requests(ALONE)
    assert not requests.is_over(tick=False)
    assert not requests.ticks
    assert not requests.is_over(tick=True)
    assert requests.ticks
    requests.failed = True
    assert requests.is_over(tick=False)
    assert not requests.stopping
    requests.failed = False
    requests.snapshot = True
    assert [requests.takes_snapshot(), requests.takes_snapshot()] == [True, False]
    requests.stop = True
    assert not requests.stopping, "not before it was asked"
    assert requests.must_stop()
    assert requests.is_over(tick=False)
    assert requests.stopping


def test_what_another_rank_was_told_holds_here() -> None:
    other = Other()
    requests = Requests(other)
    other.flags = (False, True, False, False)
    assert requests.is_over(tick=False)
    assert not requests.stopping
    other.flags = (False, False, False, True)
    assert not requests.is_over(tick=False)
    assert requests.ticks
    other.flags = (True,)
    assert requests.must_stop()
    assert requests.stopping
    assert requests.takes_snapshot()
