"""The end of patience."""

from __future__ import annotations

import pytest

from protonet.train import events
from protonet.train.listeners import EarlyStop


def run(
    patience: int,
    losses: list[float],
    past: list[float | None] | None = None,
    since: int | None = None,
) -> int | None:
    """After which test the training was ended."""
    ended: list[int] = []
    before = list(enumerate(past if past is not None else ()))
    anew = () if since is None else (lambda: since,)
    stop = EarlyStop(patience, lambda: ended.append(1), lambda _: before, *anew)
    stop(events.Started("net", 0, 9))
    for index, loss in enumerate(losses):
        at = len(before) + index
        stop(events.Tested(at, 1, (events.Output("loss", 0.0, 1.0),)))
        stop(events.Stopped(at, False))
        stop(events.Tested(at, 0, (events.Output("loss", loss, 1.0),)))
        if ended:
            return index
    return None


@pytest.mark.parametrize(
    ("patience", "losses", "end"),
    [
        (1, [3, 2, 2, 1], 2),
        (2, [3, 2, 2.5, 1, 1, 1.5, 0], 5),
        (3, [3, 2, 2.5, 1], None),
        (2, [1, float("nan"), float("nan")], 2),
    ],
)
def test_tests_that_are_no_better_are_counted(
    patience: int, losses: list[float], end: int | None
) -> None:
    assert run(patience, losses) == end


def test_an_accuracy_counts_before_the_loss() -> None:
    ended: list[int] = []
    stop = EarlyStop(1, lambda: ended.append(1), lambda _: ())
    for accuracy, loss in ((0.5, 1.0), (0.6, 2.0), (0.6, 0.1)):
        outputs = (events.Output("accuracy", accuracy), events.Output("loss", loss, 1.0))
        stop(events.Tested(0, 0, outputs))
    assert ended == [1]


def test_a_resumed_training_remembers() -> None:
    assert run(2, [2.5], past=[3, 2, 2.5]) == 0
    assert run(2, [2.5, 2.5], past=[3, 2, None, 1]) == 1


def test_patience_begins_anew_where_a_training_was_prolonged() -> None:
    """The best is remembered; tests that were no better before are forgotten."""
    past: list[float | None] = [1, 2, 2]
    assert run(2, [2, 2, 2], past) == 0
    assert run(2, [2, 2, 2], past, since=3) == 2
    assert run(2, [2, 0.5, 2, 2], past, since=3) == 3
