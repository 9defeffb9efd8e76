"""Runs that are given another length: what is trained, at which rates, and what stays whole."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from protonet.errors import FormatError, UsageError
from protonet.jobs.run.directory import RunDirectory
from protonet.jobs.run.record import Prolonged, RunRecord
from protonet.jobs.run.settings import RunSettings, SolverSettings
from protonet.jobs.training import prolong
from protonet.jobs.training.resume import ResumeOptions, resume
from protonet.jobs.training.start import start, start_solver
from protonet.proto.text import Source, read_solver
from protonet.train import events
from protonet.train.listeners import read_metrics
from tests.jobs.nets import RANDOM, SEED, net_of, settings_of

TRAINED = (".caffemodel", ".resume.json")


def same_bits(one: Path, other: Path, iteration: int) -> bool:
    names = [f"snapshot_iter_{iteration}{ending}" for ending in TRAINED]
    return all((one / name).read_bytes() == (other / name).read_bytes() for name in names)


def rates(run: Path) -> list[tuple[int, float]]:
    lines = read_metrics(run / "metrics.jsonl")
    return [(each["iteration"], each["lr"]) for each in lines if each["event"] == "iterated"]


def epochs(record: RunRecord) -> float:
    assert isinstance(record.settings, RunSettings)
    return record.settings.epochs


def max_iter(run: Path) -> int:
    return read_solver(Source.read(run / "solver.prototxt")).max_iter


def test_it_ends_as_a_training_that_was_so_long_from_the_start(
    gradients: Path, tmp_path: Path
) -> None:
    given: dict[str, Any] = {"lr_policy": "fixed", "shuffle": True, "average": 0.9}
    start(net_of(RANDOM), settings_of(gradients, tmp_path / "long", epochs=4.0, **given))
    short = tmp_path / "short"
    start(net_of(RANDOM), settings_of(gradients, short, epochs=2.0, **given))
    outcome = resume(short, ResumeOptions(epochs=4.0))
    assert outcome.notes == (
        "resumed at iteration 16",
        "the run now has 32 iterations instead of 16. The learning rate was 0.01 and continues at "
        "0.01",
    )
    assert (outcome.result.iteration, max_iter(short)) == (32, 32)
    assert same_bits(short, tmp_path / "long", 32)
    record = RunDirectory.open(short).record()
    assert record.prolonged == (Prolonged(16, 16, 32),)
    assert (epochs(record), record.status, record.iteration) == (4.0, "done", 32)

    def tested(run: Path) -> list[Any]:
        lines = read_metrics(run / "metrics.jsonl")
        return [(line["event"], line["iteration"], line.get("loss")) for line in lines]

    assert tested(short) == tested(tmp_path / "long")
    log = (short / "train.log").read_text()
    assert log.count("caffe.cpp:250] Optimization Done.") == 2
    assert log.index("Optimization Done.") < log.index("Iteration 20, lr")


@pytest.mark.parametrize("policy", ["multistep", "cosine", "sigmoid"])
def test_the_rate_is_from_there_on_that_of_the_new_length(
    gradients: Path, tmp_path: Path, policy: str
) -> None:
    short, long = tmp_path / "short", tmp_path / "long"
    for out, epochs in ((short, 3.0), (long, 8.0)):
        start(net_of(SEED), settings_of(gradients, out, epochs=epochs, lr_policy=policy))
    before, new = rates(short), rates(long)
    note = resume(short, ResumeOptions(epochs=8.0)).notes[-1]
    at = len(before)
    assert rates(short) == before + new[at:]
    assert note.endswith(f"was {before[-1][1]:g} and continues at {new[at][1]:g}")
    given = (short / "solver.prototxt").read_text(), (long / "solver.prototxt").read_text()
    assert given[0] == given[1]


def test_twice_and_only_what_was_trained_stays(gradients: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    start(net_of(SEED), settings_of(gradients, out, epochs=2.0))
    resume(out, ResumeOptions(epochs=3.0))
    resume(out, ResumeOptions(epochs=5.0))
    lengths = RunDirectory.open(out).record().prolonged
    assert lengths == (Prolonged(4, 4, 6), Prolonged(6, 6, 10))
    assert RunDirectory.open(out).iterations() == [2, 4, 6, 8, 10]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"epochs": 3.0}, r"8 iterations are done, more than the requested 6 \(3 epochs\)"),
        ({"epochs": 4.0}, r"is finished \(8 iterations\); 8 \(4 epochs\) would not lengthen it"),
        ({"epochs": -1.0}, r"epochs must be above 0, got -1"),
        ({"epochs": 1e300}, r"1e\+300 epochs are 2e\+300 iterations, and a solver counts at most"),
        ({"max_iter": 9}, r"trains a network.*: give --epochs instead of --max-iter"),
        ({}, r"is finished \(8 iterations\); --epochs N makes it longer"),
    ],
)
def test_what_cannot_be_changes_nothing(
    gradients: Path, tmp_path: Path, given: dict[str, Any], message: str
) -> None:
    out = tmp_path / "run"
    start(net_of(SEED), settings_of(gradients, out, epochs=4.0))
    names = ("run.json", "solver.prototxt", "metrics.jsonl", "train.log")
    before = {name: (out / name).read_text() for name in names if name != "run.json"}
    record = RunDirectory.open(out).record()
    with pytest.raises(UsageError, match=message):
        resume(out, ResumeOptions(**given))
    assert {name: (out / name).read_text() for name in before} == before
    now = RunDirectory.open(out).record()
    assert replace(now, changed=record.changed) == record


def test_a_run_that_was_stopped_is_given_another_length(gradients: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    stops: list[Any] = []

    def stop_at_three(event: events.Event) -> None:
        if isinstance(event, events.Iterated) and event.iteration == 3:
            stops[0].stop()

    settings = settings_of(gradients, out, epochs=9.0)
    start(net_of(SEED), settings, listeners=[stop_at_three], on_trainer=stops.append)
    with pytest.raises(UsageError, match=r"4 iterations are done, more than the requested 2 "):
        resume(out, ResumeOptions(epochs=1.0))
    shutil.copytree(out, tmp_path / "ended")
    assert resume(out, ResumeOptions(epochs=3.0)).result.iteration == max_iter(out) == 6
    assert resume(tmp_path / "ended", ResumeOptions(epochs=2.0)).result.iteration == 4
    assert RunDirectory.open(tmp_path / "ended").record().status == "done"


def test_ended_between_the_two_files(
    gradients: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """run.json is new, solver.prototxt old: the run has the new length."""
    whole, out = tmp_path / "whole", tmp_path / "run"
    start(net_of(SEED), settings_of(gradients, whole, epochs=2.0, lr_policy="cosine"))
    shutil.copytree(whole, out)
    resume(whole, ResumeOptions(epochs=5.0))

    def ended(path: Path, data: bytes) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(prolong, "write_atomic", ended)
        with pytest.raises(KeyboardInterrupt):
            resume(out, ResumeOptions(epochs=5.0))
    assert max_iter(out) == 4
    assert resume(out).result.iteration == max_iter(out) == 10
    assert same_bits(out, whole, 10)
    assert RunDirectory.open(out).record().prolonged == (Prolonged(4, 4, 10),)
    assert rates(out) == rates(whole)


def test_ended_before_the_first_file(
    gradients: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    start(net_of(SEED), settings_of(gradients, out))

    def ended(solver: object) -> None:
        raise FormatError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr(prolong, "check_solver", ended)
        with pytest.raises(FormatError):
            resume(out, ResumeOptions(epochs=5.0))
    with pytest.raises(UsageError, match=r"this run is finished \(4 iterations\)"):
        resume(out)
    assert epochs(RunDirectory.open(out).record()) == 2.0


SCRIPT = """
import sys, time
from pathlib import Path
from protonet.jobs.training.resume import ResumeOptions, resume

