from __future__ import annotations

import json
from pathlib import Path

import pytest

from protonet.errors import FormatError
from protonet.train import events
from protonet.train.listeners import Metrics, figure, read_metrics
from protonet.train.listeners.metrics import objective, quality

NAN, INFINITY = float("nan"), float("inf")


def strict(text: str) -> list[dict[str, object]]:
    """The lines parsed by a reader that knows no NaN."""

    def refuse(token: str) -> None:
        raise AssertionError(f"not JSON: {token}")

    return [json.loads(line, parse_constant=refuse) for line in text.splitlines()]


def test_each_event_is_a_line_with_exact_floats(tmp_path: Path) -> None:
    metrics = Metrics(tmp_path / "metrics.jsonl")
    outputs = (events.Output("accuracy", 0.1 + 0.2), events.Output("loss", 1 / 3, 2.0))
    metrics(events.Started("net", 0, 20, 8))
    metrics(events.Ticked(1, 0.5))
    metrics(events.Iterated(2, 1 / 7, 0.01, outputs, 2, 0.125))
    metrics(events.Tested(4, 1, outputs))
    metrics(
        events.Snapshotted(4, tmp_path / "s_iter_4.caffemodel", tmp_path / "s_iter_4.solverstate")
    )
    metrics(events.Concluded(4, 0.25))
    metrics(events.Stopped(4, interrupted=False))
    by_name = {"accuracy": 0.1 + 0.2, "loss": 1 / 3}
    told = strict((tmp_path / "metrics.jsonl").read_text())
    assert 2**20 < told[0].pop("memory") < 2**40
    assert told == [
        {
            "event": "iterated",
            "iteration": 2,
            "epoch": 0.25,
            "loss": 1 / 7,
            "lr": 0.01,
            "outputs": by_name,
            "seconds": 0.125,
            "iterations": 2,
        },
        {
            "event": "tested",
            "iteration": 4,
            "epoch": 0.5,
            "net": 1,
            "loss": 2 / 3,
            "outputs": by_name,
        },
        {
            "event": "snapshotted",
            "iteration": 4,
            "epoch": 0.5,
            "model": "s_iter_4.caffemodel",
            "state": "s_iter_4.solverstate",
        },
    ]


def test_a_blob_of_several_elements_is_a_list_and_no_line_holds_nan(tmp_path: Path) -> None:
    metrics = Metrics(tmp_path / "metrics.jsonl")
    outputs = (
        events.Output("prob", 0.25),
        events.Output("prob", NAN),
        events.Output("loss", INFINITY, 1.0),
    )
    metrics(events.Iterated(0, NAN, 0.01, outputs, 0, 0.0))
    metrics(events.Tested(0, 0, outputs))
    metrics.close()
    iterated, tested = strict((tmp_path / "metrics.jsonl").read_text())
    assert iterated["loss"] is None
    assert iterated["epoch"] is None
    assert iterated["outputs"] == {"prob": [0.25, None], "loss": None}
    assert tested["loss"] is None


