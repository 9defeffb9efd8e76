"""Metrics that grow, are cut, and are written anew."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from protonet.web.metrics import Columns, GrowingMetrics, Metrics


def iterations(metrics: GrowingMetrics, path: Path) -> list[int]:
    with metrics.reading(path) as found:
        return list(found.shown.of("iteration"))


def test_a_file_that_grows(tmp_path: Path) -> None:
    metrics, path = GrowingMetrics(), tmp_path / "metrics.jsonl"
    assert iterations(metrics, path) == []
    for number in range(5):
        with path.open("a") as stream:
            stream.write(f'{{"event": "iterated", "iteration": {number}}}\n{{"torn')
        assert iterations(metrics, path) == list(range(number + 1))
        path.write_text(path.read_text().removesuffix('{"torn'))


def test_a_file_that_is_cut_and_grows_beyond(tmp_path: Path) -> None:
    """A resumed training forgets what came after its snapshot, and goes on."""
    metrics, path = GrowingMetrics(), tmp_path / "metrics.jsonl"
    rows = [f'{{"event": "iterated", "iteration": {n}, "loss": {n}}}\n' for n in range(9)]
    path.write_text("".join(rows[:6]))
    assert iterations(metrics, path) == [0, 1, 2, 3, 4, 5]
    path.write_text("".join(rows[:3]))
    assert iterations(metrics, path) == [0, 1, 2]
    other = [row.replace('"loss"', '"lossy"') for row in rows[3:9]]
    path.write_text("".join(rows[:2] + other))
    assert iterations(metrics, path) == [0, 1, 3, 4, 5, 6, 7, 8]


def test_damaged_lines_and_many_files(tmp_path: Path) -> None:
    metrics = GrowingMetrics()
    for number in range(70):
        path = tmp_path / f"{number}.jsonl"
        path.write_bytes(b'\xff\n[1]\n{"event": "iterated", "iteration": 1}\n{"no": 1}\n')
        with path.open("ab") as stream:
            stream.write(b'{"event": "tested", "iteration": 2, "net": 0, "outputs": 5}\n')
        assert iterations(metrics, path) == [1]
    assert len(metrics._known) == 64


def test_columns() -> None:
    """A column that comes late, a value that is absent, and outputs with several numbers."""
    columns = Columns()
    columns.append({"a": 1})
    columns.append({"a": None, "b": 2.5})
    columns.append({"b": 3})
    np.testing.assert_array_equal(columns.of("a"), [1, np.nan, np.nan])
    np.testing.assert_array_equal(columns.of("b"), [np.nan, 2.5, 3])
    assert columns.names() == ["a", "b"]
    assert columns.last("b", 2) == [2.5, 3]
    assert (columns.last("c"), len(columns.of("c"))) == ([], 0)
    metrics = Metrics()
    test = {"event": "tested", "iteration": 7, "epoch": 2.0, "loss": 0.5}
    metrics.append({**test, "net": 0, "outputs": {"top": 0.25, "each": [1.0, 2.0]}})
    metrics.append({**test, "net": 1, "outputs": {"other": 0.25}})
    assert metrics.outputs.names() == ["top", "each[0]", "each[1]"]
    assert (metrics.iteration, metrics.epoch, list(metrics.tested.of("loss"))) == (7, 2.0, [0.5])
