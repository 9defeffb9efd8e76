"""Parallel coordinates: a line for each training over its settings and best values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from protonet.jobs.comparison.paths import is_path
from protonet.jobs.comparison.table import Table, setting_text
from protonet.web.page.charts import BASE, TEXT

_WIDE = 100.0
"""From this ratio of the extremes on, an axis is logarithmic."""
_COLORS = ["#1f6fb4", "#2a9d5c", "#c9a227", "#c0392b"]
"""From the best value to the worst."""


def parallel(table: Table) -> dict[str, Any]:
    """The chart's options; lines have the colors of the last output with a known direction."""
    columns: list[tuple[str, list[Any]]] = [
        (name, values)
        for name in table.settings
        if not _has_paths(values := [row.settings.get(name) for row in table.rows])
    ]
    for name in table.outputs:
        best = [row.best.get(name) for row in table.rows]
        columns.append((name, [None if each is None else each.value for each in best]))
    axes: list[dict[str, Any]] = []
    lines: list[list[Any]] = [[] for _ in table.rows]
    for place, (name, values) in enumerate(columns):
        axis, shown = _axis(place, name, values)
        axes.append(axis)
        for line, value in zip(lines, shown, strict=True):
            line.append(value)
    named = [{"name": row.name, "value": line} for row, line in zip(table.rows, lines, strict=True)]
    return {
        **BASE,
        "parallelAxis": axes,
        "parallel": {"left": 48, "right": 90, "top": 44, "bottom": 20},
        "tooltip": {"confine": True},
        "series": [{"type": "parallel", "data": named, "smooth": False,
                    "lineStyle": {"width": 2, "opacity": 0.7}}],
        **_colored(table, len(columns) - len(table.outputs)),
    }  # fmt: skip


def _has_paths(values: Sequence[Any]) -> bool:
    """Whether there are files among the values: too long for an axis; the table has them."""
    return any(map(is_path, values))


def _axis(place: int, name: str, values: Sequence[Any]) -> tuple[dict[str, Any], list[Any]]:
    """An axis, and the values on it: numbers, or texts as categories."""
    axis: dict[str, Any] = {
        "dim": place, "name": name, "nameLocation": "end", "nameGap": 14,
        "nameTextStyle": {"color": TEXT},
        "axisLabel": {"color": TEXT, "width": 80, "overflow": "truncate"},
    }  # fmt: skip
    known = [value for value in values if value is not None]
    numeric = all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in known)
    if known and numeric:
        wide = min(known) > 0 and max(known) / min(known) >= _WIDE
        return {**axis, "type": "log" if wide else "value", "scale": True}, list(values)
    texts = [setting_text(value) or "none" for value in values]
    return {**axis, "type": "category", "data": list(dict.fromkeys(texts))}, texts


def _colored(table: Table, settings: int) -> dict[str, Any]:
    """Colors by the last output of which the better values are known; so many axes are settings."""
    for name in reversed(table.outputs):
        values = [row.best[name].value for row in table.rows if name in row.best]
        way = table.way(name)
        if way is None or not values or min(values) == max(values):
            continue
        colors = _COLORS if way == "lowest" else _COLORS[::-1]
        dimension = settings + table.outputs.index(name)
        return {"visualMap": {"show": False, "dimension": dimension, "min": min(values),
                              "max": max(values), "inRange": {"color": colors}}}  # fmt: skip
    return {}
