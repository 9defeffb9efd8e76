"""What has not changed is not computed again, whoever asks."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from protonet.web.recent import Recent, file_stamp


def test_computed_once_until_the_stamp_changes() -> None:
    recent: Recent[str] = Recent(2)
    made: list[str] = []

    def make(text: str) -> str:
        made.append(text)
        return text

    assert recent.of("a", (1,), lambda: make("first")) == "first"
    assert recent.of("a", (1,), lambda: make("not asked for")) == "first"
    assert recent.of("a", (2,), lambda: make("second")) == "second"
    assert made == ["first", "second"]


def test_what_changes_all_the_time_is_computed_now_and_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Good for the pause, or for twenty times as long as it took; not beyond the first part."""
    now, counted = [100.0], [0]
    monkeypatch.setattr("protonet.web.recent.time.monotonic", lambda: now[0])
    recent: Recent[int] = Recent(2)

    def look(stamp: object, at: float, *, takes: float = 0.0, state: str = "run") -> int:
        now[0] = at

        def count() -> int:
            now[0] += takes
            counted[0] += 1
            return counted[0]

        return recent.of("a", (state, stamp), count, 0.5)

    assert [look(1, 100.0), look(2, 100.4), look(3, 100.6)] == [1, 1, 2]
    assert look(4, 102.0, takes=0.25) == 3
    assert [look(5, 107.2), look(6, 107.3)] == [3, 4]
    assert look(7, 107.4, state="done") == 5


def test_the_oldest_is_forgotten() -> None:
    recent: Recent[int] = Recent(2)
    for number, key in enumerate("abc"):
        recent.of(key, (), lambda number=number: number)
    assert recent.of("c", (), lambda: 9) == 2
    assert recent.of("a", (), lambda: 9) == 9


def test_one_of_many_threads_computes() -> None:
    recent: Recent[int] = Recent(2)
    counted, begun, go_on = [0], threading.Event(), threading.Event()

    def slow() -> int:
        begun.set()
        assert go_on.wait(10)
        counted[0] += 1
        return 7

    found: list[int] = []
    threads = [
        threading.Thread(target=lambda: found.append(recent.of("a", (), slow))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    assert begun.wait(10)
    assert recent.of("b", (), lambda: 3) == 3  # other keys do not wait
    go_on.set()
    for thread in threads:
        thread.join()
    assert (found, counted) == ([7] * 8, [1])


def test_a_failure_is_not_kept() -> None:
    recent: Recent[int] = Recent(2)

    def fail() -> int:
        raise OSError("no")

    with pytest.raises(OSError, match="no"):
        recent.of("a", (1,), fail)
    assert recent.of("a", (1,), lambda: 5) == 5


def test_the_stamp_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "x"
    assert file_stamp(path) is None
    path.write_text("a")
    first = file_stamp(path)
    assert first == (1, path.stat().st_mtime_ns)
    path.write_text("ab")
    assert file_stamp(path) != first
