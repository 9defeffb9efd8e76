"""The log is held to the one that Caffe wrote for golden/regression."""

from __future__ import annotations

import io
import os
import re
from datetime import datetime
from pathlib import Path

import pytest

from protonet.train import events
from protonet.train.listeners import CaffeLog
from protonet.train.listeners.caffe_log import number

GOLDEN = Path(__file__).parents[2] / "golden" / "regression" / "caffe.log"
SPEED = re.compile(r"\(.* iter/s, .*s/1 iters\)")


def replay(log: str) -> list[events.Event]:
    """The events of which Caffe wrote ``log``, with the numbers as Caffe printed them."""
    happened: list[events.Event] = [events.Started("regression", 0, 150, 10, "step")]
    loss, iteration, model = 0.0, 0, ""
    outputs: tuple[events.Output, ...] = ()
    for line in log.splitlines():
        if found := re.search(r"Iteration (\d+), loss = (\S+)", line):
            happened.append(events.Concluded(int(found[1]), float(found[2])))
        elif found := re.search(r"Iteration (\d+) \(.*, loss = (\S+)", line):
            iteration, loss = int(found[1]), float(found[2])
        elif found := re.search(r"Iteration (\d+), Testing", line):
            iteration = int(found[1])
        elif found := re.search(r"T(rain|est) net output #0: loss = (\S+) ", line):
            outputs = (events.Output("loss", float(found[2]), 1.0),)
            if found[1] == "est":
                happened.append(events.Tested(iteration, 0, outputs))
        elif found := re.search(r"lr = (\S+)", line):
            happened.append(events.Iterated(iteration, loss, float(found[1]), outputs, 1, 0.25))
        elif found := re.search(r"Snapshotting to binary proto file (\S+)", line):
            model = found[1]
        elif found := re.search(r"Snapshotting solver state to binary proto file (\S+)", line):
            happened.append(events.Snapshotted(150, Path(model), Path(found[1])))
    return [*happened, events.Stopped(150, interrupted=False)]


def comparable(log: str) -> list[str]:
    """The lines of the solver without their stamp and speed."""
    bodies = (line.split(" ", 3)[3] for line in log.splitlines() if re.match(r"I\d{4} ", line))
    return [
        SPEED.sub("(speed)", body)
        for body in bodies
        if re.match(r"(sgd_)?solver\.cpp|caffe\.cpp:250", body)
    ]


def test_equals_the_log_that_caffe_wrote() -> None:
    golden = GOLDEN.read_text()
    stream = io.StringIO()
    log = CaffeLog(stream)
    for event in replay(golden):
        log(event)
    lines = comparable(golden)
    lines = lines[next(i for i, line in enumerate(lines) if "Solving" in line) :]
    assert len(lines) > 450
    assert comparable(stream.getvalue()) == lines


def test_stamp_has_the_form_of_glog() -> None:
    stream = io.StringIO()
    log = CaffeLog(stream, now=lambda: datetime(2026, 11, 23, 11, 8, 34, 793550))
    log(events.Iterated(7, 0.25, 0.01, (), 5, 0.5))
    assert stream.getvalue() == (
        f"I1123 11:08:34.793550 {os.getpid()} solver.cpp:239] "
        "Iteration 7 (10 iter/s, 0.5s/5 iters), loss = 0.25\n"
        f"I1123 11:08:34.793550 {os.getpid()} sgd_solver.cpp:112] Iteration 7, lr = 0.01\n"
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0827804123, "0.0827804"),
        (1.59397e-05, "1.59397e-05"),
        (1666.6666, "1666.67"),
        (1234567.0, "1.23457e+06"),
        (2.0, "2"),
        (0.0001, "0.0001"),
        (float("inf"), "inf"),
        (float("nan"), "nan"),
    ],
)
def test_numbers_look_as_a_cpp_stream_prints_them(value: float, text: str) -> None:
    assert number(value) == text


def test_an_output_without_weight_has_no_loss_part() -> None:
    stream = io.StringIO()
    outputs = (events.Output("accuracy", 0.75), events.Output("aux", 0.5, 0.3))
    CaffeLog(stream)(events.Tested(40, 1, outputs))
    assert comparable(stream.getvalue()) == [
        "solver.cpp:347] Iteration 40, Testing net (#1)",
        "solver.cpp:414]     Test net output #0: accuracy = 0.75",
        "solver.cpp:414]     Test net output #1: aux = 0.5 (* 0.3 = 0.15 loss)",
    ]


def test_hdf5_snapshots_are_called_so() -> None:
    stream = io.StringIO()
    CaffeLog(stream)(events.Snapshotted(5, Path("a.caffemodel.h5"), Path("a.solverstate.h5")))
    model, state = stream.getvalue().splitlines()
    assert model.endswith("Snapshotting to HDF5 file a.caffemodel.h5")
    assert state.endswith("Snapshotting solver state to HDF5 file a.solverstate.h5")


def test_a_display_without_elapsed_time_has_speed_zero() -> None:
    stream = io.StringIO()
    CaffeLog(stream)(events.Iterated(0, 0.5, 0.01, (), 0, 0.0))
    assert "Iteration 0 (0 iter/s, 0s/0 iters), loss = 0.5" in stream.getvalue()


def test_an_interrupted_and_a_failed_run_end_differently() -> None:
    stream = io.StringIO()
    log = CaffeLog(stream)
    log(events.Ticked(3, 0.5))
    log(events.Stopped(4, interrupted=True))
    log(events.Failed(5, "loss is nan\ntry a lower lr"))
    early, first, second = stream.getvalue().splitlines()
    assert early.endswith("Optimization stopped early.")
    assert first.startswith("E")
    assert first.endswith("] loss is nan")
    assert second.endswith("] try a lower lr")


def test_a_file_is_appended_to_and_closed_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "train.log"
    path.write_text("before\n")
    log = CaffeLog(path)
    log(events.Started("net", 0, 2))
    assert path.read_text().splitlines()[1].endswith("Solving net")
    log(events.Stopped(2, interrupted=False))
    log.close()
    assert [line.rpartition("] ")[2] for line in path.read_text().splitlines()] == [
        "before",
        "Solving net",
        "Optimization Done.",
        "Optimization Done.",
    ]


def test_what_debug_info_tells_is_a_line_each() -> None:
    stream = io.StringIO()
    CaffeLog(stream)(events.Inspected(3, ("    [Forward] a", "    [Backward] b")))
    assert [line.partition("] ")[2] for line in stream.getvalue().splitlines()] == [
        "    [Forward] a",
        "    [Backward] b",
    ]


def test_several_ranks_are_told_with_images_per_second() -> None:
    """In lines of their own: Caffe's are as they are of one rank."""
    stream = io.StringIO()
    log, sharing = CaffeLog(stream), events.Sharing(2, 64, 32)
    log(events.Started("net", 0, 9, None, "fixed", sharing))
    log(events.Iterated(5, 0.5, 0.1, (), 5, 2.0, sharing))
    texts = [line.partition("] ")[2] for line in stream.getvalue().splitlines()]
    assert texts == [
        "Solving net",
        "Learning Rate Policy: fixed",
        "2 ranks share out batches of 32 images",
        "Iteration 5 (2.5 iter/s, 2s/5 iters), loss = 0.5",
        "Iteration 5, 160 images/s on 2 ranks",
        "Iteration 5, lr = 0.1",
    ]
