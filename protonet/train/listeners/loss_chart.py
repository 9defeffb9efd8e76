"""The figure of loss.png. Its axes and ticks stay from one drawing to the next, which then takes
half the time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from itertools import accumulate
from threading import Lock
from typing import Any

from protonet.formats.pictures import new_figure, picture_bytes

Curve = tuple[Sequence[float], Sequence[float]]
"""The x and the y of its points."""

NOISY = 60
"""The most points of a curve that is drawn as it is, and whose points are marked."""
_LOG_DECADES = 1.5
# Every text has its place, so that none is measured before it is drawn, which takes as long as
# drawing it: the axes in the figure, which leave room for numbers such as 0.000175, and beside them
# the labels and the title, in shares of the axes.
_INSIDE = (0.12, 0.11, 0.89, 0.935)
_LOSS_AT, _RATE_AT, _X_AT, _TITLE_AT = (-0.105, 0.5), (1.108, 0.5), (0.5, -0.07), 1.012
_TRAIN, _VALIDATION, _RATE = "#1f6fb4", "#d95f02", "#8c8c8c"


class LossChart:
    """Losses on the left, the learning rate on the right."""

    def __init__(self) -> None:
        self._figure = new_figure(8, 4.8, inside=_INSIDE)
        self._axes = axes = self._figure.add_subplot()
        self._behind = behind = axes.twinx()
        axes.set_zorder(behind.get_zorder() + 1)
        axes.patch.set_visible(False)
        axes.set_ylabel("loss")
        axes.xaxis.set_label_coords(*_X_AT)
        axes.yaxis.set_label_coords(*_LOSS_AT)
        axes.grid(color="#000000", alpha=0.1, linewidth=0.6)
        axes.set_axisbelow(True)
        axes.spines["top"].set_visible(False)
        behind.spines[["top", "right"]].set_visible(False)
        behind.tick_params(axis="y", colors=_RATE, length=0, labelsize="small")
        behind.set_ylabel("learning rate", color=_RATE)
        behind.yaxis.set_label_coords(*_RATE_AT)
        (self._raw,) = axes.plot([], [], color=_TRAIN, alpha=0.25, linewidth=0.8)
        (self._training,) = axes.plot([], [], color=_TRAIN, label="training loss")
        (self._validation,) = axes.plot(
            [], [], color=_VALIDATION, markersize=4, label="validation loss"
        )
        (self._rate,) = behind.step(
            [], [], where="post", color=_RATE, linewidth=1, linestyle=":", label="learning rate"
        )

    def draw(self, title: str, unit: str, training: Curve, validation: Curve, rate: Curve) -> bytes:
        """The picture as PNG bytes, 1280 x 768 pixels.

        Args:
            title: above the axes.
            unit: of x, which all curves share.
            training: the losses; many are drawn smoothed, and themselves pale behind.
            validation: the losses; few are marked.
            rate: the learning rates.
        """
        axes, behind = self._axes, self._behind
        axes.set_title(title, loc="left", y=_TITLE_AT, pad=0, fontweight="bold")
        axes.set_xlabel(unit)
        is_log = reads_better_as_log([*training[1], *validation[1]])
        _scale(axes, is_log=is_log)
        _scale(behind, is_log=reads_better_as_log(rate[1]))
        is_noisy = len(training[1]) > NOISY
        smoothing = smooth_as_log if is_log else smooth
        self._raw.set_data(*(training if is_noisy else ((), ())))
        self._training.set_data(training[0], smoothing(training[1]) if is_noisy else training[1])
        self._validation.set_data(*validation)
        self._validation.set_marker("o" if len(validation[1]) <= NOISY else "")
        self._rate.set_data(*rate)
        behind.tick_params(axis="y", labelright=bool(rate[1]))
        for each in (axes, behind):
            each.relim()
            each.autoscale()
        lines = (self._training, self._validation, self._rate)
        curves = (training, validation, rate)
        shown = [line for line, curve in zip(lines, curves, strict=True) if curve[1]]
        axes.legend(handles=shown, edgecolor="none", loc="upper right")
        return picture_bytes(self._figure, "png")


_DRAWING = Lock()


def draw_losses(title: str, unit: str, training: Curve, validation: Curve, rate: Curve) -> bytes:
    """``LossChart.draw`` of the one chart of this process; trainings on threads take turns."""
    with _DRAWING:
        return _chart().draw(title, unit, training, validation, rate)


@cache
def _chart() -> LossChart:
    return LossChart()


def _scale(axes: Any, *, is_log: bool) -> None:
    scale = "log" if is_log else "linear"
    if axes.get_yscale() != scale:
        axes.set_yscale(scale)


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
