"""Tasks as JSON; what is none is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from protonet.errors import FormatError, UsageError
from protonet.jobs.run.settings import RunSettings
from protonet.jobs.tasks.datasets import (
    ConvertDetection,
    ConvertFolders,
    ConvertLists,
    ConvertVectors,
    MakeGradients,
    MakeShapes,
)
from protonet.jobs.tasks.predictions import PredictImages
from protonet.jobs.tasks.segmentation_datasets import ConvertSegmentation, MakeSegments
from protonet.jobs.tasks.task import KINDS, Task, read_task, write_task
from protonet.jobs.tasks.trainings import ResumeRun, TrainNetwork

TASKS: list[Task] = [
    MakeGradients(folder=Path("data"), width=7, val_count=3, raw=True),
    ConvertFolders(root=Path("a"), folder=Path("b"), fit="crop", encoding="png", val_share=0.1),
    ConvertVectors(table=Path("t.csv"), folder=Path("b"), width=3, height=4, gray=False),
    TrainNetwork(
        Path("net.prototxt"),
        RunSettings(Path("images"), labels=Path("labels"), steps=(50.0, 85.0), mean="none",
                    out=Path("run"), early_stop=None, average=0.9, python_layers=False),
    ),
    ResumeRun(Path("run"), 12.5),
    PredictImages(run=Path("run"), images=Path("db"), most=7, folders=(Path("in"),)),
    MakeSegments(folder=Path("data"), height=20, seed=3),
    ConvertSegmentation(root=Path("a"), folder=Path("b"), labels=Path("c"), ignore="none"),
    MakeShapes(folder=Path("data"), count=7),
    ConvertLists(train=Path("a.txt"), folder=Path("b"), val=Path("c.txt"), width=3, height=4,
                 within=(Path("/x"), Path("/y"))),
    ConvertDetection(root=Path("a"), folder=Path("b"), form="voc", classes=("car", "cat"),
                     encoding=None, val_share=0.5, repair=True),
]  # fmt: skip


@pytest.mark.parametrize("task", TASKS, ids=lambda task: type(task).__name__)
def test_there_and_back(task: Task) -> None:
    assert read_task(write_task(task), "task.json") == task


def test_every_kind_is_tried() -> None:
    assert {type(task) for task in TASKS} == set(KINDS.values())
    told = {"task": "resume", "run": "run", "epochs": 12.5, "device": None}
    assert json.loads(write_task(TASKS[4])) == told


@pytest.mark.parametrize(
    ("text", "kind", "told"),
    [
        ("", FormatError, "j: damaged"),
        ("[" * 100_000, FormatError, "j: damaged"),
        ("[]", FormatError, "it has no task"),
        ('{"task": ["x"]}', FormatError, "it has no task"),
        ('{"task": "fly"}', UsageError, "unknown task 'fly' in this version"),
        ('{"task": "resume"}', FormatError, "run is missing"),
        ('{"task": "resume", "run": 1}', FormatError, "expected run as Path"),
        ('{"task": "resume", "run": "r", "wings": 2}', UsageError, "wings"),
        ('{"task": "train", "network": "n", "settings": {"data": "d", "epochs": -1}}', UsageError,
         "epochs must be above 0"),
    ],
)  # fmt: skip
def test_what_is_no_task(text: str, kind: type[Exception], told: str) -> None:
    with pytest.raises(kind, match=told):
        read_task(text, "j")
