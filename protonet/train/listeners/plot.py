"""loss.png: losses and learning rate of a whole run."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path

from protonet.formats.atomic import write_atomic
from protonet.train.events import Event, Failed, Iterated, Snapshotted, Started, Stopped, Tested
from protonet.train.listeners.loss_chart import draw_losses
from protonet.train.listeners.metrics import read_metrics, test_loss

_SECONDS_BETWEEN_DRAWINGS = 5.0
_GREATEST_SHARE_OF_TIME = 0.05
_MOST_POINTS = 1000


class Series:
    """A curve of bounded length: beyond it, every second point is dropped."""

    def __init__(self, most: int = _MOST_POINTS) -> None:
        self.x: list[float] = []
        self.y: list[float] = []
        self._most = most
        self._every = 1
        self._seen = 0

    def add(self, x: float, y: float | None) -> None:
        """Add a point, if its value is finite."""
        if y is None or not math.isfinite(y):
            return
        if self._seen % self._every == 0:
            self.x.append(x)
            self.y.append(y)
        self._seen += 1
        if len(self.x) > self._most:
            del self.x[1::2], self.y[1::2]
            self._every *= 2


class LossPlot:
    """Draws training loss, validation loss and learning rate into a PNG.

    It draws at snapshots and test passes, but not more often than every five seconds nor for
    more than a twentieth of the time, and once at the end. A resumed run starts with the curves
    in ``metrics``, so the plot always shows the whole run.

    Args:
        path: the PNG, written atomically.
        metrics: the run's metrics file; by default ``metrics.jsonl`` next to the PNG.
        clock: a monotonic clock, in seconds.
    """

    def __init__(
        self,
        path: Path,
        metrics: Path | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.path = path
        self.metrics = path.with_name("metrics.jsonl") if metrics is None else metrics
        self._clock = clock
        self._title = ""
        self._per_epoch: float | None = None
        self._training, self._validation, self._rate = Series(), Series(), Series()
        self._next_drawing = -math.inf

    def __call__(self, event: Event) -> None:
        """Add the points of ``event``; draw if due."""
        match event:
            case Started():
                self._begin(event)
            case Iterated():
                self._training.add(self._x(event.iteration), event.loss)
                self._rate.add(self._x(event.iteration), event.rate)
            case Tested(net=0):
                self._validation.add(self._x(event.iteration), test_loss(event))
                self._draw_if_due()
            case Snapshotted():
                self._draw_if_due()
            case Stopped() | Failed():
                self.draw()
            case _:
                pass

    def draw(self) -> None:
        """Write the PNG now, if there are points."""
        if self._training.x or self._validation.x:
            write_atomic(self.path, self._picture())

    def _picture(self) -> bytes:
        return draw_losses(
            f"{self._title or 'Training'}: loss",
            "iteration" if self._per_epoch is None else "epoch",
            *((curve.x, curve.y) for curve in (self._training, self._validation, self._rate)),
        )

    def _begin(self, event: Started) -> None:
        self._title, self._per_epoch = event.net, event.per_epoch
        self._next_drawing = self._clock() + _SECONDS_BETWEEN_DRAWINGS
        for line in read_metrics(self.metrics):
            if line["iteration"] >= event.iteration:
                continue
            x = self._x(line["iteration"])
            if line["event"] == "iterated":
                self._training.add(x, line["loss"])
                self._rate.add(x, line["lr"])
            elif line["event"] == "tested" and line["net"] == 0:
                self._validation.add(x, line["loss"])

    def _x(self, iteration: int) -> float:
        return iteration if self._per_epoch is None else iteration / self._per_epoch

    def _draw_if_due(self) -> None:
        began = self._clock()
        if began < self._next_drawing:
            return
        self.draw()
        cost = self._clock() - began
        pause = max(_SECONDS_BETWEEN_DRAWINGS, cost / _GREATEST_SHARE_OF_TIME)
        self._next_drawing = began + pause
