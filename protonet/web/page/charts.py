"""Charts as ECharts options: curves of trainings, schedules, histograms, points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from itertools import pairwise
from typing import Any

TRAIN, VALIDATION, RATE = "#1f6fb4", "#d95f02", "#8c8c8c"
PALETTE = ("#1f6fb4", "#d95f02", "#2a9d5c", "#9b51b0", "#c9a227", "#c0392b", "#16808a", "#7a5c3e")

Points = Sequence[tuple[float, float | None]]


def curves(
    series: Mapping[str, Points],
    *,
    x: str = "iteration",
    y: str = "",
    log: bool = False,
    right: Mapping[str, Points] | None = None,
    right_name: str = "",
    dots: bool = False,
    zoom: bool = True,
    pale: Mapping[str, Points] | None = None,
) -> dict[str, Any]:
    """Curves over a common, zoomable axis; those of ``right`` have a second axis.

    Args:
        series: points by name.
        x: name of the x axis.
        y: name of the left axis.
        log: whether the left axis is logarithmic; values that are not positive are dropped.
        right: curves of another scale, such as the learning rate.
        right_name: name of the right axis.
        dots: whether each point is drawn.
        zoom: whether the chart can be zoomed, with a slider.
        pale: raw curves behind smoothed ones of the same names.
    """
    axes = [_axis(y, kind="log" if log else "value", scale=True, side="left")]
    if right:
        axes.append(_axis(right_name, scale=True, splitLine={"show": False}, side="right"))
    drawn = _curves_of_left(series, pale or {}, log=log, dots=dots)
    drawn += [_curve_of_right(*each) for each in (right or {}).items()]
    return {
        **BASE,
        "legend": {"top": 0, "type": "scroll", "textStyle": {"color": TEXT}},
        "grid": {**_GRID, "bottom": 56 if zoom else 24},
        "xAxis": _below(x, min="dataMin", max="dataMax", splitLine={"show": False}),
        "yAxis": axes,
        "tooltip": {"trigger": "axis", "confine": True},
        "dataZoom": _ZOOM if zoom else [],
        "series": drawn,
    }  # fmt: skip


def histogram(
    counts: Sequence[int], edges: Sequence[float], *, name: str = "", bars: Sequence[str] = ()
) -> dict[str, Any]:
    """Bars of counts between edges (one more edge than counts).

    ``bars`` are their names, by default the centers between edges.
    """
    centres = [f"{(a + b) / 2:.3g}" for a, b in pairwise(edges)]
    named = [*bars[: len(centres)], *centres[len(bars) :]]
    return {
        **BASE,
        "grid": {"left": 4, "right": 8, "top": 24, "bottom": 4, "containLabel": True},
        "title": {"text": name, "left": "center", "top": 0, "textStyle": _SMALL},
        "xAxis": _axis("", kind="category", data=named),
        "yAxis": _axis("", splitNumber=2),
        "tooltip": {"trigger": "axis", "confine": True},
        "series": [{"type": "bar", "data": list(counts), "barCategoryGap": "5%",
                    "itemStyle": {"color": TRAIN}}],
    }  # fmt: skip


def bars(
    names: Sequence[str], series: Sequence[tuple[str, Sequence[float]]], *, y: str = ""
) -> dict[str, Any]:
    """Bars of several series side by side, a group for each name."""
    colors = (TRAIN, VALIDATION)
    return {
        **BASE,
        "legend": {"top": 0, "textStyle": {"color": TEXT}},
        "grid": {"left": 8, "right": 8, "top": 44, "bottom": 4, "containLabel": True},
        "xAxis": _axis("", kind="category", data=list(names)),
        "yAxis": _axis(y, splitNumber=3, nameTextStyle={"color": TEXT, "align": "left"}),
        "tooltip": {"trigger": "axis", "confine": True},
        "series": [
            {"type": "bar", "name": name, "data": list(values), "itemStyle": {"color": color}}
            for (name, values), color in zip(series, colors, strict=False)
        ],
    }


def scatter(points: Sequence[tuple[float, float]], *, x: str, y: str) -> dict[str, Any]:
    """Points, with the diagonal on which both values are equal."""
    values = [value for point in points for value in point]
    least, most = (min(values), max(values)) if values else (0.0, 1.0)
    return {
        **BASE,
        "grid": {"left": 8, "right": 16, "top": 36, "bottom": 24, "containLabel": True},
        "xAxis": _below(x, scale=True),
        "yAxis": _axis(y, scale=True),
        "tooltip": {"trigger": "item", "confine": True},
        "series": [
            {"type": "scatter", "data": [list(point) for point in points], "symbolSize": 5,
             "itemStyle": {"color": TRAIN, "opacity": 0.6}, "large": True},
            {"type": "line", "data": [[least, least], [most, most]], "symbol": "none",
             "silent": True, "lineStyle": {"color": RATE, "type": "dashed", "width": 1}},
        ],
    }  # fmt: skip


def confusion(
    classes: Sequence[str], cells: Sequence[tuple[int, int, int]], what: str = "images"
) -> dict[str, Any]:
    """What is counted by (true class, predicted class) as colors of shares of the true class; a
    point's data begin with the predicted and the true class. Images are told by their number,
    anything else by its share.
    """
    totals = [0] * len(classes)
    for truth, _, count in cells:
        totals[truth] += count
    data = []
    for truth, said, count in cells:
        share = count / totals[truth]
        name = str(count) if what == "images" else f"{share:.1%}"
        told = f"{count:,} {what}, {share:.2%} of {escape(classes[truth])}"
        data.append({"value": [said, truth, share], "name": name, "told": told})
    names = [name if len(name) <= 24 else f"{name[:22]}..." for name in classes]
    numbers = {"show": len(classes) <= 20, "formatter": "{b}", "color": "inherit"}
    label = {"color": TEXT, "hideOverlap": True}
    return {
        **BASE,
        "grid": {"left": 8, "right": 16, "top": 8, "bottom": 8, "containLabel": True},
        "xAxis": {"type": "category", "data": names, "axisLabel": {**label, "rotate": 60}},
        "yAxis": {"type": "category", "data": names, "inverse": True, "axisLabel": label},
        "visualMap": {"min": 0, "max": 1, "show": False, "dimension": 2,
                      "inRange": {"color": ["#dbe9f6", "#08306b"]}},
        "tooltip": {"confine": True,
                    ":formatter": "p => p.data.told"},
        "series": [{"type": "heatmap", "data": data, "label": numbers,
                    "emphasis": {"itemStyle": {"borderColor": VALIDATION, "borderWidth": 2}}}],
    }  # fmt: skip


_SHORT = {
    ":formatter": "v => v && (Math.abs(v) >= 1e6 || Math.abs(v) < 1e-3)"
    " ? v.toExponential(3).replace(/\\.?0+e/, 'e') : +v.toPrecision(6)"
}
"""Formatter of short numbers on axes, as JavaScript."""
TEXT, _LINES = "#7f8a97", "#8c98a633"  # readable on white and on black

_GRID = {"left": 8, "right": 16, "top": 52, "containLabel": True}
_ZOOM = [
    {"type": "inside", "filterMode": "none"},
    {"type": "slider", "height": 18, "bottom": 4, "filterMode": "none"},
]
_SMALL = {"fontSize": 12, "fontWeight": "normal", "color": TEXT}
BASE: dict[str, Any] = {
    "animation": False,
    "backgroundColor": "transparent",
    "textStyle": {"fontFamily": "system-ui, sans-serif", "color": TEXT},
}


def _axis(
    name: str, *, kind: str = "value", side: str | None = None, **more: Any
) -> dict[str, Any]:
    """An axis. A name that is not at a ``side`` is centred over it, and cut at the chart's edge."""
    return {
        "type": kind,
        "name": name,
        "axisLabel": {"color": TEXT, "hideOverlap": True} | (_SHORT if kind != "category" else {}),
        "nameTextStyle": {"color": TEXT} | ({} if side is None else {"align": side}),
        "axisLine": {"lineStyle": {"color": TEXT}},
        "splitLine": {"lineStyle": {"color": _LINES}},
        **more,
    }


