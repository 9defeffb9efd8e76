"""Old snapshots go; the newest and the best stay."""

from __future__ import annotations

from pathlib import Path

import pytest

from protonet.formats.solverstate import SolverHistory
from protonet.proto.caffe_pb2 import NetParameter
from protonet.train import events
from protonet.train.listeners import KeepNewest
from protonet.train.snapshot import Snapshots


def train(folder: Path, count: int, figures: dict[int, float]) -> list[int]:
    """Take snapshots 1 to 6, each after its test; which are left."""
    snapshots = Snapshots(folder / "net")
    keep = KeepNewest(snapshots, count, lambda: ([], {}))
    keep(events.Started("net", 0, 6))
    for iteration in range(1, 7):
        take(snapshots, keep, iteration, figures.get(iteration))
    return snapshots.complete()


def take(
    snapshots: Snapshots, keep: KeepNewest, iteration: int, figure: float | None = None
) -> None:
    if figure is not None:
        keep(events.Tested(iteration, 1, (events.Output("loss", -99.0, 1.0),)))
        keep(events.Tested(iteration, 0, (events.Output("loss", figure, 1.0),)))
    history = SolverHistory(iteration, str(snapshots.model(iteration)), [], 0)
    model, state = snapshots.save(NetParameter(name="net"), history, {})
    keep(events.Stopped(iteration, False))
    assert snapshots.complete()[-1] == iteration
    keep(events.Snapshotted(iteration, model, state))


@pytest.mark.parametrize(
    ("count", "figures", "left"),
    [
        (1, {}, [6]),
        (2, {1: 0.1, 2: 0.2, 3: 0.3}, [1, 5, 6]),
        (2, {1: 0.3, 2: 0.1, 3: 0.1}, [2, 5, 6]),
        (1, {1: 0.3, 2: 0.2, 5: 0.1}, [5, 6]),
        (3, {5: 0.1, 6: 0.2}, [4, 5, 6]),
        (9, {1: 0.1}, [1, 2, 3, 4, 5, 6]),
    ],
)
def test_the_newest_and_the_best_stay(
    tmp_path: Path, count: int, figures: dict[int, float], left: list[int]
) -> None:
    assert train(tmp_path, count, figures) == left
    assert len(list(tmp_path.iterdir())) == 3 * len(left)


def test_a_resumed_training_knows_what_was_and_looks_once(tmp_path: Path) -> None:
    snapshots = Snapshots(tmp_path / "net")
    asked = []

    def past() -> tuple[list[int], dict[int, float]]:
        asked.append(1)
        return [1, 2, 3], {1: 0.3, 2: 0.1, 3: 0.2}

    other = KeepNewest(snapshots, 9, lambda: ([], {}))
    for iteration in (1, 2, 3):
        take(snapshots, other, iteration)
    keep = KeepNewest(snapshots, 1, past)
    keep(events.Started("net", 3, 9))
    for iteration in range(4, 50):
        take(snapshots, keep, iteration, 0.5)
    assert snapshots.complete() == [2, 49]
    assert asked == [1]
    assert len(keep._figures) < 5, "what is kept does not grow with the training"
