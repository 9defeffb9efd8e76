"""Lines about work that takes long."""

from __future__ import annotations

from pathlib import Path

import pytest

from protonet.jobs.tasks import progress_log


def test_a_line_every_five_seconds(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    now = [100.0]
    monkeypatch.setattr(progress_log.time, "monotonic", lambda: now[0])
    watch = progress_log.log_progress("images")
    for done, seconds in ((1, 102.0), (2, 105.0), (3, 109.9), (4, 110.0)):
        now[0] = seconds
        watch(done, 9)
    assert capfd.readouterr().err == (
        "2 of 9 images (22 %), 21 s left\n4 of 9 images (44 %), 13 s left\n"
    )


def test_the_time_left_counts_from_what_was_there() -> None:
    counter = progress_log.Counter()
    assert counter.count(50, 100, 10.0).seconds_left() is None
    count = counter.count(60, 100, 20.0)
    assert (count.first, count.seconds_left(), count.seconds_left(25.0)) == (50, 40.0, 35.0)
    assert progress_log.line_of(count) == "60 of 100 images (60 %), 40 s left"
    assert count.seconds_left(1000.0) == 0
    # What counts again from its beginning is new work.
    assert counter.count(1, 100, 30.0).seconds_left() is None
    assert counter.count(3, 100, 230.0).seconds_left() == 9700.0
    last = counter.count(3, 100, 230.0)
    assert progress_log.line_of(last).endswith(", 2 h 41 min left")
    assert progress_log.line_of(counter.count(99, 100, 9830.0)).endswith(", 1 min 40 s left")


def test_a_file_of_progress(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(progress_log.time, "time", lambda: now[0])
    path = tmp_path / "progress.json"
    assert progress_log.read_progress(path) is None
    seen = []
    watch = progress_log.both(
        progress_log.file_progress(path), lambda done, total: seen.append((done, total))
    )
    for done, seconds in ((0, 100.0), (1, 100.1), (2, 100.6), (3, 100.7)):
        now[0] = seconds
        watch(done, 4)
    assert progress_log.read_progress(path) == progress_log.Count(2, 4, 0, 100.0, 100.6)
    watch(4, 4)
    found = progress_log.read_progress(path)
    assert found is not None
    assert (found.done, seen) == (4, [(0, 4), (1, 4), (2, 4), (3, 4), (4, 4)])
    path.write_text("{")
    assert progress_log.read_progress(path) is None


def test_progress_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    progress_log.file_progress(tmp_path / "nowhere" / "progress.json")(1, 2)