def _below(name: str, **more: Any) -> dict[str, Any]:
    """An x axis with a centered name."""
    return _axis(name, nameLocation="middle", nameGap=24, **more)


def _curves_of_left(
    series: Mapping[str, Points], pale: Mapping[str, Points], *, log: bool, dots: bool
) -> list[dict[str, Any]]:
    """Curves of the left axis, in different colors as far as possible; raw ones behind them."""
    drawn = [
        _curve(name, points, PALETTE[index % len(PALETTE)], log=log, dots=dots)
        for index, (name, points) in enumerate(series.items())
    ]
    return [
        _pale(each, pale[each["name"]], log=log) for each in drawn if each["name"] in pale
    ] + drawn


def _pale(smoothed: dict[str, Any], points: Points, *, log: bool) -> dict[str, Any]:
    """The raw curve of a smoothed one: behind it, without an entry in the legend of its own."""
    drawn = _curve(smoothed["name"], points, smoothed["color"], log=log)
    return {**drawn, "showSymbol": False, "silent": True, "tooltip": {"show": False},
            "lineStyle": {"width": 1, "opacity": 0.3}}  # fmt: skip


def _curve_of_right(name: str, points: Points) -> dict[str, Any]:
    """A curve of the right axis that changes in steps, such as a rate."""
    return {
        **_curve(name, points, RATE),
        "yAxisIndex": 1,
        "step": "end",
        "lineStyle": {"type": "dotted", "width": 1.5},
    }


def _curve(
    name: str, points: Points, color: str, *, log: bool = False, dots: bool = False
) -> dict[str, Any]:
    shown = [
        [x, y if y is not None and (y > 0 or not log) else None]
        for x, y in points
    ]  # fmt: skip
    return {
        "type": "line",
        "name": name,
        "data": shown,
        "showSymbol": dots or len(shown) < 3,
        "symbolSize": 5,
        "connectNulls": True,
        "color": color,
        "lineStyle": {"width": 1.5},
    }
