from __future__ import annotations

import json
import os
import pty
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

from protonet.cli.train import _wanted_ranks
from protonet.data.create import create_gradients
from protonet.formats.caffemodel import read_weights, write_weights
from protonet.jobs.run.bounds import POLICIES
from protonet.jobs.run.directory import RunDirectory
from protonet.jobs.run.record import RunRecord
from protonet.jobs.run.settings import SolverSettings

NET = """\
name: "seed"
layer { name: "scale" type: "Power" bottom: "data" top: "scale" power_param { scale: 0.004 } }
layer { name: "hidden" type: "InnerProduct" bottom: "scale" top: "output"
  inner_product_param { num_output: 2 } }
layer { name: "loss" type: "EuclideanLoss" bottom: "output" bottom: "label" top: "loss"
  exclude { stage: "deploy" } }
"""
TRAIN = ("--data", "data/train_images", "--labels", "data/train_labels")
VALIDATE = ("--val-data", "data/val_images", "--val-labels", "data/val_labels")


@pytest.fixture(scope="module")
def made_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "data"
    create_gradients(folder, 6, 4, 24, 5, seed=1)
    return folder


@pytest.fixture(autouse=True)
def workplace(made_data: Path, tmp_path: Path) -> Path:
    """A folder with ``net.prototxt`` and ``data``."""
    shutil.copytree(made_data, tmp_path / "data")
    (tmp_path / "net.prototxt").write_text(NET)
    return tmp_path


