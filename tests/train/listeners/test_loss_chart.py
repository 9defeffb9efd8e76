"""The chart of losses: what it shows, and that one drawing leaves nothing to the next."""

from __future__ import annotations

import gc
import io
import math
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image

from protonet.train.listeners.loss_chart import (
    Curve,
    LossChart,
    draw_losses,
    reads_better_as_log,
    smooth,
    smooth_as_log,
)

NONE: Curve = ((), ())
FALLING: Curve = (range(9), [math.exp(-x) for x in range(9)])
LEVEL: Curve = (range(0, 9, 4), [1.0, 0.9, 0.95])
LONG: Curve = (range(100), [1.0 + x % 2 for x in range(100)])
RATE: Curve = ([0, 4, 8], [0.1, 0.1, 0.01])
STEEP: Curve = ([0, 4, 8], [0.1, 0.001, 1e-5])
DRAWN: tuple[tuple[str, str, Curve, Curve, Curve], ...] = (
    ("falling: loss", "epoch", FALLING, LEVEL, STEEP),
    ("level: loss", "iteration", LEVEL, LEVEL, RATE),
    ("noisy: loss", "iteration", LONG, LONG, NONE),
    ("tested: loss", "iteration", NONE, LEVEL, NONE),
    ("again: loss", "epoch", FALLING, NONE, STEEP),
)


def test_a_chart_draws_what_a_new_one_draws() -> None:
    """Scales, ticks, marks, legend and texts of other curves are gone."""
    chart = LossChart()
    for each in DRAWN:
        assert chart.draw(*each) == LossChart().draw(*each)


def test_trainings_on_threads_draw_their_own() -> None:
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda each: draw_losses(*each), DRAWN * 2))
    assert found == [LossChart().draw(*each) for each in DRAWN] * 2


def test_the_picture_is_a_png() -> None:
    with Image.open(io.BytesIO(draw_losses(*DRAWN[0]))) as image:
        assert (image.format, image.size) == ("PNG", (1280, 768))


def test_there_is_one_figure_for_all_drawings() -> None:
    """A training draws for days: figures that pile up are memory that grows with iterations."""
    from matplotlib.figure import Figure

    def figures() -> int:
        return sum(isinstance(each, Figure) for each in gc.get_objects())

    draw_losses(*DRAWN[0])
    before = figures()
    gc.disable()
    try:
        for each in DRAWN:
            draw_losses(*each)
        assert figures() == before
    finally:
        gc.enable()


@pytest.mark.parametrize(
    ("values", "better"),
    [
        ([], False),
        ([1.0, 0.0, 100.0], False),
        ([1.0, -1.0], False),
        ([1.0, 31.0], False),
        ([1.0, 32.0], True),
    ],
)
def test_log_scale_from_one_and_a_half_decades(values: list[float], better: bool) -> None:
    assert reads_better_as_log(values) is better


def test_smoothing_keeps_straight_lines_and_evens_out_noise() -> None:
    line = [float(x) for x in range(81)]
    assert smooth(line)[:-2] == pytest.approx(line[:-2])
    assert smooth(line)[-1] == pytest.approx(79.0)
    noise = [float(x % 2) for x in range(200)]
    assert max(abs(value - 0.5) for value in smooth(noise)[10:-10]) < 0.1


def test_smoothing_for_a_log_scale_keeps_exponential_decay() -> None:
    decay = [10.0 ** (-step / 50) for step in range(400)]
    assert smooth_as_log(decay)[:-10] == pytest.approx(decay[:-10])
