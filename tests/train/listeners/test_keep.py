"""Old snapshots go; the newest and the best stay."""

from __future__ import annotations

from pathlib import Path

import pytest

from protonet.formats.solverstate import SolverHistory
from protonet.proto.caffe_pb2 import NetParameter
from protonet.train import events
from protonet.train.listeners import KeepNewest
from protonet.train.snapshot import Snapshots


def train(folder: Path, count: int, best: int) -> list[int]:
    """Take snapshots 1 to 6; which are left."""
    snapshots = Snapshots(folder / "net")
    keep = KeepNewest(snapshots, count, snapshots.complete, lambda _: best)
    for iteration in range(1, 7):
        history = SolverHistory(iteration, str(snapshots.model(iteration)), [], 0)
        model, state = snapshots.save(NetParameter(name="net"), history, {})
        keep(events.Stopped(iteration, False))
        assert snapshots.complete()[-1] == iteration
        keep(events.Snapshotted(iteration, model, state))
    return snapshots.complete()


@pytest.mark.parametrize(
    ("count", "best", "left"),
    [(1, 6, [6]), (2, 1, [1, 5, 6]), (3, 5, [4, 5, 6]), (9, 1, [1, 2, 3, 4, 5, 6])],
)
def test_the_newest_and_the_best_stay(
    tmp_path: Path, count: int, best: int, left: list[int]
) -> None:
    assert train(tmp_path, count, best) == left
    assert len(list(tmp_path.iterdir())) == 3 * len(left)
