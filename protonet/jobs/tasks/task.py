"""Tasks as JSON: ``{"task": its kind, ...its fields}``."""

from __future__ import annotations

import json
from typing import Any

from protonet.errors import FormatError, UsageError
from protonet.formats.json_text import parse_json
from protonet.jobs.json_form import from_json, to_json
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
from protonet.jobs.tasks.trainings import ResumeRun, TrainNetwork

MakeDataset = (
    MakeGradients
    | MakeShapes
    | MakeSegments
    | ConvertFolders
    | ConvertLists
    | ConvertVectors
    | ConvertDetection
    | ConvertSegmentation
)
Task = MakeDataset | TrainNetwork | ResumeRun | PredictImages

KINDS: dict[str, type[Task]] = {
    "gradients": MakeGradients,
    "shapes": MakeShapes,
    "segments": MakeSegments,
    "folders": ConvertFolders,
    "lists": ConvertLists,
    "vectors": ConvertVectors,
    "segmentation": ConvertSegmentation,
    "detection": ConvertDetection,
    "train": TrainNetwork,
    "resume": ResumeRun,
    "predict": PredictImages,
}


def write_task(task: Task) -> str:
    """A task as a JSON text."""
    kind = next(name for name, cls in KINDS.items() if isinstance(task, cls))
    return json.dumps({"task": kind, **to_json(task)})


def read_task(text: str, where: str) -> Task:
    """The task of a JSON text; ``where`` names it in messages.

    Raises:
        FormatError: for a text that is not a task.
        UsageError: for a task of another version of protonet, or invalid values.
    """
    try:
        values: Any = parse_json(text)
    except ValueError as error:
        raise FormatError(f"{where}: damaged: {error}") from error
    if not isinstance(values, dict) or not isinstance(values.get("task"), str):
        raise FormatError(f"{where}: damaged: it has no task")
    kind = values.pop("task")
    if kind not in KINDS:
        raise UsageError(f"{where}: unknown task '{kind[:40]}' in this version of protonet")
    return from_json(KINDS[kind], values, where)