def log_progress(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_piped_it_prints_the_lines_of_caffe(protonet: Any, workplace: Path) -> None:
    found = protonet("train", "net.prototxt", *TRAIN, *VALIDATE, "--epochs", 3, "--out", "run")
    assert (found.returncode, found.stderr) == (0, "")
    lines = found.stdout.splitlines()
    log = [line for line in lines if re.match(r"I\d{4} \d\d:\d\d:\d\d\.\d{6} \d+ \S+\.cpp:", line)]
    assert log[0].endswith("solver.cpp:289] Solving seed")
    assert log[-1].endswith("Optimization Done.")
    assert sum("Testing net (#0)" in line for line in log) == 4
    assert lines[len(log) + 1 :] == ["  protonet infer run IMAGE", "results: run"]
    assert re.match(r"trained 6 iterations, loss 0\.\d+; to use it:", lines[len(log)])
    stored = (workplace / "run" / "train.log").read_text().splitlines()
    assert [line.split(" ", 3)[3] for line in stored] == [line.split(" ", 3)[3] for line in log]
    assert "\x1b" not in found.stdout


def test_quiet_prints_only_where_the_results_are(protonet: Any, workplace: Path) -> None:
    found = protonet("train", "-", *TRAIN, "--epochs", 1, "--quiet", text=NET)
    assert (found.returncode, found.stderr) == (0, "")
    (line,) = found.stdout.splitlines()
    assert re.fullmatch(r"results: runs/seed-\d{8}-\d{6}", line)
    assert (workplace / line.removeprefix("results: ") / "loss.png").exists()


def test_every_option_reaches_the_run(protonet: Any, workplace: Path) -> None:
    found = protonet(
        "train", "net.prototxt", *TRAIN, *VALIDATE, "--mean", "data/train_mean.binaryproto",
        "--epochs", 4, "--batch-size", 6, "--lr", 0.02, "--lr-policy", "multistep", "--gamma", 0.3,
        "--step", "25,75", "--momentum", 0.8, "--weight-decay", 0, "--solver", "nesterov",
        "--seed", 5, "--shuffle", "--device", "cpu", "--out", "run", "--quiet",
        "--no-fuse",
    )  # fmt: skip
    assert found.returncode == 0, found.stderr
    info = json.loads((workplace / "run" / "run.json").read_text())
    settings = info["settings"]
    assert settings["fuse"] is False
    assert settings["seed"] == 5
    assert settings["shuffle"] is True
    assert settings["weight_decay"] == 0
    solver = (workplace / "run" / "solver.prototxt").read_text()
    for line in (
        'type: "Nesterov"', 'lr_policy: "multistep"', "max_iter: 16", "stepvalue: 4",
        "stepvalue: 12", "gamma: 0.3", "momentum: 0.8", "base_lr: 0.02", "random_seed: 5",
    ):  # fmt: skip
        assert f"{line}\n" in solver
    mean = (workplace / "run" / "mean.binaryproto").read_bytes()
    assert mean == (workplace / "data" / "train_mean.binaryproto").read_bytes()


def test_a_bar_runs_on_a_terminal(terminal: Any, workplace: Path) -> None:
    shown = terminal("train", "net.prototxt", *TRAIN, *VALIDATE, "--epochs", 400, "--out", "run")
    assert shown.returncode == 0
    plain = re.sub(r"\x1b\[[?\d;]*[A-Za-z]", "", shown.stdout)
    bars = [line for line in re.split(r"[\r\n]+", plain) if line.startswith("seed ")]
    assert len(bars) > 3
    assert re.search(r"epoch +[\d.]+/[\d.]+ +loss \S+ +val \S+ +[\d,.]+ it/s \d+:\d\d", bars[-2])
    assert "solver.cpp" not in plain
    assert shown.stdout.rindex("\x1b[?25h") > shown.stdout.rindex("\x1b[?25l")
    assert plain.splitlines()[-1] == "results: run"
    assert (workplace / "run" / "train.log").read_text().count("solver.cpp") > 100


def test_verbose_prints_the_log_above_the_bar(terminal: Any) -> None:
    shown = terminal("train", "net.prototxt", *TRAIN, "--epochs", 2, "--out", "run", "--verbose")
    plain = re.sub(r"\x1b\[[?\d;]*[A-Za-z]", "", shown.stdout)
    assert "solver.cpp:289] Solving seed" in plain
    assert re.search(r"^seed .* epoch ", plain, re.MULTILINE)


def begin(workplace: Path, *options: str, stdout: int = subprocess.PIPE) -> Any:
    """A training without end; returns when its first snapshot is there."""
    process = subprocess.Popen(
        [sys.executable, "-m", "protonet", "train", "net.prototxt", *TRAIN, "--out", "run",
         "--epochs", "1000000", *options],
        cwd=workplace, stdout=stdout, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not list(workplace.glob("run/snapshot_iter_*.solverstate")):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.02)
    return process


def test_ctrl_c_takes_a_snapshot_and_the_run_can_be_resumed(protonet: Any, workplace: Path) -> None:
    with begin(workplace, "--quiet") as process:
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stdout) == (130, "results: run\n")
    assert "stopping after this iteration" in stderr
    assert "Traceback" not in stderr
    info = json.loads((workplace / "run" / "run.json").read_text())
    assert (workplace / "run" / f"snapshot_iter_{info['iteration']}.solverstate").exists()
    with subprocess.Popen(
        [sys.executable, "-m", "protonet", "train", "--resume", "run"],
        cwd=workplace, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(3)]
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert lines[0].endswith("Solving seed\n")
    assert f"note: resumed at iteration {info['iteration']}\n" in rest
    assert re.search(
        r"stopped after \d+ iterations; to continue:\n  protonet train --resume run", rest
    )
    iterations = [line["iteration"] for line in log_progress(workplace / "run" / "metrics.jsonl")]
    assert iterations == sorted(iterations)
    assert iterations[-1] > info["iteration"]


def test_ctrl_c_on_a_terminal_leaves_it_clean(workplace: Path) -> None:
    ours, theirs = pty.openpty()
    with begin(workplace, stdout=theirs) as process:
        os.close(theirs)
        process.send_signal(signal.SIGINT)
        shown = b""
        while b"results: run" not in shown:
            shown += os.read(ours, 65536)
        process.communicate(timeout=60)
    os.close(ours)
    assert process.returncode == 130
    assert shown.rindex(b"\x1b[?25h") > shown.rindex(b"\x1b[?25l")


