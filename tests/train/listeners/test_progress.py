from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from protonet.train import events
from protonet.train.listeners import CaffeLog, ProgressBar

SHOW_CURSOR, HIDE_CURSOR = "\x1b[?25h", "\x1b[?25l"


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Terminal:
    """A bar on a terminal of 100 columns, and what it wrote there."""

    def __init__(self) -> None:
        self.output = io.StringIO()
        self.clock = Clock()
        console = Console(file=self.output, force_terminal=True, width=100, color_system=None)
        self.bar = ProgressBar(console, clock=self.clock)

    def tell(self, *events: object) -> None:
        for event in events:
            self.clock.now += 1.0
            self.bar(event)

    @property
    def lines(self) -> list[str]:
        """What was drawn, without control sequences."""
        plain = re.sub(r"\x1b\[[?\d;]*[A-Za-z]", "", self.output.getvalue())
        return [line.rstrip() for line in re.split(r"[\r\n]+", plain) if line.strip()]


def test_the_bar_shows_epoch_losses_speed_and_time_left() -> None:
    terminal = Terminal()
    with terminal.bar:
        terminal.tell(
            events.Started("seed", 0, 1500, 100),
            events.Tested(
                0, 0, (events.Output("accuracy", 0.5), events.Output("loss", 0.0625, 1.0))
            ),
            events.Ticked(249, 0.125),
            events.Iterated(499, 0.03125, 0.01, (), 250, 1.0),
        )
        line = terminal.lines[-1]
        assert line.startswith("seed")
        for part in ("epoch  5.0/15", "loss 0.0312", "val 0.0625", "250 it/s", "00:04"):
            assert part in line


def test_of_several_ranks_it_tells_images_per_second() -> None:
    terminal = Terminal()
    with terminal.bar:
        terminal.tell(
            events.Started("seed", 0, 1500, 100, "step", events.Sharing(2, 64, 32)),
            events.Ticked(249, 0.125),
            events.Iterated(499, 0.03125, 0.01, (), 250, 1.0),
        )
        assert "16,000 images/s" in terminal.lines[-1]
        assert "it/s" not in terminal.lines[-1]


def test_without_a_length_it_counts_iterations() -> None:
    terminal = Terminal()
    with terminal.bar:
        terminal.tell(
            events.Started("", 100, 400), events.Ticked(102, 2.0), events.Ticked(104, 2.0)
        )
        line = terminal.lines[-1]
        assert line.startswith("training")
        assert "105/400" in line
        assert "2 it/s" in line


def test_it_is_drawn_ten_times_a_second_at_most() -> None:
    terminal = Terminal()
    with terminal.bar:
        terminal.tell(events.Started("seed", 0, 1000, 100))
        before = len(terminal.lines)
        for iteration in range(100):
            terminal.clock.now += 0.01
            terminal.bar(events.Iterated(iteration, 0.5, 0.01, (), 1, 0.01))
        assert 8 <= len(terminal.lines) - before <= 11


@pytest.mark.parametrize(
    "end",
    [
        events.Stopped(10, interrupted=False),
        events.Stopped(4, interrupted=True),
        events.Failed(4, "nan"),
    ],
)
def test_every_end_leaves_the_cursor_visible_on_a_new_line(end: object) -> None:
    terminal = Terminal()
    terminal.tell(
        events.Started("seed", 0, 10, 5),
        events.Snapshotted(4, Path("m"), Path("s")),
        events.Concluded(4, 0.5),
        end,
    )
    text = terminal.output.getvalue()
    assert text.rindex(SHOW_CURSOR) > text.rindex(HIDE_CURSOR)
    assert text.replace(SHOW_CURSOR, "").endswith("\n")
    terminal.tell(events.Ticked(5, 0.5))
    assert terminal.output.getvalue() == text


def test_an_exception_leaves_the_cursor_visible() -> None:
    terminal = Terminal()

    def train() -> None:
        with terminal.bar:
            terminal.tell(events.Started("seed", 0, 10, 5))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train()
    text = terminal.output.getvalue()
    assert text.rindex(SHOW_CURSOR) > text.rindex(HIDE_CURSOR)


def test_log_lines_appear_above_the_bar() -> None:
    terminal = Terminal()
    assert terminal.bar.stream.writable()
    log = CaffeLog(terminal.bar.stream)
    with terminal.bar:
        for event in (
            events.Started("[seed]", 0, 10, 5),
            events.Iterated(0, 0.5, 0.01, (), 0, 0.0),
        ):
            log(event)
            terminal.tell(event)
    text = terminal.lines
    solving = next(i for i, line in enumerate(text) if line.endswith("] Solving [seed]"))
    assert any(line.endswith("Iteration 0, lr = 0.01") for line in text[solving:])
    assert text[-1].startswith("[seed]")


def test_a_second_test_net_does_not_take_the_place_of_the_first() -> None:
    terminal = Terminal()
    with terminal.bar:
        terminal.tell(
            events.Started("seed", 0, 10, 5),
            events.Tested(0, 0, (events.Output("loss", 0.5, 1.0),)),
            events.Tested(0, 1, (events.Output("loss", 0.25, 1.0),)),
        )
        assert "val 0.5" in terminal.lines[-1]


def test_the_bar_shows_how_good_a_detector_is() -> None:
    terminal = Terminal()
    with terminal.bar:
        outputs = (events.Output("eval", 0.75), events.Output("eval/coco", 0.5))
        terminal.tell(
            events.Started("", 0, 400),
            events.Tested(0, 0, (*outputs, events.Output("loss", 0.5, 1.0))),
            events.Ticked(102, 2.0),
        )
        assert "loss 2        val 0.5      eval 0.7500" in terminal.lines[-1]
