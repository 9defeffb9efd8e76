"""Whole trainings: the run directory, Caffe's own files, kills and resumption."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from protonet.data.database import Database
from protonet.data.datum import make_datum
from protonet.data.writer import DatabaseWriter
from protonet.errors import DataError, DeviceError, NetworkError, TrainingError, UsageError
from protonet.formats.caffemodel import read_weights
from protonet.jobs.inference import Predictor
from protonet.jobs.run import RunDirectory
from protonet.jobs.settings import RunSettings
from protonet.jobs.training import resume, start, start_solver
from protonet.train import events
from protonet.train.listeners import read_metrics
from tests.jobs.nets import RANDOM, SEED, net_of, settings_of

GOLDEN = Path(__file__).parents[1] / "golden"


def test_a_run_directory_has_everything(gradients: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    outcome = start(net_of(SEED), settings_of(gradients, out))
    assert (outcome.result.iteration, outcome.notes) == (4, ())
    names = {path.name for path in out.iterdir()}
    assert names >= {
        "original.prototxt", "train_val.prototxt", "solver.prototxt", "deploy.prototxt",
        "mean.binaryproto", "metrics.jsonl", "train.log", "loss.png", "run.json",
        "snapshot_iter_2.caffemodel", "snapshot_iter_4.solverstate", "snapshot_iter_4.resume.json",
    }  # fmt: skip
    info = RunDirectory.open(out).read()
    assert (info["status"], info["iteration"]) == ("done", 4)
    assert info["databases"][0]["sha256"]
    assert out.joinpath("original.prototxt").read_text() == SEED
    tested = [
        line["iteration"]
        for line in read_metrics(out / "metrics.jsonl")
        if line["event"] == "tested"
    ]
    assert tested == [0, 2, 4]


def test_the_mean_is_that_of_the_training_images(gradients: Path, tmp_path: Path) -> None:
    start(net_of(SEED), settings_of(gradients, tmp_path / "run"))
    made = tmp_path / "run" / "mean.binaryproto"
    assert made.read_bytes() == (gradients / "train_mean.binaryproto").read_bytes()


def test_without_a_name_runs_get_one_of_their_own(
    gradients: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    outcomes = [start(net_of(RANDOM), settings_of(gradients, None)) for _ in range(2)]
    names = [outcome.run.path.name for outcome in outcomes]
    assert all(re.match(r"random-\d{8}-\d{6}", name) for name in names)
    assert names[0] != names[1]


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"labels": "absent"}, DataError, "there is no such database"),
        ({"mean": "absent.binaryproto"}, UsageError, "cannot be read"),
        ({"solver": "Adm"}, NetworkError, "Adam"),
        ({"lr_policy": "stp"}, NetworkError, "step"),
        ({"device": "gpu"}, DeviceError, "expected 'cpu'"),
    ],
)
def test_what_fails_before_training_leaves_no_directory(
    gradients: Path, tmp_path: Path, change: dict[str, Any], error: type[Exception], message: str
) -> None:
    change = {k: tmp_path / v if k == "labels" else v for k, v in change.items()}
    with pytest.raises(error, match=message):
        start(net_of(SEED), settings_of(gradients, tmp_path / "run", **change))
    assert not (tmp_path / "run").exists()


def test_a_mistake_in_the_network_points_into_the_pasted_text(
    gradients: Path, tmp_path: Path
) -> None:
    with pytest.raises(NetworkError, match=r"net\.prototxt:5:\d+: .*unknown bottom blob 'outputs'"):
        start(
            net_of(SEED.replace('bottom: "output"', 'bottom: "outputs"')),
            settings_of(gradients, tmp_path / "run"),
        )
    assert not (tmp_path / "run").exists()


def test_an_existing_directory_is_refused(gradients: Path, tmp_path: Path) -> None:
    (tmp_path / "precious").touch()
    with pytest.raises(UsageError, match="exists already"):
        start(net_of(SEED), settings_of(gradients, tmp_path))
    assert (tmp_path / "precious").exists()


def test_keys_without_a_partner_are_named(gradients: Path, tmp_path: Path) -> None:
    with Database(gradients / "train_labels") as labels, DatabaseWriter(tmp_path / "l") as fewer:
        for key, datum in labels:
            if key not in (b"7", b"12"):
                fewer.put(key, datum)
    with pytest.raises(DataError, match=r"lacks '12', '7'"):
        start(net_of(SEED), settings_of(gradients, tmp_path / "run", labels=tmp_path / "l"))


def test_a_diverging_run_stays_and_says_why(gradients: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="not a finite number"):
        start(net_of(SEED), settings_of(gradients, tmp_path / "run", lr=1e20, epochs=20.0))
    info = RunDirectory.open(tmp_path / "run").read()
    assert info["status"] == "error"
    assert "smaller learning rate" in info["error"]


def classification(folder: Path) -> Path:
    with DatabaseWriter(folder) as writer:
        for index in range(12):
            image = np.full((1, 3, 4), 20 * (index % 3), np.uint8)
            writer.put(str(index).encode(), make_datum(image, label=index % 3))
    return folder


def test_classes_fill_an_open_num_output(tmp_path: Path) -> None:
    text = """
    layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip"
      inner_product_param { weight_filler { type: "xavier" } } }
    layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
    layer { name: "accuracy" type: "Accuracy" bottom: "ip" bottom: "label" top: "accuracy"
      include { phase: TEST } }
    """
    data = classification(tmp_path / "db")
    outcome = start(
        net_of(text),
        RunSettings(data, val_data=data, epochs=3.0, out=tmp_path / "run", lr=0.001),
    )
    assert outcome.notes == (
        'left out of deploy.prototxt, since they need labels: "loss", "accuracy"',
        "num_output was left out: set to the 3 classes of the data",
    )
    (weight, _) = read_weights(tmp_path / "run" / "snapshot_iter_3.caffemodel")["ip"]
    assert weight is not None
    assert weight.shape == (3, 12)


def test_names_of_classes_lie_beside_the_database(tmp_path: Path) -> None:
    text = """
    layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip" inner_product_param { } }
    layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss"
      exclude { stage: "deploy" } }
    layer { name: "softmax" type: "Softmax" bottom: "ip" top: "softmax"
      include { stage: "deploy" } }
    """
    data = classification(tmp_path / "db")
    (tmp_path / "labels.txt").write_text("black\ngray\nwhite\nnever\n")
    outcome = start(
        net_of(text), RunSettings(data, epochs=1.0, out=tmp_path / "run", lr=0.001, mean="none")
    )
    predictor = Predictor(outcome.run)
    assert predictor.class_names == ["black", "gray", "white", "never"]
    Image.new("L", (4, 3)).save(tmp_path / "x.png")
    (answer,) = predictor.predict([tmp_path / "x.png"])
    assert answer.outputs["softmax"].shape == (4,)
    assert answer.outputs["softmax"].sum() == pytest.approx(1)


def test_caffes_own_files_give_caffes_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    golden = GOLDEN / "regression"
    monkeypatch.chdir(tmp_path)
    heard: list[events.Event] = []
    outcome = start_solver(
        golden / "solver.prototxt", out=tmp_path / "run", listeners=[heard.append]
    )
    log = (golden / "caffe.log").read_text()
    logged = {
        int(iteration): float(loss)
        for iteration, loss in re.findall(
            r"Iteration (\d+) \(.*\n.*Train net output #0: loss = (\S+)", log
        )
    }
    found = {e.iteration: e.outputs[0].value for e in heard if isinstance(e, events.Iterated)}
    assert len(logged) == 150
    assert found == pytest.approx(logged, rel=1e-3)
    tests = re.findall(r"Iteration (\d+), Testing.*\n(?:.*Restarting.*\n)*.*loss = (\S+)", log)
    tested = {e.iteration: e.outputs[0].value for e in heard if isinstance(e, events.Tested)}
    assert tested == pytest.approx({int(i): float(loss) for i, loss in tests}, rel=1e-3)
    theirs = read_weights(golden / "reg_iter_150.caffemodel")["hidden"]
    ours = read_weights(tmp_path / "reg_iter_150.caffemodel")["hidden"]
    for a, b in zip(ours, theirs, strict=True):
        assert a is not None
        assert b is not None
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-3 * float(np.abs(b).max()))
    (answer,) = Predictor(outcome.run).predict([golden / "test.png"])
    np.testing.assert_allclose(answer.outputs["output"], [0.5065912, 0.504923], rtol=1e-3)


def parameters(model: Path) -> dict[str, list[bytes]]:
    """The bits of every parameter; the rest of the file names the folder of its run."""
    return {
        name: [array.tobytes() for array in arrays if array is not None]
        for name, arrays in read_weights(model).items()
    }


SCRIPT = """
import sys
from pathlib import Path
from protonet.jobs.training import resume, start
from tests.jobs.nets import RANDOM, net_of, settings_of
data, out, kind = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
if kind == "resume":
    resume(out)
