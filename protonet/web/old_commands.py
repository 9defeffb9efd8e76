"""Upgrade of jobs from before tasks, which were stored as command lines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from protonet.jobs.run.settings import RunSettings
from protonet.jobs.tasks.datasets import ConvertFolders, ConvertVectors, MakeGradients
from protonet.jobs.tasks.task import Task
from protonet.jobs.tasks.trainings import ResumeRun, TrainNetwork


def _percentages(text: str) -> tuple[float, ...]:
    return tuple(float(part) for part in text.split(","))


_FLAGS: dict[str, tuple[str, bool]] = {
    "--gray": ("gray", True),
    "--color": ("gray", False),
    "--shuffle": ("shuffle", True),
    "--allow-mismatch": ("allow_mismatch", True),
    "--untrusted": ("python_layers", False),
}
_OPTIONS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "-x": ("width", int), "-y": ("height", int), "-c": ("count", int),
    "--width": ("width", int), "--height": ("height", int), "--val-count": ("val_count", int),
    "--fit": ("fit", str), "--encoded": ("encoding", str), "--val-share": ("val_share", float),
    "--seed": ("seed", int), "--out": ("out", Path), "--data": ("data", Path),
    "--labels": ("labels", Path), "--val-data": ("val_data", Path),
    "--val-labels": ("val_labels", Path), "--weights": ("weights", str), "--mean": ("mean", str),
    "--lr": ("lr", float), "--epochs": ("epochs", float), "--lr-policy": ("lr_policy", str),
    "--momentum": ("momentum", float), "--solver": ("solver", str), "--device": ("device", str),
    "--precision": ("precision", str), "--warmup": ("warmup", int), "--min-lr": ("min_lr", float),
    "--batch-size": ("batch_size", int), "--gamma": ("gamma", float), "--power": ("power", float),
    "--weight-decay": ("weight_decay", float), "--early-stop": ("early_stop", int),
    "--average": ("average", float), "--step": ("steps", _percentages),
    "--resume": ("run", Path),
}  # fmt: skip


def task_of(command: Sequence[str]) -> Task:
    """The task of a command line of the page.

    Raises:
        ValueError: for any other command.
        UsageError: for invalid values.
    """
    places, given = _parsed(command)
    try:
        match places:
            case ["create-db", "gradients", folder]:
                return MakeGradients(folder=Path(folder), **given)
            case ["convert-folders", root, folder]:
                return ConvertFolders(root=Path(root), folder=Path(folder), **given)
            case ["convert-vectors", table, folder]:
                return ConvertVectors(table=Path(table), folder=Path(folder), **given)
            case ["train"]:
                return ResumeRun(**given)
            case ["train", network]:
                return TrainNetwork(Path(network), RunSettings(**given))
    except TypeError as error:  # options of other commands, or missing ones
        raise ValueError(f"no command of the page: {error}") from None
    raise ValueError("no command of the page")


def _parsed(command: Sequence[str]) -> tuple[list[str], dict[str, Any]]:
    """The positional arguments, and the values of options by field."""
    places: list[str] = []
    given: dict[str, Any] = {}
    rest = iter(command)
    for word in rest:
        if word in _FLAGS:
            name, value = _FLAGS[word]
            given[name] = value
        elif word in _OPTIONS:
            name, kind = _OPTIONS[word]
            given[name] = kind(next(rest, ""))
        else:
            places.append(word)
    return places, given
