"""The progress bar of a training."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self, TextIO

from protonet.train.events import (
    Concluded,
    Event,
    Failed,
    Iterated,
    Sharing,
    Snapshotted,
    Started,
    Stopped,
    Tested,
    Ticked,
    Warned,
)
from protonet.train.listeners.metrics import by_name, quality, test_loss

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

_SECONDS_BETWEEN_DRAWINGS = 0.1
_NAME_WIDTH = 24


class ProgressBar:
    """Draws epoch, loss, validation loss, iterations per second and remaining time; of several
    ranks their images per second.

    It draws on events, at most a few times a second, without a thread. Use it as a context
    manager, which restores the cursor however the training ends.

    Args:
        console: where to draw; by default standard output.
        clock: a monotonic clock, in seconds.
    """

    def __init__(
        self, console: Console | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        from rich.console import Console

        self.console = Console() if console is None else console
        self._clock = clock
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._per_epoch: float | None = None
        self._stop_at = 0
        self._sharing: Sharing | None = None
        self._iteration = 0
        self._loss: float | None = None
        self._validation: float | None = None
        self._quality = ""
        self._drawn = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __call__(self, event: Event) -> None:
        """Show ``event``; redraw only if enough time has passed."""
        match event:
            case Started():
                self._begin(event)
            case Iterated() | Ticked():
                self._iteration, self._loss = event.iteration + 1, event.loss
                self._draw_if_due()
            case Tested():
                self._iteration = event.iteration
                found = test_loss(event)
                if event.net == 0:
                    self._validation, best = found, quality(by_name(event.outputs))
                    self._quality = "" if best is None else f"{best[0]} {best[1]:<6.4f}"
                self._draw_if_due()
            case Snapshotted():
                self._iteration = event.iteration
            case Warned():
                self.console.print(f"warning: {event.message}", markup=False, highlight=False)
            case Concluded():
                self._iteration, self._loss = event.iteration, event.loss
            case Stopped() | Failed():
                self._iteration = event.iteration
                self._draw()
                self.close()

    @property
    def stream(self) -> TextIO:
        """A text stream whose lines appear above the bar."""
        return _AboveBar(self.console)

    def close(self) -> None:
        """Leave the bar on a line of its own, and show the cursor again."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None

    def _begin(self, event: Started) -> None:
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self._per_epoch, self._stop_at = event.per_epoch, event.stop_at
        self._iteration, self._sharing = event.iteration, event.sharing
        self._progress = Progress(
            TextColumn("{task.description}", style="bold", markup=False),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[position]}", markup=False),
            TextColumn("{task.fields[losses]}", style="cyan", markup=False),
            TextColumn("{task.fields[speed]}", markup=False),
            TimeRemainingColumn(compact=True),
            console=self.console,
            auto_refresh=False,
            get_time=self._clock,
            expand=True,
        )
        self._task = self._progress.add_task(
            event.net[:_NAME_WIDTH] or "training",
            total=event.stop_at,
            completed=event.iteration,
            **self._fields(),
        )
        self._progress.start()
        self._drawn = self._clock()

    def _draw_if_due(self) -> None:
        if self._clock() - self._drawn >= _SECONDS_BETWEEN_DRAWINGS:
            self._draw()

    def _draw(self) -> None:
        if self._progress is None or self._task is None:
            return
        self._progress.update(self._task, completed=self._iteration)
        self._progress.update(self._task, **self._fields())
        self._progress.refresh()
        self._drawn = self._clock()

    def _fields(self) -> dict[str, Any]:
        """The texts next to the bar, of constant width so that the bar keeps its length."""
        position = f"{self._iteration}/{self._stop_at}"
        if self._per_epoch is not None:
            done, all_ = self._iteration / self._per_epoch, self._stop_at / self._per_epoch
            end = f"{all_:.1f}"
            position = f"epoch {done:{len(end)}.1f}/{end.removesuffix('.0')}"
        losses = [] if self._loss is None else [f"loss {self._loss:<8.3g}"]
        if self._validation is not None:
            losses.append(f"val {self._validation:<8.3g}")
        if self._quality:
            losses.append(self._quality)
        return {"position": position, "losses": " ".join(losses), "speed": self._speed()}

    def _speed(self) -> str:
        if self._progress is None or self._task is None:
            return ""
        speed = self._progress.tasks[0].speed
        if speed is None:
            return ""
        unit = "it/s"
        if self._sharing is not None:
            speed, unit = speed * self._sharing.images, "images/s"
        return f"{speed:6,.0f} {unit}" if speed >= 10 else f"{speed:6.2g} {unit}"


class _AboveBar(io.TextIOBase, TextIO):
    """Prints through the console of the bar, which moves the bar down."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def writable(self) -> bool:
        """Lines can be written."""
        return True

    def write(self, text: str) -> int:
        """Print ``text``, one or more complete lines, unchanged."""
        self._console.print(text, end="", markup=False, highlight=False, soft_wrap=True)
        return len(text)