else:
    import time
    pause = lambda event: time.sleep(0.02)
    start(net_of(RANDOM), settings_of(data, out, epochs=6.0, shuffle=True, seed=5),
          listeners=[pause] if kind == "slow" else [])
"""


def run_script(data: Path, out: Path, kind: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(data), str(out), kind],
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
        stderr=subprocess.PIPE,
    )


@pytest.mark.parametrize("snapshots_before_the_kill", [0, 1, 3])
def test_a_killed_run_resumes_to_the_same_bits(
    gradients: Path, tmp_path: Path, snapshots_before_the_kill: int
) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    _, errors = run_script(gradients, whole, "fast").communicate(timeout=120)
    assert errors == b""
    process = run_script(gradients, killed, "slow")
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        begun = (killed / "metrics.jsonl").exists()
        if begun and len(list(killed.glob("*.solverstate"))) >= snapshots_before_the_kill:
            break
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    resumed = run_script(gradients, killed, "resume")
    _, errors = resumed.communicate(timeout=120)
    assert resumed.returncode == 0, errors.decode()
    last = max(whole.glob("*.caffemodel"), key=lambda path: path.stat().st_mtime).name
    assert last == "snapshot_iter_48.caffemodel"
    assert parameters(killed / last) == parameters(whole / last)
    positions = last.replace(".caffemodel", ".resume.json")
    assert (killed / positions).read_bytes() == (whole / positions).read_bytes()

    def losses(run: Path) -> list[tuple[str, int, float]]:
        return [
            (line["event"], line["iteration"], line["loss"])
            for line in read_metrics(run / "metrics.jsonl")
            if line["event"] != "snapshotted"
        ]

    assert losses(killed) == losses(whole)


def test_a_stopped_run_resumes_and_a_finished_one_says_so(gradients: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    stops = []

    def stop_at_three(event: events.Event) -> None:
        if isinstance(event, events.Iterated) and event.iteration == 3:
            stops[0]()

    first = start(
        net_of(SEED),
        settings_of(gradients, out, epochs=4.0),
        listeners=[stop_at_three],
        watch=stops.append,
    )
    assert first.result.interrupted
    assert RunDirectory.open(out).read()["status"] == "abort"
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


def test_what_is_no_run_is_not_resumed(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such run"):
        resume(tmp_path / "absent")
    with pytest.raises(UsageError, match=r"has no run\.json"):
        resume(tmp_path)


def test_resuming_a_run_of_solver_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(GOLDEN / "regression", tmp_path / "reg")
    monkeypatch.chdir(tmp_path / "reg")
    solver = Path("solver.prototxt")
    solver.write_text(solver.read_text().replace("snapshot: 150", "snapshot: 100"))
    start_solver(solver, out=tmp_path / "run")
    whole = Path("reg_iter_150.caffemodel").read_bytes()
    for path in Path().glob("reg_iter_150.*"):
        path.unlink()
    assert resume(tmp_path / "run").notes == ("resumed at iteration 100",)
    assert Path("reg_iter_150.caffemodel").read_bytes() == whole
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "done"