def test_a_run_of_caffe_s_solver_file(protonet: Any, workplace: Path) -> None:
    layers = "".join(
        f'layer {{ name: "{top}" type: "Data" top: "{top}" '
        f'data_param {{ source: "data/train_{top}s" batch_size: 6 }} }}\n'
        for top in ("image", "label")
    )
    text = layers + NET.replace('"data"', '"image"')
    (workplace / "train_val.prototxt").write_text(text)
    (workplace / "solver.prototxt").write_text(
        'net: "train_val.prototxt" base_lr: 0.01 lr_policy: "fixed" max_iter: 5 display: 1\n'
        'snapshot_prefix: "own" random_seed: 3\n'
    )
    found = protonet("train", "--solver", "solver.prototxt", "--out", "run")
    assert found.returncode == 0, found.stderr
    assert found.stdout.splitlines()[-1] == "results: run"
    assert (workplace / "own_iter_5.caffemodel").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ((), 2, "error: nothing to train: give NETWORK"),
        (("net.prototxt",), 2, "error: --data is missing"),
        (("net.prototxt", "--resume", "run"), 2, "error: --resume continues a run"),
        (("--resume", "absent"), 2, "error: absent: no such run directory"),
        (
            ("--resume", "run", "--lr", "0.1", "--step", "5"),
            2,
            "error: --resume cannot be combined with --lr, --step",
        ),
        (("--solver", "absent.prototxt"), 2, "no such file"),
        (("--solver", "sgd"), 2, "names an update rule, which needs a NETWORK"),
        (
            ("--solver", "net.prototxt", "--epochs", "3"),
            2,
            "error: --solver net.prototxt cannot be combined with --epochs",
        ),
        (("net.prototxt", *TRAIN, "--solver", "net.prototxt"), 2, "is a file with its own net"),
        (("net.prototxt", *TRAIN, "--solver", "adm"), 2, "'adm'; did you mean 'Adam'?"),
        (("net.prototxt", *TRAIN, "--step", "a"), 2, "error: --step: expected percentages"),
        (("net.prototxt", *TRAIN, "--quiet", "--verbose"), 2, "contradict each other"),
        (("net.prototxt", *TRAIN, "--epochs", "0"), 2, "error: epochs must be above 0"),
        (("absent.prototxt", *TRAIN), 2, "error: absent.prototxt: cannot be read"),
        (("net.prototxt", "--data", "absent"), 4, "error: absent: there is no such database"),
        (("net.prototxt", *TRAIN, "--out", "data"), 2, "error: data: already exists"),
        (("net.prototxt", *TRAIN, "--device", "cuda:99"), 6, "error: device 'cuda:99'"),
        (("net.prototxt", *TRAIN, "--lr", "1e30"), 7, "error: "),
    ],
)
def test_what_cannot_be_trained_is_refused(
    protonet: Any, workplace: Path, arguments: tuple[str, ...], code: int, message: str
) -> None:
    found = protonet("train", *arguments)
    assert found.returncode == code
    assert message in found.stderr
    assert "Traceback" not in found.stderr
    assert bool(list(workplace.glob("runs/*"))) is (code == 7)


def test_a_mistake_in_the_text_is_shown_with_its_place(protonet: Any, workplace: Path) -> None:
    (workplace / "net.prototxt").write_text(NET.replace("InnerProduct", "InerProduct"))
    found = protonet("train", "net.prototxt", *TRAIN)
    assert found.returncode == 3
    assert "error: net.prototxt:3:30: " in found.stderr
    assert "did you mean 'InnerProduct'?" in found.stderr
    assert not list(workplace.glob("runs/*"))


def test_a_person_at_a_terminal_is_told_how_to_paste(workplace: Path) -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "protonet", "train", "-", *TRAIN, "--epochs", "1", "--quiet"],
        cwd=workplace, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        os.close(theirs)
        os.write(ours, NET.encode() + b"\x04")
        stdout, stderr = process.communicate(timeout=60)
    os.close(ours)
    assert process.returncode == 0
    assert stderr == "paste the network, then press Ctrl-D on an empty line\n"
    assert stdout.startswith("results: runs/seed-")


