"""What is told while iterations go by."""

from __future__ import annotations

import pytest

from protonet.train import progress
from protonet.train.events import Event, Iterated, Ticked, Warned
from protonet.train.testing import output_elements
from tests.graph.nets import SEED, net_of


def test_a_display_says_how_many_iterations_and_how_long(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Event] = []
    clock = iter([10.0, 12.5, 13.0])
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
    assert not made.tick_is_due(13.05)
    assert made.tick_is_due(13.2)


def test_a_tick_puts_off_the_next() -> None:
    told: list[Event] = []
    made = progress.Progress(told.append)
    made.tick(4, 0.75, 7.0)
    assert told == [Ticked(4, 0.75)]
    assert not made.tick_is_due(7.05)


def test_a_reason_is_told_once() -> None:
    told: list[Event] = []
    made = progress.Progress(told.append)
    made.report_capture_errors(1, {"", "waits"})
    made.report_capture_errors(2, {"waits", "asks"})
    assert [(event.iteration, isinstance(event, Warned)) for event in told] == [
        (1, True),
        (2, True),
    ]
    assert [str(event.message).rpartition(": ")[2] for event in told] == ["waits", "asks"]  # type: ignore[union-attr]
