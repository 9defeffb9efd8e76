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


NVIDIA_0_17 = """\
I1123 11:55:20.000000  77 solver.cpp:411] [0.0] Solving net Learning Rate Policy: poly
I1123 11:55:21.000000  77 solver.cpp:342]     [0.0] Iteration 0 (0.5 s), 0/3ep, loss = 2.5
I1123 11:55:21.000000  77 solver.cpp:358]     [0.0]     Train net output #0: loss = 2.25 \
(* 1 = 2.25 loss)
I1123 11:55:21.000000  77 sgd_solver.cpp:180] [0.0] Iteration 0, lr = 0.1, m = 0.9, lrm = 1, \
wd = 0.0005, gs = 1
I1123 11:55:22.000000  77 solver.cpp:494] Iteration 50, Testing net (#0)
I1123 11:55:23.000000  77 solver.cpp:581]     (0.0)    Test net output #0: loss = 3 (* 0.5 = 1.5 \
loss)
I1123 11:55:23.000000  77 solver.cpp:712] Test net output mAP #1: detection = 0.75
I1123 11:55:31.000000  77 solver.cpp:337]     [0.0] Iteration 100 (10 iter/s, 10s/100 iter), \
1.5/3ep, loss = 0.9
I1123 11:55:31.000000  77 solver.cpp:358]     [0.0]     Train net output #0: loss = 0.8 \
(* 1 = 0.8 loss)
I1123 11:55:31.000000  77 sgd_solver.cpp:180] [0.0] Iteration 100, lr = 0.05, m = 0.9, lrm = 0.5, \
wd = 0.0005, gs = 1
I1123 11:55:41.000000  77 solver.cpp:459] Iteration 200, loss = 0.9
"""


@pytest.mark.parametrize("gpu", ["0.0", "1.12", "3"])
@pytest.mark.parametrize(
    ("before", "day"),
    [
        ("", "1123"),
        ("", "20261123"),
        ("trainer-1  | ", "1123"),
        ("2026-11-23T11:55Z\t", "1123"),
        ("^C", "1123"),
    ],
)
def test_logs_of_nvidias_caffe(tmp_path: Path, gpu: str, before: str, day: str) -> None:
    """Lines as src/caffe/solver.cpp and sgd_solver.cpp of its branch caffe-0.17 print them; with
    the year, as glog 0.5 and later print it; and behind what a container puts before a line.
    """
    lines = NVIDIA_0_17.replace("0.0]", f"{gpu}]").replace("(0.0)", f"({gpu})").splitlines()
    path = tmp_path / "log"
    path.write_text("".join(f"{before}{line.replace('I1123', f'I{day}')}\n" for line in lines))
    log = read_log(path)
    assert log.train == [
        Entry(0, 1.0, 0.1, 2.5, {"loss": 2.25}),
        Entry(100, 11.0, 0.05, 0.9, {"loss": 0.8}),
    ]
    assert log.tests == {0: [Entry(50, 2.0, 0.1, 1.5, {"loss": 3.0, "detection": 0.75})]}
    assert log.lost == []


def test_the_rate_beside_the_speed(tmp_path: Path) -> None:
    """NVIDIA's Caffe 0.13 prints the speed with the learning rate."""
    path = tmp_path / "log"
    path.write_text(
        "I1231 23:59:59.500000 1 solver.cpp:217] Iteration 20, loss = 0.5\n"
        "I0101 00:00:00.000000 1 solver.cpp:511] Iteration 20 (2.5/s), lr = 0.01\n"
    )
    assert read_log(path).train == [Entry(20, 0.0, 0.01, 0.5)]


def test_a_year_in_the_stamp_is_the_year(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text(
        "I20271231 23:59:58.000000 1 solver.cpp:289] Solving x\n"
        "I20280101 00:00:00.000000 1 solver.cpp:239] Iteration 1, loss = 0.5\n"
        "I20280101 00:00:00.000000 1 sgd_solver.cpp:112] Iteration 1, lr = 0.01\n"
    )
    assert read_log(path).train == [Entry(1, 2.0, 0.01, 0.5)]


def test_lines_in_a_form_of_their_own_are_kept_apart(tmp_path: Path) -> None:
    path = tmp_path / "log"
    stamp = "I1123 11:55:20.000000 77 solver.cpp:1] "
    path.write_text(
        f"{stamp}Iteration 5, Testing net (#0)\n{stamp}    Test net output #0: a = 1\n"
        f"{stamp}Iteration 5 -- loss = 1\n{stamp}Iteration 5, snapshotting\n"
        f"{stamp.replace('1123', '0230')}Iteration 6, loss = 1\n"
    )
    log = read_log(path)
    assert (log.train, log.lost) == ([], ["Iteration 5 -- loss = 1", "Iteration 6, loss = 1"])
    assert log.warning() == (
        "skipped 2 line(s) about an iteration in an unknown format; the first: "
        "Iteration 5 -- loss = 1"
    )


def test_files_that_are_no_logs(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        read_log(path)
    for text in ("", "hello", "I1123 11:55:26.930358 1 a.cpp:1] hello"):
        path.write_text(text)
        with pytest.raises(FormatError, match="has no iterations"):
            read_log(path)
    path.write_text(json.dumps({"event": "iterated"}) + "\n")
    with pytest.raises(FormatError, match=":1: not a line of a training: it has no iteration"):
        read_log(path)
    assert TrainingLog().train == []