def test_rules_and_policies_are_those_that_can_be_trained_with() -> None:
    from protonet.proto.caffe_pb2 import SolverParameter
    from protonet.solvers.schedules import make_schedule

    for policy in POLICIES:
        solver = SolverParameter(
            base_lr=0.5, lr_policy=policy, gamma=0.5, power=1, stepsize=2, max_iter=9
        )
        if policy == "multistep":
            solver.stepvalue.append(3)
        assert make_schedule(solver).rate(0) > 0


def test_a_run_whose_databases_moved_is_resumed_by_naming_them(
    protonet: Any, workplace: Path
) -> None:
    with begin(workplace, "--quiet") as process:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    (workplace / "data").rename(workplace / "moved")
    done = protonet("train", "--resume", "run", "--quiet")
    assert done.returncode != 0
    assert "--data" in done.stderr
    with subprocess.Popen(
        [sys.executable, "-m", "protonet", "train", "--resume", "run",
         "--data", "moved/train_images", "--labels", "moved/train_labels"],
        cwd=workplace, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline().endswith("Solving seed\n")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == 130


def test_a_net_that_cannot_be_asked_about_images_is_not_said_to_be(
    protonet: Any, workplace: Path
) -> None:
    (workplace / "dummy.prototxt").write_text(
        'layer { name: "d" type: "DummyData" top: "x" top: "t" dummy_data_param { '
        "shape { dim: 4 dim: 3 } shape { dim: 4 dim: 2 } data_filler { value: 1 } } } "
        'layer { name: "ip" type: "InnerProduct" bottom: "x" top: "y" '
        "inner_product_param { num_output: 2 } } "
        'layer { name: "l" type: "EuclideanLoss" bottom: "y" bottom: "t" }'
    )
    (workplace / "s.prototxt").write_text(
        'net: "dummy.prototxt" base_lr: 0.1 lr_policy: "fixed" max_iter: 3 snapshot_prefix: "s"'
    )
    found = protonet("train", "--solver", "s.prototxt", "--out", "run")
    assert found.returncode == 0, found.stderr
    assert "note: no Data layer of images, so no deploy.prototxt was made" in found.stdout
    assert found.stdout.splitlines()[-2:] == ["trained 3 iterations, loss 0.1296", "results: run"]


@pytest.fixture
def solver_case(workplace: Path) -> Path:
    """A case of Caffe's own, with its snapshot of iteration 5."""
    case = Path(__file__).parents[1] / "golden" / "solvers" / "sgd_momentum_l2"
    shutil.copytree(case, workplace, dirs_exist_ok=True)
    text = (workplace / "solver.prototxt").read_text()
    text = re.sub(r"max_iter: \d+", "max_iter: 8", text)
    (workplace / "solver.prototxt").write_text(text)
    return workplace


def test_caffes_flags_go_on_from_its_snapshot(protonet: Any, solver_case: Path) -> None:
    given = ("-solver", "solver.prototxt", "-snapshot", "snap_iter_5.solverstate", "--out", "run")
    found = protonet("train", *given)
    assert found.returncode == 0, found.stderr
    assert "note: continues from snap_iter_5.solverstate, iteration 5" in found.stdout
    iterations = [line["iteration"] for line in log_progress(solver_case / "run" / "metrics.jsonl")]
    assert min(iterations) >= 5


def test_level_and_stages_of_the_training_net(protonet: Any, workplace: Path) -> None:
    """As in Caffe they come to the solver's own; a resumed run has them still."""
    made = 'layer { name: "d" type: "DummyData" top: "x" dummy_data_param { shape { dim: 2 } } }\n'
    summed = 'layer {{ name: "{0}" type: "Reduction" bottom: "x" top: "{0}" loss_weight: 1 {1} }}\n'
    rules = {
        "fast": 'include { stage: "fast" }',
        "own": 'include { stage: "own" stage: "fast" }',
        "slow": 'exclude { stage: "fast" }',
        "deep": "include { min_level: 2 }",
    }
    layers = "".join(summed.format(name, rule) for name, rule in rules.items())
    (workplace / "staged.prototxt").write_text(made + layers)
    (workplace / "solver.prototxt").write_text(
        'net: "staged.prototxt" train_state { level: 3 stage: "own" } base_lr: 1 max_iter: 2 '
        'lr_policy: "fixed" display: 1 snapshot: 1 snapshot_prefix: "s"'
    )

    def losses(*given: str) -> set[str]:
        found = protonet(*given)
        assert found.returncode == 0, found.stderr
        return set(re.findall(r"output #\d: (\w+)", found.stdout))

    train = ("train", "-solver=solver.prototxt", "--alsologtostderr", "--out")
    assert losses(*train, "own") == {"slow", "deep"}
    assert losses(*train, "run", "-stage=fast", "-level=1") == {"fast", "own"}
    (workplace / "s_iter_2.solverstate").unlink()
    assert losses("train", "--resume", "run") == {"fast", "own"}


def test_weights_to_begin_with(protonet: Any, solver_case: Path) -> None:
    given = ("-solver", "solver.prototxt", "-weights", "snap_iter_5.caffemodel", "--out", "run")
    found = protonet("train", *given)
    assert found.returncode == 0, found.stderr
    assert "note: layers loaded from" in found.stdout
    assert "snap_iter_5.caffemodel" in (solver_case / "run" / "solver.prototxt").read_text()


@pytest.mark.parametrize(
    ("given", "code", "message"),
    [
        (
            ("-solver", "solver.prototxt", "-weights", "a", "-snapshot", "b"),
            2,
            "give one of them",
        ),
        (("net.prototxt", "--data", "d", "-snapshot", "a"), 2, "requires a solver file"),
        (("net.prototxt", "--data", "d", "-stage", "a"), 2, "--stage requires a solver file"),
        (("-solver", "solver.prototxt", "-gpu", "0", "--device", "cpu"), 2, "use one of them"),
        (
            ("-solver", "solver.prototxt", "-snapshot", "snap_iter_5.caffemodel"),
            5,
            "is a .caffemodel (weights); expected a .solverstate (the state of a solver); the "
            "weights alone begin a new training: --weights",
        ),
        (
            ("-solver", "solver.prototxt", "-weights", "snap_iter_5.solverstate"),
            5,
            ": --snapshot; its",
        ),
    ],
)
def test_caffes_flags_that_cannot_be(
    protonet: Any, solver_case: Path, given: tuple[str, ...], code: int, message: str
) -> None:
    found = protonet("train", *given, "--out", "run")
    assert found.returncode == code
    assert message in found.stderr
    assert not (solver_case / "run").exists()


def test_only_so_many_snapshots_stay(protonet: Any, workplace: Path) -> None:
    found = protonet(
        "train", "net.prototxt", *TRAIN, *VALIDATE, "--epochs", 6, "--keep", 2, "--out", "run"
    )
    assert found.returncode == 0, found.stderr
    lines = log_progress(workplace / "run" / "metrics.jsonl")
    taken = [line["iteration"] for line in lines if line["event"] == "snapshotted"]
    losses = {line["iteration"]: line["loss"] for line in lines if line["event"] == "tested"}
    states = (workplace / "run").glob("*.solverstate")
    left = sorted(int(path.stem.rpartition("_")[2]) for path in states)
    best = min(taken, key=lambda iteration: losses[iteration])
    assert len(taken) == 6
    assert left == sorted({*taken[-2:], best})
    assert protonet("infer", "run", "data/test.png", "--snapshot", "best").returncode == 0


def test_a_network_begins_with_the_weights_of_another_run(protonet: Any, workplace: Path) -> None:
    given = ("net.prototxt", *TRAIN, "--epochs", 2)
    assert protonet("train", *given, "--out", "first").returncode == 0
    (weights,) = (workplace / "first").glob("*_iter_4.caffemodel")
    found = protonet("train", *given, "--out", "second", "--weights", weights, "--lr", 1e-9)
    assert found.returncode == 0, found.stderr
    assert f"note: layers loaded from {weights}: hidden" in found.stdout
    first, second = (
        read_weights(next((workplace / run).glob("*_iter_4.caffemodel")))
        for run in ("first", "second")
    )
    np.testing.assert_allclose(first["hidden"][0], second["hidden"][0], rtol=1e-4, atol=1e-8)


def test_layers_that_weights_do_not_fit(protonet: Any, workplace: Path) -> None:
    write_weights(workplace / "w.npz", {"hidden": [np.ones((3, 30)), np.ones(3)]})
    given = ("net.prototxt", *TRAIN, "--epochs", 1, "--out", "run", "--weights", "w.npz")
    found = protonet("train", *given)
    assert found.returncode == 5
    assert "the weights are of another net" in found.stderr
    assert "--allow-mismatch (on the page: Skip layers of other shapes) keeps" in found.stderr
    assert not (workplace / "run").exists()
    found = protonet("train", *given, "--allow-mismatch")
    assert found.returncode == 0, found.stderr
    assert "note: not loaded: layer 'hidden' parameter 0: expected 2x" in found.stdout


def test_training_ends_where_validation_gets_no_better(protonet: Any, workplace: Path) -> None:
    given = ("--epochs", 50, "--lr", 1e-30, "--early-stop", 3, "--out", "run")
    found = protonet("train", "net.prototxt", *TRAIN, *VALIDATE, *given)
    assert found.returncode == 0, found.stderr
    assert "Optimization Done." in found.stdout
    lines = log_progress(workplace / "run" / "metrics.jsonl")
    # The first test is the best, and three follow that are no better.
    assert sum(line["event"] == "tested" for line in lines) in (4, 5)
    assert json.loads((workplace / "run" / "run.json").read_text())["status"] == "done"
    refused = protonet("train", "net.prototxt", *TRAIN, "--early-stop", 3)
    assert refused.returncode == 2
    assert "early stop needs validation: --val-data" in refused.stderr


def test_what_caffe_has_not_is_kept_out_of_its_files(protonet: Any, workplace: Path) -> None:
    found = protonet(
        "train", "net.prototxt", *TRAIN, *VALIDATE, "--solver", "adamw", "--lr-policy", "cosine",
        "--warmup", 4, "--warmup-lr", 0.001, "--min-lr", 0.0005, "--average", 0.99,
        "--epochs", 8, "--out", "run", "--quiet",
    )  # fmt: skip
    assert found.returncode == 0, found.stderr
    solver = (workplace / "run" / "solver.prototxt").read_text()
    assert solver.startswith("# Not in Caffe, and stored in run.json: rampup_interval 4, ")
    assert 'type: "Adam"\n' in solver
    assert 'lr_policy: "poly"\n' in solver
    assert "\nrampup" not in solver
    rates = {
        line["iteration"]: line["lr"]
        for line in log_progress(workplace / "run" / "metrics.jsonl")
        if line["event"] == "iterated"
    }
    assert rates[0] == pytest.approx(0.001)
    assert rates[2] == pytest.approx(0.001 + 0.009 / 4)
    assert rates[4] == pytest.approx(0.01)
    assert rates[10] == pytest.approx(0.0005 + 0.0095 / 2)
    assert len(list((workplace / "run").glob("*.average.caffemodel"))) == 8

    whole = read_weights(workplace / "run" / "snapshot_iter_16.average.caffemodel")
    for path in (workplace / "run").glob("snapshot_iter_1[0-6].*"):
        path.unlink()
    again = protonet("train", "--resume", "run", "--quiet")
    assert again.returncode == 0, again.stderr
    resumed = read_weights(workplace / "run" / "snapshot_iter_16.average.caffemodel")
    np.testing.assert_array_equal(whole["hidden"][0], resumed["hidden"][0])


def test_formats_of_the_log(protonet: Any, workplace: Path) -> None:
    train = ("train", "net.prototxt", *TRAIN, "--epochs", 1)
    found = protonet(*train, "--out", "a", "--log-format", "caffe")
    assert found.returncode == 0
    assert found.stderr.splitlines()[0].endswith("solver.cpp:289] Solving seed")
    assert found.stderr.splitlines()[1].endswith("solver.cpp:290] Learning Rate Policy: multistep")
    assert "solver.cpp" not in found.stdout
    assert found.stdout.endswith("results: a\n")

    found = protonet(*train, "--out", "b", "--log-format", "json")
    assert (found.returncode, found.stderr) == (0, "")
    *lines, last = found.stdout.splitlines()
    assert last == "results: b"
    measured = {"seconds", "memory"}  # when each of the two logs is written
    told, kept = (
        [{name: value for name, value in each.items() if name not in measured} for each in found]
        for found in ([json.loads(line) for line in lines],
                      log_progress(workplace / "b" / "metrics.jsonl"))
    )  # fmt: skip
    assert told == kept
    refused = protonet(*train, "--quiet", "--log-format", "caffe")
    assert (refused.returncode, refused.stderr) == (
        2, "error: --quiet and --log-format contradict each other\n",
    )  # fmt: skip


def test_by_the_name_of_caffe_the_log_goes_where_caffes_does(workplace: Path) -> None:
    program = workplace / "caffe"
    program.write_text("from protonet.cli import main\nraise SystemExit(main())\n")
    found = subprocess.run(
        [sys.executable, program, "train", "net.prototxt", *TRAIN, "--epochs", "1"],
        cwd=workplace,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Optimization Done." in found.stderr
    assert "solver.cpp" not in found.stdout


def test_python_layers_of_strangers_are_refused(protonet: Any, workplace: Path) -> None:
    (workplace / "mine.py").write_text(
        "from pathlib import Path\nPath('ran').touch()\nimport protonet.pycaffe as caffe\n"
        "class Same(caffe.Layer):\n"
        "    def setup(self, bottom, top): pass\n"
        "    def reshape(self, bottom, top): top[0].reshape(*bottom[0].shape)\n"
        "    def forward(self, bottom, top): top[0].data[...] = bottom[0].data\n"
        "    def backward(self, top, down, bottom): bottom[0].diff[...] = top[0].diff\n"
    )
    layer = (
        'layer { name: "mine" type: "Python" bottom: "data" top: "mine" '
        'python_param { module: "mine" layer: "Same" } }\n'
    )
    text = NET.replace('bottom: "data"', 'bottom: "mine"')
    name, rest = text.split("\n", 1)
    (workplace / "net.prototxt").write_text(f"{name}\n{layer}{rest}")
    train = ("train", "net.prototxt", *TRAIN, "--epochs", 1, "--quiet", "--out", "run")
    refused = protonet(*train, "--untrusted")
    assert refused.returncode != 0
    assert "--allow-python-layers" in refused.stderr
    assert not (workplace / "ran").exists()
    assert not (workplace / "run").exists()
    taken = protonet(*train, "--untrusted", "--allow-python-layers")
    assert taken.returncode == 0, taken.stderr
    assert (workplace / "ran").exists()
    alone = protonet(*train, "--allow-python-layers")
    assert alone.returncode == 2


def test_tf32_on_a_cpu_is_refused(protonet: Any, workplace: Path) -> None:
    refused = protonet("train", "net.prototxt", *TRAIN, "--tf32", "--out", "run")
    assert refused.returncode != 0
    assert "leave tf32 out, or train on cuda:0" in refused.stderr
    assert not (workplace / "run").exists()


def test_several_devices_have_a_rank_each(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Those of a resumed run too, unless others are given."""
    run = RunDirectory.create(tmp_path / "run", "run")
    run.write(RunRecord(settings=SolverSettings(device="cuda:0,1,2"), prefix="snapshot"))

    def wanted(network: str | None = "n", resume: Path | None = None, **given: Any) -> int:
        options = {"gpu": None, "device": None, "ranks": None, **given}
        count = _wanted_ranks(network, resume, options)
        assert "gpu" not in options
        assert options.get("ranks") == (None if resume else given.get("ranks"))
        assert "batch_per_rank" not in options
        return count

    assert wanted() == 1
    assert wanted(device="cuda:0,1") == 2
    assert wanted(device="cuda:0,1", ranks=4) == 4
    assert wanted(None, run.path) == 3
    assert wanted(None, run.path, ranks=2) == 2
    assert wanted(None, run.path, device="cpu") == 1
    assert wanted(None, tmp_path / "none") == 1
    monkeypatch.setenv("PMI_SIZE", "8")
    assert wanted(None, run.path) == 1, "a launcher has started them"
