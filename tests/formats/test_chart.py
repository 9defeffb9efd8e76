from __future__ import annotations

import io
import subprocess
import sys
from importlib.machinery import ModuleSpec
from math import hypot

import numpy as np
import pytest
from PIL import Image

from protonet.formats import chart
from protonet.formats.chart import Axis, Curve, chart_png

BLUE, ORANGE, GRAY = "#1f6fb4", "#d95f02", "#8c8c8c"
INSIDE = (slice(140, 680), slice(160, 1130))
"""The pixels between the axes, below the legend."""


def pixels(picture: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(picture)) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB")).astype(int)


def near(picture: np.ndarray, color: str) -> np.ndarray:
    wanted = [int(color[place : place + 2], 16) for place in (1, 3, 5)]
    return abs(picture - wanted).max(axis=2) < 12


def drawn(*curves: Curve, is_log: bool = False, right: Axis | None = None) -> np.ndarray:
    left = Axis("up", curves, is_log)
    return pixels(chart_png("A chart", "across", left, right or Axis("other", color=GRAY)))


def heights(picture: np.ndarray, color: str) -> np.ndarray:
    """The mean height of the pixels of a colour in each column between the axes."""
    found = near(picture, color)[INSIDE]
    columns = found.any(axis=0)
    rows = np.arange(len(found))[:, None]
    return (found * rows).sum(axis=0)[columns] / found.sum(axis=0)[columns]


@pytest.mark.parametrize("is_log", [False, True])
def test_a_line_is_straight_where_its_values_are_on_the_scale(is_log: bool) -> None:
    values = [10.0 ** (-place / 20) if is_log else 1 - place / 50 for place in range(50)]
    picture = drawn(Curve(range(50), values, BLUE), is_log=is_log)
    assert picture.shape == (768, 1280, 3)
    found = heights(picture, BLUE)[5:-5]
    slopes = np.diff(found)
    assert len(found) > 700
    assert slopes.mean() == pytest.approx(576 / 895, rel=0.02)
    assert abs(found - np.linspace(found[0], found[-1], len(found))).max() < 1.5


def test_points_are_marked_and_the_legend_names_curves() -> None:
    line = drawn(Curve([0, 1, 2], [0, 1, 0], BLUE, "a name"))
    marks = drawn(Curve([0, 1, 2], [0, 1, 0], BLUE, "a name", style="marks"))
    none = drawn(Curve([0, 1, 2], [0, 1, 0], BLUE))
    added = near(marks, BLUE) & ~near(line, BLUE)
    assert 3 * 15 < added[INSIDE].sum() + added[75:84].sum() < 4 * 70
    legend = slice(60, 100), slice(895, 1130)
    assert near(line, BLUE)[legend].sum() > 100
    assert near(none, BLUE)[legend].sum() < near(line, BLUE)[legend].sum() - 100
    assert near(line, "#000000")[legend].sum() > 50
    assert near(none, "#000000")[legend].sum() == 0


def test_the_right_axis_has_numbers_of_its_own() -> None:
    curve = Curve([0, 1, 2], [0, 1, 0], BLUE)
    rates = Curve([0, 1, 2], [0.1, 0.1, 0.01], GRAY, width=2, style="steps")
    right = slice(60, 690), slice(1144, 1240)
    assert near(drawn(curve), GRAY)[right].sum() == 0
    both = drawn(curve, right=Axis("other", [rates], color=GRAY))
    assert near(both, GRAY)[right].sum() > 100
    flat, steps = drawn(Curve([0, 2], [0, 0], BLUE)), near(both, GRAY)[INSIDE]
    assert near(flat, GRAY)[INSIDE].sum() == 0
    assert steps[:, -60:-30].any(axis=1).sum() > 150


def test_a_name_that_no_font_has_and_no_curve() -> None:
    assert (drawn() < 255).any()
    assert chart_png("网络 \N{GRINNING FACE}" * 50, "", Axis("", [Curve([], [], BLUE)]), Axis(""))


def test_steps_keep_the_height_as_far_as_the_next_point() -> None:
    assert chart._steps([(0, 5), (1, 5), (2, 3), (4, 3)]) == [(0, 5), (2, 5), (2, 3), (4, 3)]
    assert chart._steps([]) == []


def test_dots_are_evenly_spaced_around_corners() -> None:
    dots = chart._dots([(0, 0), (10, 0), (10, 7), (30, 7)])
    begins = [begin for begin, _ in dots]
    assert begins == [(0, 0), (6, 0), (10, 2), (11, 7), (17, 7), (23, 7), (29, 7)]
    assert all(hypot(end[0] - x, end[1] - y) <= 2 for (x, y), end in dots)


def test_without_the_font_of_matplotlib_there_is_another(monkeypatch: pytest.MonkeyPatch) -> None:
    chart._font.cache_clear()
    monkeypatch.setattr(chart, "find_spec", lambda name: ModuleSpec(name, None))
    picture = drawn(Curve([0, 1, 2], [0, 1, 0], BLUE, "a name"))
    chart._font.cache_clear()
    assert near(picture, "#000000")[60:100, 950:1130].sum() > 50


def test_neither_numpy_nor_matplotlib_is_imported() -> None:
    program = (
        "import sys; from protonet.formats.chart import *;"
        "chart_png('a', 'b', Axis('c', [Curve([0, 1], [1, 2], '#000000')]), Axis('d'));"
        "print(sorted({'matplotlib', 'numpy'} & set(sys.modules)))"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert found.stdout == "[]\n"
