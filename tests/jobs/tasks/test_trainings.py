"""Tasks that train: stopped by a signal, gone on with, prolonged."""

from __future__ import annotations

from pathlib import Path

import pytest

from protonet.data.create import create_gradients
from protonet.errors import UsageError
from protonet.jobs.run.directory import RunDirectory
from protonet.jobs.run.record import RunRecord
from protonet.jobs.run.settings import RunSettings, SolverSettings
from protonet.jobs.tasks.trainings import ResumeRun, TrainNetwork
from protonet.train.trainer import Trainer
from tests.jobs.nets import SEED


def let(_: Trainer) -> None:
    """Let it train."""


def test_stopped_and_gone_on_with(tmp_path: Path) -> None:
    data, run = tmp_path / "data", tmp_path / "run"
    create_gradients(data, 6, 5, 8, 4, seed=1)
    (tmp_path / "net.prototxt").write_text(SEED)
    settings = RunSettings(
        data / "train_images", labels=data / "train_labels", epochs=2.0, batch_size=4, out=run
    )
    task = TrainNetwork(tmp_path / "net.prototxt", settings)
    stopped = task.train([], Trainer.stop)
    assert stopped.result.interrupted
    at = stopped.result.iteration
    assert stopped.summary == f"stopped after {at} iterations"
    outcome = ResumeRun(run).train([], let)
    assert (outcome.result.iteration, outcome.result.interrupted) == (4, False)
    assert outcome.summary.startswith("trained 4 iterations, loss 0.")
    with pytest.raises(UsageError, match="this run is finished"):
        ResumeRun(run).train([], let)
    assert ResumeRun(run, epochs=4.0).train([], let).result.iteration == 8


def test_a_resumed_run_has_the_ranks_that_it_had(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path / "run", "run")
    settings = SolverSettings(device="cuda:0,1,2", ranks=2)
    run.write(RunRecord(settings=settings, prefix="snapshot"))
    for device, count in {None: 2, "cpu": 2, "cuda:0,1,2": 2, "cuda:1": 1, "cuda:3,4,5": 3}.items():
        assert ResumeRun(run.path, device=device).wanted_ranks() == count
    assert TrainNetwork(Path("n"), RunSettings(Path("d"), ranks=3)).wanted_ranks() == 3
