"""Metrics that grow, are cut, and are written anew."""

from __future__ import annotations

from pathlib import Path

from protonet.web.metrics import GrowingMetrics


def iterations(metrics: GrowingMetrics, path: Path) -> list[int]:
    return [line["iteration"] for line in metrics.read(path)]


def test_a_file_that_grows(tmp_path: Path) -> None:
    metrics, path = GrowingMetrics(), tmp_path / "metrics.jsonl"
    assert metrics.read(path) == []
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
        path.write_bytes(b'\xff\n[1]\n{"event": "x", "iteration": 1}\n{"no": 1}\n')
        assert iterations(metrics, path) == [1]
    assert len(metrics._known) == 64
