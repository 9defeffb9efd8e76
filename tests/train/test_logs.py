"""Logs read back: Caffe's own, ours, and metrics."""

from __future__ import annotations

import csv
import io
import json
from datetime import datetime
from pathlib import Path

import pytest

from protonet.errors import FormatError, UsageError
from protonet.train import events
from protonet.train.listeners import CaffeLog, Metrics
from protonet.train.logs import Entry, TrainingLog, read_log, to_csv

GOLDEN = Path(__file__).parents[1] / "golden"


def test_caffes_own_log_of_the_digits() -> None:
    log = read_log(GOLDEN / "digits" / "caffe.log")
    assert [entry.iteration for entry in log.train] == list(range(0, 200, 10))
    assert log.train[10].loss == 0.841357
    assert log.train[10].outputs == {"loss": 0.841357}
    assert log.train[10].rate == 0.0465506
    assert log.train[0].seconds == pytest.approx(0.858017 - 0.854234)
    (tests,) = log.tests.values()
    assert [entry.iteration for entry in tests] == [0, 50, 100, 150, 200]
    assert tests[2].outputs == {"accuracy": 0.707071, "loss": 0.838665}
    assert tests[2].loss == pytest.approx(0.838665)
    assert tests[-1].outputs["accuracy"] == 0.882155


HAPPENED: list[events.Event] = [
    events.Started("net", 0, 4, 2.0),
    events.Iterated(
        0, 1.5, 0.1, (events.Output("y", 1.0), events.Output("y", 2.0)), iterations=1, seconds=0.5
    ),
    events.Tested(0, 0, (events.Output("accuracy", 0.25), events.Output("loss", 3.0, 0.5))),
    events.Tested(0, 1, (events.Output("accuracy", 0.75),)),
    events.Iterated(
        2, 0.5, 0.01, (events.Output("y", 3.0), events.Output("y", 4.0)), iterations=2, seconds=1.0
    ),
    events.Concluded(4, 0.125),
    events.Stopped(4, False),
]


def test_our_lines_and_metrics_tell_the_same(tmp_path: Path) -> None:
    times = iter([datetime(2025, 12, 31, 23, 59, 59, 500_000)] * 2 + [datetime(2026, 1, 1)] * 99)
    for listener in (
        CaffeLog(tmp_path / "train.log", now=lambda: next(times)),
        Metrics(tmp_path / "metrics.jsonl"),
    ):
        for event in HAPPENED:
            listener(event)
    lines, metrics = read_log(tmp_path / "train.log"), read_log(tmp_path)
    assert [entry.seconds for entry in metrics.train] == [0.5, 1.5]
    assert lines.train[-1].seconds == pytest.approx(0.5)
    for log in (lines, metrics):
        first, last = log.train
        assert (first.iteration, first.loss, first.rate) == (0, 1.5, 0.1)
        assert last.outputs == {"y[0]": 3.0, "y[1]": 4.0}
        assert list(log.tests) == [0, 1]
        assert log.tests[0][0].outputs == {"accuracy": 0.25, "loss": 3.0}
        assert log.tests[0][0].loss == 1.5
        assert log.tests[1][0].loss is None


def test_tables_have_the_columns_of_caffes_tool() -> None:
    entries = [Entry(0, 0.5, 0.1, 9.0, {"loss": 2.0}), Entry(10, None, None, None, {"top": 1 / 3})]
    rows = list(csv.reader(io.StringIO(to_csv(entries))))
    assert rows == [
        ["NumIters", "Seconds", "LearningRate", "loss", "top"],
        ["0", "0.5", "0.1", "2", ""],
        ["10", "", "", "", "0.3333333333"],
    ]


def test_values_that_are_no_numbers(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text(
        "I1123 11:55:26.930358 1 solver.cpp:239] Iteration 100 (1 iter/s, 1s/1 iters), loss = nan\n"
        "I1123 11:55:26.930371 1 solver.cpp:258]     Train net output #0: loss = -inf\n"
    )
    (entry,) = read_log(path).train
    assert entry.loss != entry.loss
    assert entry.outputs == {"loss": float("-inf")}


def test_files_that_are_no_logs(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        read_log(path)
    for text in ("", "hello", "I1123 11:55:26.930358 1 a.cpp:1] hello"):
        path.write_text(text)
        with pytest.raises(FormatError, match="tells of no iteration"):
            read_log(path)
    path.write_text(json.dumps({"event": "iterated"}) + "\n")
    with pytest.raises(FormatError, match=r"is no metrics\.jsonl of a training: KeyError"):
        read_log(path)
    assert TrainingLog().train == []
