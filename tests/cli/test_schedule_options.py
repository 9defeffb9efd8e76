"""How a training goes: its length, its intervals, its learning rate."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from protonet.data.create import create_gradients
from protonet.jobs.run.bounds import POLICIES
from protonet.solvers.schedules import policy_names

NET = """\
layer { name: "scale" type: "Power" bottom: "data" top: "scale" power_param { scale: 0.004 } }
layer { name: "hidden" type: "InnerProduct" bottom: "scale" top: "output"
  inner_product_param { num_output: 2 } }
layer { name: "loss" type: "EuclideanLoss" bottom: "output" bottom: "label" top: "loss"
  exclude { stage: "deploy" } }
"""
TRAIN = ("net.prototxt", "--data", "data/train_images", "--labels", "data/train_labels")
VALIDATE = ("--val-data", "data/val_images", "--val-labels", "data/val_labels")


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path) -> Path:
    """A folder with ``net.prototxt`` and ``data``: 24 images, four batches of 6."""
    create_gradients(tmp_path / "data", 6, 4, 24, 5, seed=1)
    (tmp_path / "net.prototxt").write_text(NET)
    return tmp_path


def done(run: Path, event: str) -> list[int]:
    lines = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
    return [line["iteration"] for line in lines if line["event"] == event]


def test_policies_of_the_help_are_registered() -> None:
    assert set(POLICIES) <= set(policy_names())


def test_intervals_and_accumulation(protonet: Any, workplace: Path) -> None:
    """24 images in batches of 3, two of which make an update: four updates an epoch."""
    given = ("--epochs", 6, "--batch-size", 3, "--accumulate", 2, "--out", "run", "--quiet")
    every = ("--snapshot-every", 3, "--val-every", 0.5)
    found = protonet("train", *TRAIN, *VALIDATE, *given, *every)
    assert (found.returncode, found.stderr) == (0, "")
    assert done(workplace / "run", "snapshotted") == [12, 24]
    assert done(workplace / "run", "tested") == list(range(0, 25, 2))
    assert "iter_size: 2\n" in (workplace / "run" / "solver.prototxt").read_text()
    never = ("--snapshot-every", 0, "--val-every", 0)
    given = ("--epochs", 2, "--batch-size", 6, "--out", "never", "--quiet")
    assert protonet("train", *TRAIN, *VALIDATE, *given, *never).returncode == 0
    assert done(workplace / "never", "snapshotted") == [8]
    assert done(workplace / "never", "tested") == []


def test_accumulated_batches_are_one_batch(protonet: Any, workplace: Path) -> None:
    """Two batches of 3 move the weights as one of 6 does."""
    ends = []
    for name, batch in (("two", ("--batch-size", 3, "--accumulate", 2)),
                        ("one", ("--batch-size", 6))):  # fmt: skip
        given = ("--epochs", 3, "--out", name, "--quiet", "--lr-policy", "fixed")
        assert protonet("train", *TRAIN, *batch, *given).returncode == 0
        shown = protonet("infer", name, "data/test.png", "--json").stdout
        ends.append(json.loads(shown)["outputs"]["output"])
    assert ends[0] == pytest.approx(ends[1], rel=1e-5)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((*TRAIN, "--val-every", 2), "--val-every needs validation data: --val-data"),
        ((*TRAIN, *VALIDATE, "--val-every", -1), "val every must be at least 0 and finite, got -1"),
        ((*TRAIN, "--snapshot-every", "nan"), "snapshot every must be at least 0 and finite"),
        ((*TRAIN, "--accumulate", 0), "0 is not in the range x>=1"),
        (
            (*TRAIN, *VALIDATE, "--val-every", 0, "--early-stop", 2),
            "early stop needs validation, but --val-every 0 disables it",
        ),
        ((*TRAIN, "--max-iter", 9), "--max-iter requires --resume RUN, of a run of a solver file"),
        (
            ("--resume", "run", "--snapshot-every", 2, "--accumulate", 2),
            "--resume cannot be combined with --snapshot-every, --accumulate: a run keeps",
        ),
        *(
            (
                (solver, "net.prototxt", "--snapshot-every", 2, "--val-every", 1,
                 "--accumulate", 2, "--max-iter", 4),
                "cannot be combined with --snapshot-every, --val-every, --accumulate, --max-iter: "
                "the file has its own (snapshot, test_interval, iter_size, max_iter)",
            )
            for solver in ("--solver", "-solver")
        ),
    ],
)  # fmt: skip
def test_what_cannot_be(
    protonet: Any, workplace: Path, given: tuple[object, ...], message: str
) -> None:
    found = protonet("train", *given)
    assert found.returncode == 2
    assert message in found.stderr
    assert not list(workplace.glob("runs/*"))


def test_a_finished_run_is_prolonged(protonet: Any, workplace: Path) -> None:
    given = ("--epochs", 2, "--batch-size", 6, "--out", "run", "--quiet")
    assert protonet("train", *TRAIN, *VALIDATE, *given).returncode == 0
    found = protonet("train", "--resume", "run")
    assert (found.returncode, found.stderr) == (
        2, "error: run: this run is finished (8 iterations); --epochs N makes it longer\n",
    )  # fmt: skip
    found = protonet("train", "--resume", "run", "--epochs", 4)
    assert (found.returncode, found.stderr) == (0, "")
    assert (
        "note: the run now has 16 iterations instead of 8. The learning rate was 0.0025 and "
        "continues at 0.005\n" in found.stdout
    )
    assert "trained 16 iterations" in found.stdout
    assert done(workplace / "run", "snapshotted") == [4, 8, 12, 16]
    fewer = protonet("train", "--resume", "run", "--epochs", 3)
    assert "16 iterations are done, more than the requested 12 (3 epochs)" in fewer.stderr
