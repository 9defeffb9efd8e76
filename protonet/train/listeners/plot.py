"""loss.png: losses and learning rate of a whole run."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable, Sequence
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

from protonet.formats.atomic import write_atomic
from protonet.formats.pictures import new_figure, picture_bytes
from protonet.train.events import Event, Failed, Iterated, Snapshotted, Started, Stopped, Tested
from protonet.train.listeners.metrics import read_metrics, test_loss

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SECONDS_BETWEEN_DRAWINGS = 5.0
_GREATEST_SHARE_OF_TIME = 0.05
_LOG_DECADES = 1.5
_MOST_POINTS = 1000
_NOISY = 60
# Every text has its place, so that none is measured before it is drawn, which takes as long as
# drawing it: the axes in the figure, which leave room for numbers such as 0.000175, and beside them
# the labels and the title, in shares of the axes.
_INSIDE = (0.12, 0.11, 0.89, 0.935)
_LOSS_AT, _RATE_AT, _X_AT, _TITLE_AT = (-0.105, 0.5), (1.108, 0.5), (0.5, -0.07), 1.012
_TRAIN, _VALIDATION, _RATE = "#1f6fb4", "#d95f02", "#8c8c8c"


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
            write_atomic(self.path, self._render())
            # Figures are reference cycles with megabytes of pixels: dozens would accumulate before
            # the garbage collector runs.
            gc.collect()

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

    def _render(self) -> bytes:
        """The picture as PNG bytes, 1280 x 768 pixels."""
        figure = new_figure(8, 4.8, inside=_INSIDE)
        axes = figure.add_subplot()
        behind = axes.twinx()
        axes.set_zorder(behind.get_zorder() + 1)
        axes.patch.set_visible(False)
        lines = [*self._draw_losses(axes), *self._draw_rate(behind)]
        axes.set_title(
            f"{self._title or 'Training'}: loss", loc="left", y=_TITLE_AT, pad=0, fontweight="bold"
        )
        axes.set_xlabel("iteration" if self._per_epoch is None else "epoch")
        axes.set_ylabel("loss")
        axes.xaxis.set_label_coords(*_X_AT)
        axes.yaxis.set_label_coords(*_LOSS_AT)
        axes.grid(color="#000000", alpha=0.1, linewidth=0.6)
        axes.set_axisbelow(True)
        axes.spines["top"].set_visible(False)
        axes.legend(handles=lines, edgecolor="none", loc="upper right")
        return picture_bytes(figure, "png")

    def _draw_losses(self, axes: Axes) -> list[Any]:
        train, validation = self._training, self._validation
        is_log = reads_better_as_log([*train.y, *validation.y])
        lines: list[Any] = []
        if train.y:
            shown = train.y
            if len(train.y) > _NOISY:
                axes.plot(train.x, train.y, color=_TRAIN, alpha=0.25, linewidth=0.8)
                shown = smooth_as_log(train.y) if is_log else smooth(train.y)
            lines += axes.plot(train.x, shown, color=_TRAIN, label="training loss")
        if validation.y:
            marker = "o" if len(validation.y) <= _NOISY else ""
            lines += axes.plot(
                validation.x,
                validation.y,
                color=_VALIDATION,
                marker=marker,
                markersize=4,
                label="validation loss",
            )
        if is_log:
            axes.set_yscale("log")
        return lines

    def _draw_rate(self, axes: Axes) -> list[Any]:
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(axis="y", colors=_RATE, length=0, labelsize="small")
        axes.set_ylabel("learning rate", color=_RATE)
        axes.yaxis.set_label_coords(*_RATE_AT)
        if not self._rate.y:
            axes.set_yticks([])
            return []
        if reads_better_as_log(self._rate.y):
            axes.set_yscale("log")
        return axes.step(
            self._rate.x,
            self._rate.y,
            where="post",
            color=_RATE,
            linewidth=1,
            linestyle=":",
            label="learning rate",
        )


def reads_better_as_log(values: Sequence[float]) -> bool:
    """Whether all values are positive and span more than one and a half decades."""
    if not values or min(values) <= 0:
        return False
    return math.log10(max(values)) - math.log10(min(values)) > _LOG_DECADES


def smooth(values: Sequence[float]) -> list[float]:
    """The running mean over a twentieth of the curve, as long as ``values``.

    The window grows from the first value on, so that a steep start is kept; at the end it covers
    the remaining values.
    """
    half = max(1, len(values) // 40)
    sums = list(accumulate(values, initial=0.0))
    means = []
    for index in range(len(values)):
        reach = min(half, index)
        first, end = index - reach, min(len(values), index + reach + 1)
        means.append((sums[end] - sums[first]) / (end - first))
    return means


def smooth_as_log(values: Sequence[float]) -> list[float]:
    """The running geometric mean of positive values, for a log scale."""
    return [math.exp(value) for value in smooth([math.log(value) for value in values])]
