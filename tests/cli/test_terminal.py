from __future__ import annotations

import io

import pytest
from rich.console import Console

from protonet.cli import terminal


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


@pytest.mark.parametrize(
    ("is_terminal", "term", "bars"),
    [(True, "xterm", True), (True, "dumb", False), (False, "xterm", False)],
)
def test_bars_need_a_terminal_that_redraws(is_terminal: bool, term: str, bars: bool) -> None:
    console = Console(file=io.StringIO(), force_terminal=is_terminal, _environ={"TERM": term})
    assert terminal.shows_bars(console) is bars
