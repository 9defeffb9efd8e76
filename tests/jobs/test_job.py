"""Nets and trainer of a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from protonet.device import Device
from protonet.errors import DeviceError
from protonet.jobs.job import Job
from protonet.jobs.prepare import surroundings_of, write_run
from protonet.jobs.run import RunDirectory
from protonet.train.events import Warned
from tests.jobs.nets import RANDOM, SEED, net_of, settings_of


def test_what_exceeds_the_limit_is_refused_before_it_is_allocated(
    gradients: Path, tmp_path: Path
) -> None:
    run = RunDirectory.create(tmp_path / "run", "x")
    settings = settings_of(gradients, tmp_path, memory_limit=1000)
    files, _ = write_run(run, net_of(SEED), settings)
    with pytest.raises(DeviceError, match=r"training needs about .* memory limit of 1000 bytes"):
        Job(run, files, Device(), surroundings_of(run, settings))


def test_what_may_not_fit_is_told_before_it_begins(
    gradients: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunDirectory.create(tmp_path / "run", "x")
    settings = settings_of(gradients, tmp_path)
    files, _ = write_run(run, net_of(SEED), settings)
    device = Device()
    monkeypatch.setattr(device, "memory", lambda: (10, 2**40))
    with Job(run, files, device, surroundings_of(run, settings)) as job:
        told: list[object] = []
        assert job.train((told.append,), None).iteration == 4
    first = told[0]
    assert isinstance(first, Warned)
    assert "of device 'cpu' about 10 bytes are free" in first.message
    assert first.message in run.log.read_text()


def test_the_test_net_uses_the_parameters_of_the_train_net(gradients: Path, tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path / "run", "x")
    settings = settings_of(gradients, tmp_path, accumulation=3)
    files, _ = write_run(run, net_of(RANDOM), settings)
    with Job(run, files, Device(), surroundings_of(run, settings)) as job:
        train, test = job.nets
        assert test.params["ip1"][0] is train.params["ip1"][0]
        assert job.trainer.per_epoch == 3  # 30 images in batches of 4, three to an update
        assert [iterations for _, iterations in job.trainer.tests] == [2]
