"""What is told while iterations go by."""

from __future__ import annotations

import pytest

from protonet.ranks.communicator import ALONE, Communicator, Part
from protonet.train import events, progress
from protonet.train.events import Event, Iterated, Ticked, Warned
from protonet.train.testing import output_elements
from tests.graph.nets import SEED, net_of


def test_a_display_says_how_many_iterations_and_how_long(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Event] = []
    clock = iter([10.0, 12.5, 13.0, 13.05, 13.2])
    monkeypatch.setattr(progress.time, "perf_counter", lambda: next(clock))
    net = net_of(SEED)
    net.forward()
    made = progress.Progress(told.append)
    made.begin(3)
    made.display(8, 0.25, 0.1, output_elements(net.outputs()))
    made.display(9, 0.5, 0.1, output_elements(net.outputs()))
    first, second = told
    assert isinstance(first, Iterated)
    assert isinstance(second, Iterated)
    assert (first.iteration, first.loss, first.rate) == (8, 0.25, 0.1)
    assert [output.name for output in first.outputs] == ["loss"]
    assert (first.iterations, first.seconds) == (5, 2.5)
    assert (second.iterations, second.seconds) == (1, 0.5)
    assert [made.tick_is_due(), made.tick_is_due()] == [False, True]


def test_a_tick_puts_off_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([7.0, 7.05])
    monkeypatch.setattr(progress.time, "perf_counter", lambda: next(clock))
    told: list[Event] = []
    made = progress.Progress(told.append)
    made.tick(4, 0.75)
    assert told == [Ticked(4, 0.75)]
    assert not made.tick_is_due()


def test_a_reason_is_told_once() -> None:
    told: list[Event] = []
    made = progress.Progress(told.append)
    made.report_capture_errors(1, {"", "waits"})
    made.report_capture_errors(2, {"waits", "asks"})
    assert [(event.iteration, isinstance(event, Warned)) for event in told] == [
        (1, True),
        (2, True),
    ]
    assert [str(event.message).rpartition(": ")[2] for event in told] == ["waits", "asks"]


def test_a_net_of_one_rank_is_not_shared_out() -> None:
    assert progress.sharing_of(net_of(SEED), ALONE, 2) is None
    assert events.Iterated(1, 0.5, 0.1, (), 5, 2.0).images_per_second == 0


def test_how_ranks_share_out_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The images of all passes of an iteration."""
    ranks = Communicator()
    ranks.size = 3
    parts = iter([Part(0, 3, 10), Part(1, 4, 12, 3)])
    monkeypatch.setattr(progress, "part_of", lambda plan: next(parts))
    net = net_of(SEED)
    assert progress.sharing_of(net, ranks, 2) == events.Sharing(3, 20, 10)
    sharing = progress.sharing_of(net, ranks, 1)
    assert sharing == events.Sharing(3, 12, 12, 4)
    assert sharing is not None
    assert "batch of the text, 4 images" in sharing.text
    told: list[Event] = []
    made = progress.Progress(told.append, sharing)
    made.begin(0)
    made.display(6, 0.25, 0.1, [])
    assert isinstance(told[0], Iterated)
    assert told[0].images_per_second == pytest.approx(72 / told[0].seconds)