slow = sys.argv[2] == "slow"
resume(Path(sys.argv[1]), ResumeOptions(epochs=6.0 if slow else None),
       listeners=[lambda event: time.sleep(0.03)] if slow else [])
"""


@pytest.mark.parametrize(("pattern", "count"), [("run.json", 1), ("*.solverstate", 4)])
def test_killed_after_it_was_prolonged(
    gradients: Path, tmp_path: Path, pattern: str, count: int
) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    given: dict[str, Any] = {"shuffle": True, "average": 0.9, "keep": 9, "early_stop": 4}
    start(net_of(RANDOM), settings_of(gradients, whole, **given))
    shutil.copytree(whole, killed)
    resume(whole, ResumeOptions(epochs=6.0))

    def run(how: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", SCRIPT, str(killed), how]
        return subprocess.Popen(command, stderr=subprocess.PIPE)

    process = run("slow")
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (
        len(list(killed.glob(pattern))) >= count
        and json.loads((killed / "run.json").read_text())["prolonged"]
    ):
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    _, errors = run("fast").communicate(timeout=120)
    assert errors == b""
    last = RunDirectory.open(whole).iterations()[-1]
    assert last > 16
    assert same_bits(killed, whole, last)
    assert rates(killed) == rates(whole)


def losses(run: Path) -> list[int]:
    lines = read_metrics(run / "metrics.jsonl")
    return [line["iteration"] for line in lines if line["event"] == "tested"]


def test_patience_snapshots_and_the_best(gradients: Path, tmp_path: Path) -> None:
    """A training that early stop ended goes on, with its patience anew; its best stays known."""
    out = tmp_path / "run"
    given: dict[str, Any] = {"lr": 1e-12, "early_stop": 2, "keep": 1, "lr_policy": "fixed"}
    start(net_of(SEED), settings_of(gradients, out, epochs=20.0, **given))
    stopped = losses(out)[-1]
    assert stopped < 38
    with pytest.raises(UsageError, match=rf"this run is finished \({stopped + 1} iterations\)"):
        resume(out)
    run = RunDirectory.open(out)
    kept, best = run.iterations(), run.best(run.iterations())
    assert best in kept
    outcome = resume(out, ResumeOptions(epochs=30.0))
    assert outcome.result.iteration == stopped + 5  # two validations more, two iterations each
    assert losses(out)[-2:] == [stopped + 2, stopped + 4]
    assert run.best(run.iterations()) == best
    assert run.iterations() == [best, stopped + 5]


def solver_run(gradients: Path, folder: Path, policy: str, iterations: int) -> Path:
    folder.mkdir()
    layers = "".join(
        f'layer {{ name: "{top}" type: "Data" top: "{top}" data_param {{ batch_size: 3 '
        f'source: "{gradients}/{source}" }} }}'
        for top, source in (("data", "train_images"), ("label", "train_labels"))
    )
    (folder / "net.prototxt").write_text(layers + SEED)
    (folder / "solver.prototxt").write_text(
        f'net: "net.prototxt" base_lr: 0.01 max_iter: {iterations} display: 1 test_iter: 2 '
        f'test_interval: 3 snapshot_prefix: "{folder}/snapshot" {policy}'
    )
    start_solver(folder / "solver.prototxt", SolverSettings(out=folder / "run"))
    return folder / "run"


@pytest.mark.parametrize(
    ("policy", "scaled"),
    [
        ('lr_policy: "fixed"', False),
        ('lr_policy: "poly" power: 2', True),
        ('lr_policy: "cosine"', True),
        ('lr_policy: "multistep" gamma: 0.5 stepvalue: 4 stepvalue: 7', False),
    ],
)
def test_a_run_of_a_solver_file(gradients: Path, tmp_path: Path, policy: str, scaled: bool) -> None:
    """Only max_iter changes: steps are iterations, and stay."""
    short = solver_run(gradients, tmp_path / "short", policy, 6)
    long = solver_run(gradients, tmp_path / "long", policy, 10)
    for given, message in (
        ({}, r"\(6 iterations\); --max-iter N makes it longer"),
        ({"epochs": 3.0}, "counts iterations: give --max-iter instead of --epochs"),
        ({"max_iter": 5}, "6 iterations are done, more than the requested 5"),
        ({"max_iter": 0}, "max iter must be at least 1, got 0"),
    ):
        with pytest.raises(UsageError, match=message):
            resume(short, ResumeOptions(**given))
    before = rates(short)
    assert resume(short, ResumeOptions(max_iter=10)).result.iteration == max_iter(short) == 10
    assert rates(short) == before + rates(long)[6:]
    models = [(folder / "snapshot_iter_10.caffemodel").read_bytes()
              for folder in (tmp_path / "short", tmp_path / "long")]  # fmt: skip
    assert (models[0] == models[1]) is not scaled
