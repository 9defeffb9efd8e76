from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from protonet.train import events
from protonet.train.listeners import LossPlot, Metrics
from protonet.train.listeners.plot import Series

TRAINING_BLUE = (0x1F, 0x6F, 0xB4)
VALIDATION_ORANGE = (0xD9, 0x5F, 0x02)


def pixels_near(path: Path, color: tuple[int, int, int]) -> int:
    """How many pixels of the picture have about this colour."""
    with Image.open(path) as image:
        found = np.asarray(image.convert("RGB")).astype(int)
    return int((abs(found - color).max(axis=2) < 12).sum())


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def validated(iteration: int, loss: float, net: int = 0) -> events.Tested:
    return events.Tested(iteration, net, (events.Output("loss", loss, 1.0),))


def displayed(iteration: int, loss: float) -> events.Iterated:
    return events.Iterated(iteration, loss, 0.01, (), 1, 0.1)


def test_the_picture_shows_both_losses(tmp_path: Path) -> None:
    path = tmp_path / "loss.png"
    plot = LossPlot(path)
    plot(events.Started("seed", 0, 40, 10))
    for iteration in range(40):
        plot(displayed(iteration, 1 / (1 + iteration)))
    plot(events.Stopped(40, interrupted=False))
    assert pixels_near(path, TRAINING_BLUE) > 300
    assert pixels_near(path, VALIDATION_ORANGE) == 0
    plot(validated(0, 0.9))
    plot(validated(40, 0.3))
    plot.draw()
    assert pixels_near(path, VALIDATION_ORANGE) > 300
    with Image.open(path) as image:
        assert image.size == (1280, 768)
    assert [entry.name for entry in tmp_path.iterdir()] == ["loss.png"]


def test_a_long_noisy_curve_is_drawn_smoothed(tmp_path: Path) -> None:
    path = tmp_path / "loss.png"
    plot = LossPlot(path)
    plot(events.Started("", 0, 400))
    for iteration in range(400):
        plot(displayed(iteration, 10.0 ** (-iteration / 100) * (1 + iteration % 2)))
        plot(events.Iterated(iteration, float("nan"), 10.0 ** (-iteration // 100), (), 1, 0.1))
    plot(events.Failed(400, "the loss is nan"))
    assert pixels_near(path, TRAINING_BLUE) > 300


def test_without_points_there_is_no_picture(tmp_path: Path) -> None:
    plot = LossPlot(tmp_path / "loss.png")
    plot(events.Started("seed", 0, 40, 10))
    plot(events.Concluded(40, 0.5))
    plot(events.Stopped(0, interrupted=True))
    assert list(tmp_path.iterdir()) == []


def test_of_several_test_nets_the_first_is_drawn(tmp_path: Path) -> None:
    path = tmp_path / "loss.png"
    plot = LossPlot(path)
    plot(validated(0, 0.5, net=1))
    plot.draw()
    assert not path.exists()
    plot(validated(0, 0.5))
    assert pixels_near(path, VALIDATION_ORANGE) > 20


def test_it_draws_not_more_often_than_every_five_seconds(tmp_path: Path) -> None:
    path, clock = tmp_path / "loss.png", Clock()
    plot = LossPlot(path, clock=clock)
    plot(events.Started("seed", 0, 40))
    plot(displayed(0, 0.5))
    snapshot = events.Snapshotted(1, tmp_path / "m", tmp_path / "s")
    for seconds, drawn in ((0, False), (4.9, False), (0.2, True), (4.9, False), (0.2, True)):
        path.unlink(missing_ok=True)
        clock.now += seconds
        plot(snapshot)
        assert path.exists() is drawn


def test_a_slow_drawing_is_repeated_seldom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    plot = LossPlot(tmp_path / "loss.png", clock=clock)
    drawn: list[float] = []

    def slow() -> None:
        drawn.append(clock.now)
        clock.now += 2.0

    monkeypatch.setattr(plot, "draw", slow)
    snapshot = events.Snapshotted(1, tmp_path / "m", tmp_path / "s")
    for _ in range(100):
        plot(snapshot)
        clock.now += 1.0
    assert drawn == [100.0, 140.0, 180.0]


def test_a_resumed_run_draws_what_was_before(tmp_path: Path) -> None:
    metrics = Metrics(tmp_path / "metrics.jsonl")
    for event in (events.Started("seed", 0, 40, 10), displayed(1, 0.75), validated(10, 0.5)):
        metrics(event)
    metrics(events.Snapshotted(10, tmp_path / "m", tmp_path / "s"))
    metrics(displayed(20, 99.0))
    metrics.close()
    resumed = LossPlot(tmp_path / "loss.png")
    resumed(events.Started("seed", 20, 40, 10))
    resumed(displayed(20, 0.25))
    assert (resumed._training.x, resumed._training.y) == ([0.1, 2.0], [0.75, 0.25])
    assert (resumed._validation.x, resumed._validation.y) == ([1.0], [0.5])
    assert resumed._rate.y == [0.01, 0.01]


def test_a_series_stays_short_and_even() -> None:
    series = Series(most=10)
    for x in range(1000):
        series.add(x, float(x))
    series.add(1000, None)
    series.add(1000, float("inf"))
    assert 5 <= len(series.x) <= 10
    assert set(np.diff(series.x)) == {128}
    assert series.x == series.y


def test_matplotlib_is_imported_only_to_draw() -> None:
    program = (
        "import sys, protonet.train.listeners;"
        "print(sorted({'matplotlib', 'rich', 'numpy', 'PIL'} & set(sys.modules)))"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert found.stdout == "[]\n"
