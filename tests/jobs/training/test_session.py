"""Nets and trainer of a run."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from protonet.device import Device
from protonet.errors import DeviceError
from protonet.jobs.run.directory import RunDirectory
from protonet.jobs.run.settings import SolverSettings
from protonet.jobs.training import start as training
from protonet.jobs.training.new_run import write_run
from protonet.jobs.training.session import Job
from protonet.train.events import Warned
from protonet.train.listeners import read_metrics
from tests.jobs.nets import RANDOM, SEED, net_of, settings_of
from tests.kernels.cuda.emulation import QUEUE, EmulatedDevice, needs_compiler

DIGITS = Path(__file__).parents[2] / "golden" / "digits"


def test_what_exceeds_the_limit_is_refused_before_it_is_allocated(
    gradients: Path, tmp_path: Path
) -> None:
    run = RunDirectory.create(tmp_path / "run", "x")
    settings = settings_of(gradients, tmp_path, memory_limit=1000)
    files, _ = write_run(run, net_of(SEED), settings)
    with pytest.raises(DeviceError, match=r"training needs about .* memory limit of 1000 bytes"):
        Job(run, files, settings, Device())


def test_what_may_not_fit_is_told_before_it_begins(
    gradients: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunDirectory.create(tmp_path / "run", "x")
    settings = settings_of(gradients, tmp_path)
    files, _ = write_run(run, net_of(SEED), settings)
    device = Device()
    monkeypatch.setattr(device, "memory", lambda: (10, 2**40))
    with Job(run, files, settings, device) as job:
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
    with Job(run, files, settings, Device()) as job:
        train, test = job.nets
        assert test.params["ip1"][0] is train.params["ip1"][0]
        assert job.trainer.per_epoch == 3  # 30 images in batches of 4, three to an update
        assert [iterations for _, iterations in job.trainer.tests] == [2]


@needs_compiler
@pytest.mark.parametrize(("precision", "apart"), [("float32", 1e-4), ("float16", 0.02)])
def test_a_whole_training_is_that_of_the_cpu_on_the_stand_in_for_a_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, precision: str, apart: float
) -> None:
    """Batches are sent ahead, iterations and tests are captured, and nothing waits in between."""
    shutil.copytree(DIGITS, tmp_path, dirs_exist_ok=True)
    text = (tmp_path / "solver.prototxt").read_text()
    for field, value in (("max_iter", 12), ("test_interval", 4)):
        text = re.sub(f"{field}: .*", f"{field}: {value}", text)
    (tmp_path / "solver.prototxt").write_text(text + "average_loss: 3\n")
    monkeypatch.chdir(tmp_path)
    found = []
    for device in (Device(), EmulatedDevice()):
        QUEUE.captures = QUEUE.launches = 0
        monkeypatch.setattr(training, "Device", lambda name, tf32, device=device: device)
        settings = SolverSettings(out=Path(device.name), precision=precision)
        training.start_solver(Path("solver.prototxt"), settings)
        lines = read_metrics(tmp_path / device.name / "metrics.jsonl")
        assert not [line for line in lines if line["event"] == "warned"]
        tested = [line for line in lines if line["event"] == "tested"]
        assert [line["iteration"] for line in tested] == [0, 4, 8, 12]
        found.append([line["outputs"]["loss"] for line in tested])
    assert QUEUE.captures >= 2
    assert QUEUE.launches >= 12
    assert found[1] == pytest.approx(found[0], rel=apart)
