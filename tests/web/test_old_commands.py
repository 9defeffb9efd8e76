"""Command lines as pages before tasks wrote them."""

from __future__ import annotations

from pathlib import Path

import pytest

from protonet.errors import UsageError
from protonet.jobs.run.settings import RunSettings
from protonet.jobs.tasks.datasets import ConvertFolders, ConvertVectors, MakeGradients
from protonet.jobs.tasks.task import Task
from protonet.jobs.tasks.trainings import ResumeRun, TrainNetwork
from protonet.web.old_commands import task_of

TRAIN = (
    "train net.prototxt --out /w/run --untrusted --lr 0.02 --data /d/ti --labels /d/tl "
    "--val-data /d/vi --val-labels /d/vl --weights /w/x.caffemodel --mean /d/m.binaryproto "
    "--epochs 3.0 --lr-policy multistep --momentum 0.8 --solver Adam --seed 4 --device cuda:1 "
    "--precision bfloat16 --warmup 5 --min-lr 0.001 --batch-size 8 --gamma 0.5 --power 2.0 "
    "--weight-decay 0.003 --early-stop 6 --average 0.9 --step 50,80 --shuffle --allow-mismatch"
)

KNOWN: list[tuple[str, Task]] = [
    (
        "create-db gradients data -x 6 -y 5 -c 40 --seed 3 --val-count 7",
        MakeGradients(folder=Path("data"), width=6, height=5, count=40, seed=3, val_count=7),
    ),
    (
        "convert-folders /pictures data --width 9 --height 8 --fit crop --gray --val-share 0.1 "
        "--seed 2 --encoded png",
        ConvertFolders(
            root=Path("/pictures"), folder=Path("data"), width=9, height=8, fit="crop", gray=True,
            val_share=0.1, seed=2, encoding="png",
        ),
    ),
    (
        "convert-vectors uploaded/labels.csv data --val-share 0.2 --seed 1 --width 5 --height 4 "
        "--color --shuffle",
        ConvertVectors(
            table=Path("uploaded/labels.csv"), folder=Path("data"), val_share=0.2, seed=1, width=5,
            height=4, gray=False, shuffle=True,
        ),
    ),
    ("train --resume /w/run", ResumeRun(Path("/w/run"))),
    (
        TRAIN,
        TrainNetwork(
            Path("net.prototxt"),
            RunSettings(
                Path("/d/ti"), labels=Path("/d/tl"), val_data=Path("/d/vi"),
                val_labels=Path("/d/vl"), out=Path("/w/run"), python_layers=False, lr=0.02,
                weights="/w/x.caffemodel", mean="/d/m.binaryproto", epochs=3.0, momentum=0.8,
                lr_policy="multistep", solver="Adam", seed=4, device="cuda:1",
                precision="bfloat16", warmup=5, min_lr=0.001, batch_size=8, gamma=0.5,
                power=2.0, weight_decay=0.003, early_stop=6,
                average=0.9, steps=(50.0, 80.0), shuffle=True, allow_mismatch=True,
            ),
        ),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("line", "task"), KNOWN, ids=[line.split()[0] for line, _ in KNOWN])
def test_each_command_has_its_task(line: str, task: Task) -> None:
    assert task_of(line.split()) == task


@pytest.mark.parametrize(
    "line",
    [
        "",
        "layers",
        "train",
        "train net.prototxt --fit crop",
        "create-db gradients data --lr",
        "create-db gradients data -c x",
        "train --resume a --wings 2",
    ],
)
def test_other_commands_have_none(line: str) -> None:
    with pytest.raises(
        ValueError, match=r"no command of the page|could not convert|invalid literal"
    ):
        task_of(line.split())


def test_values_that_cannot_be() -> None:
    with pytest.raises(UsageError, match="epochs must be above 0"):
        task_of(["train", "net.prototxt", "--data", "d", "--epochs", "-1"])
