"""Runs that go on: killed, stopped, moved, with what is told anew."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from protonet.errors import UsageError
from protonet.jobs.run.directory import RunDirectory
from protonet.jobs.run.settings import SolverSettings
from protonet.jobs.training.resume import _told, resume
from protonet.jobs.training.start import start, start_solver
from protonet.train import events
from protonet.train.listeners import read_metrics
from tests.jobs.nets import SEED, net_of, settings_of

SCRIPT = """
import sys
import time
from pathlib import Path
from protonet.jobs.training.resume import resume
from protonet.jobs.training.start import start
from tests.jobs.nets import RANDOM, net_of, settings_of
data, out, kind = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
if kind == "resume":
    resume(out)
else:
    pause = lambda event: time.sleep(0.02)
    start(net_of(RANDOM), settings_of(data, out, epochs=6.0, shuffle=True, seed=5, mean="none"),
          listeners=[pause] if kind == "slow" else [])
"""


def run_script(data: Path, out: Path, kind: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(data), str(out), kind],
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
        stderr=subprocess.PIPE,
    )


@pytest.fixture(scope="module")
def uninterrupted(gradients: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole") / "run"
    _, errors = run_script(gradients, out, "fast").communicate(timeout=120)
    assert errors == b""
    return out


@pytest.mark.parametrize(
    ("pattern", "count"),
    [("run.json", 1), ("metrics.jsonl", 1), ("*.caffemodel", 1), ("*.solverstate", 3)],
)
def test_a_killed_run_resumes_to_the_same_bits(
    gradients: Path, uninterrupted: Path, tmp_path: Path, pattern: str, count: int
) -> None:
    killed = tmp_path / "killed"
    process = run_script(gradients, killed, "slow")
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and len(list(killed.glob(pattern))) < count:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    resumed = run_script(gradients, killed, "resume")
    _, errors = resumed.communicate(timeout=120)
    assert resumed.returncode == 0, errors.decode()
    for ending in (".caffemodel", ".resume.json"):
        last = f"snapshot_iter_48{ending}"
        assert (killed / last).read_bytes() == (uninterrupted / last).read_bytes()

    def lines(run: Path) -> list[tuple[str, int, float | None]]:
        return [
            (line["event"], line["iteration"], line.get("loss"))
            for line in read_metrics(run / "metrics.jsonl")
        ]

    assert lines(killed) == lines(uninterrupted)
    assert RunDirectory.open(killed).record().status == "done"


def test_a_run_killed_after_its_last_snapshot_is_concluded(gradients: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    start(net_of(SEED), settings_of(gradients, out))
    whole = (out / "metrics.jsonl").read_text()
    lines = whole.splitlines(keepends=True)
    assert json.loads(lines[-1])["event"] == "tested"
    (out / "metrics.jsonl").write_text("".join(lines[:-1]))
    RunDirectory.open(out).update(status="run")
    resume(out)
    assert (out / "metrics.jsonl").read_text() == whole
    assert RunDirectory.open(out).record().status == "done"


def test_a_stopped_run_resumes_and_a_finished_one_says_so(gradients: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    stops = []

    def stop_at_three(event: events.Event) -> None:
        if isinstance(event, events.Iterated) and event.iteration == 3:
            stops[0].stop()

    first = start(
        net_of(SEED),
        settings_of(gradients, out, epochs=4.0),
        listeners=[stop_at_three],
        on_trainer=stops.append,
    )
    assert first.result.interrupted
    assert RunDirectory.open(out).record().status == "abort"
    second = resume(out)
    assert (second.result.iteration, second.notes) == (8, ("resumed at iteration 4",))
    with pytest.raises(UsageError, match=r"this run is finished \(8 iterations\)"):
        resume(out)


def test_a_run_that_moved_resumes(gradients: Path, tmp_path: Path) -> None:
    start(net_of(SEED), settings_of(gradients, tmp_path / "run", epochs=4.0))
    for path in (tmp_path / "run").glob("*_iter_8.*"):
        path.unlink()
    shutil.move(tmp_path / "run", tmp_path / "moved")
    assert resume(tmp_path / "moved").result.iteration == 8


def test_a_run_at_work_is_not_resumed(gradients: Path, tmp_path: Path) -> None:
    refused = []

    def resume_too(event: events.Event) -> None:
        if isinstance(event, events.Snapshotted):
            with pytest.raises(UsageError, match="another process is training this run"):
                resume(tmp_path / "run")
            refused.append(event.iteration)

    start(net_of(SEED), settings_of(gradients, tmp_path / "run"), listeners=[resume_too])
    assert refused == [2, 4]


@pytest.mark.parametrize(
    ("raised", "status", "told"),
    [(KeyboardInterrupt(), "abort", "KeyboardInterrupt"), (OSError("full"), "error", "full")],
)
def test_what_ends_a_run_is_recorded(
    gradients: Path, tmp_path: Path, raised: BaseException, status: str, told: str
) -> None:
    def fail(event: events.Event) -> None:
        if isinstance(event, events.Snapshotted):
            raise raised

    with pytest.raises(type(raised)):
        start(net_of(SEED), settings_of(gradients, tmp_path / "run"), listeners=[fail])
    record = RunDirectory.open(tmp_path / "run").record()
    assert (record.status, record.error) == (status, told)
    assert resume(tmp_path / "run").notes == ("resumed at iteration 2",)


def test_what_is_no_run_is_not_resumed(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such run"):
        resume(tmp_path / "absent")
    with pytest.raises(UsageError, match=r"has no run\.json"):
        resume(tmp_path)


def test_a_run_that_went_on_from_a_snapshot_resumes_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it failed before a snapshot of its own."""
    case = Path(__file__).parents[2] / "golden" / "solvers" / "sgd_momentum_l2"
    shutil.copytree(case, tmp_path / "case")
    text = (case / "solver.prototxt").read_text().replace("display: 0", "display: 1")
    (tmp_path / "case" / "solver.prototxt").write_text(text)
    (tmp_path / "theirs").mkdir()
    for path in (tmp_path / "case").glob("snap_iter_5*"):
        path.rename(tmp_path / "theirs" / path.name)
    monkeypatch.chdir(tmp_path / "case")

    def fail(event: events.Event) -> None:
        if isinstance(event, events.Iterated) and event.iteration == 6:
            raise RuntimeError("no more")

    state = tmp_path / "theirs" / "snap_iter_5.solverstate"
    with pytest.raises(RuntimeError, match="no more"):
        start_solver(
            Path("solver.prototxt"),
            SolverSettings(out=tmp_path / "run", snapshot=state),
            listeners=[fail],
        )
    outcome = resume(tmp_path / "run")
    iterations = [line["iteration"] for line in read_metrics(outcome.run.metrics)]
    assert iterations[0] == 5


def test_other_ranks_than_before_are_told() -> None:
    two, each = SolverSettings(ranks=2), SolverSettings(ranks=2, batch_per_rank=True)
    at = "resumed at iteration 7"
    assert _told(7, two, 2) == [at]
    assert _told(7, SolverSettings(), 1) == [at]
    assert _told(7, two, 1) == [
        at,
        "2 ranks until then, 1 rank now: the same numbers up to rounding",
    ]
    assert _told(7, SolverSettings(), 3)[1].startswith("1 rank until then, 3 ranks now: ")
    assert "so the whole batch is another" in _told(7, each, 3)[1]
    assert _told(0, two, 1) == ["no snapshot yet: from the beginning"]
