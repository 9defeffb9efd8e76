from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from protonet.cli import terminal
from protonet.jobs.tasks import progress_log


def test_a_piped_table_is_plain_and_never_folded(capsys: pytest.CaptureFixture[str]) -> None:
    long = "x" * 300
    terminal.print_table(("name", "value", "count"), [("a", long, "7"), ("bb", "[/]", "1,234")])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines] == [
        ["name", "value", "count"],
        ["a", long, "7"],
        ["bb", "[/]", "1,234"],
    ]
    assert len({len(line) for line in lines}) == 1


def test_notes_and_complaints_go_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.note("by the way")
    terminal.complain("no")
    assert capsys.readouterr() == ("", "by the way\nerror: no\n")


def test_colours_are_off_where_the_environment_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert terminal.wants_color()
    monkeypatch.setenv("NO_COLOR", "1")
    assert not terminal.wants_color()


def test_without_a_bar_long_work_is_told_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = iter([0.0, 1.0, 4.0, 6.0, 7.0, 12.0])
    monkeypatch.setattr(progress_log.time, "monotonic", lambda: next(clock))
    with terminal.progress("images") as watch:
        for done in range(1, 6):
            watch(done * 10, 99)
    told = "30 of 99 images (30 %), 17 s left\n50 of 99 images (50 %), 13 s left\n"
    assert capsys.readouterr() == ("", told)


@pytest.mark.parametrize(
    ("is_terminal", "term", "bars"),
    [(True, "xterm", True), (True, "dumb", False), (False, "xterm", False)],
)
def test_bars_need_a_terminal_that_redraws(is_terminal: bool, term: str, bars: bool) -> None:
    console = Console(file=io.StringIO(), force_terminal=is_terminal, _environ={"TERM": term})
    assert terminal.shows_bars(console) is bars


def test_stages_are_told_one_by_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(progress_log, "_LINE_SECONDS", 0.0)
    with terminal.resumable_progress("images", tmp_path / "out") as watch:
        watch(0, 2)
        watch(2, 2)
        mean = watch.stage("images averaged")
        mean(1, 2)
        mean(2, 2)
    lines = [line.split(" (")[0] for line in capsys.readouterr().err.splitlines()]
    assert lines == [
        "0 of 2 images", "2 of 2 images", "1 of 2 images averaged", "2 of 2 images averaged",
    ]  # fmt: skip