def test_lines_are_there_at_once_and_a_second_run_appends(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    first = Metrics(path)
    first(events.Iterated(1, 0.5, 0.01, (), 1, 0.1))
    assert [line["iteration"] for line in read_metrics(path)] == [1]
    first(events.Failed(1, "the loss is nan"))
    second = Metrics(path)
    second(events.Iterated(2, 0.25, 0.01, (), 1, 0.1))
    second.close()
    assert [line["iteration"] for line in read_metrics(path)] == [1, 2]


def test_a_torn_last_line_is_not_read_and_is_cut_before_the_next(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"event": "snapshotted", "iteration": 3}\n{"event": "ite')
    assert read_metrics(path) == [{"event": "snapshotted", "iteration": 3}]
    metrics = Metrics(path)
    metrics(events.Iterated(4, 0.5, 0.01, (), 1, 0.1))
    metrics.close()
    assert [line["iteration"] for line in read_metrics(path)] == [3, 4]


def test_an_absent_file_has_no_lines(tmp_path: Path) -> None:
    assert read_metrics(tmp_path / "metrics.jsonl") == []


@pytest.mark.parametrize(
    ("content", "where"),
    [
        (b'{"event": "a", "iteration": 1}\nwhat\n', ":2: not a JSON object"),
        (b"[" * 100_000 + b"\n", ":1: not a JSON object"),
        (b"9" * 5000 + b"\n", ":1: not a JSON object"),
        (b'{"event": "a", "iteration": 1}\n[1, 2]\n', r":2: expected a JSON object, got \[1, 2\]"),
        (b'{"iteration": 1}\n', ":1: not a line of a training: it has no event"),
        (b'{"event": "a", "iteration": "1"}\n', ':1: .*: iteration cannot be "1"'),
        (b'{"event": "a", "iteration": true}\n', ":1: .*: iteration cannot be true"),
        (b'{"event": ["tested"], "iteration": 1}\n', ":1: .*: event cannot be "),
        (b'{"event": "tested", "iteration": 1, "net": 0, "loss": 1}\n', ":1: .* has no outputs"),
        (
            b'{"event": "tested", "iteration": 1, "net": 0, "loss": 1, "outputs": {"a": [{}]}}\n',
            ":1: .*: output a cannot be {}",
        ),
        (b"\xff\xfe\n", "not a metrics file"),
    ],
)
def test_a_damaged_file_is_refused_with_its_line(
    tmp_path: Path, content: bytes, where: str
) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(content)
    with pytest.raises(FormatError, match=where):
        read_metrics(path)


@pytest.mark.parametrize(
    ("outputs", "value"),
    [
        ((), None),
        ((events.Output("accuracy", 0.5),), None),
        (
            (events.Output("a", 2.0, 0.5), events.Output("b", 3.0, 2.0), events.Output("c", 9.0)),
            7.0,
        ),
        ((events.Output("a", NAN, 1.0),), None),
    ],
)
def test_the_objective_is_the_weighted_sum(
    outputs: tuple[events.Output, ...], value: float | None
) -> None:
    assert objective(outputs) == value


def test_a_full_disk_is_told_with_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("protonet.train.listeners.metrics._drop_torn_line", lambda _: None)
    listener = Metrics(Path("/dev/full"))
    event = events.Tested(3, 0, (events.Output("loss", 1.0, 1.0),))
    for _ in range(2):  # it is tried again, as space may have been made
        with pytest.raises(FormatError, match="/dev/full: cannot be written: No space left"):
            listener(event)
    listener.close()


def test_mean_iou_tells_best_how_good_a_segmentation_is() -> None:
    assert figure({"loss": 0.3, "mean_iou": 0.75, "pixel_accuracy": 0.99}, 0.3) == -0.75
    assert figure({"mean_iou": None, "pixel_accuracy": 0.99}, 0.3) == -0.99
    assert figure({"loss": 0.3}, 0.3) == 0.3


def test_mean_average_precision_tells_best_how_good_a_detector_is() -> None:
    outputs = {"found": 0.75, "found/coco": 0.5, "loss": 0.3, "accuracy": 0.99}
    assert figure(outputs, 0.3) == -0.75
    assert quality(outputs) == ("found", 0.75)
    none = {"found": None, "found/coco": None, "loss": 0.3}
    assert figure(none, 0.3) == 0.3
    assert quality(none) is None
    assert quality({"mean_iou": 0.5}) == ("mean_iou", 0.5)
    detectnet = {"loss": 0.3, "mAP-cars": 50.0, "mAP-dogs": 70.0, "precision-cars": 99.0}
    assert quality(detectnet) == ("mAP", 60.0)
    assert figure({"mAP": 12.5, "mAPs": 99.0}, 0.3) == -12.5
