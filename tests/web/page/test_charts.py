"""Options of charts: axes, gaps on a logarithmic axis, zoom."""

from __future__ import annotations

import json

from protonet.web.page import charts


def test_curves_on_two_axes() -> None:
    option = charts.curves(
        {"loss": [(0, 1.0), (1, 0.5)]}, right={"rate": [(0, 0.1)]}, right_name="rate", y="loss"
    )
    left, right = option["series"]
    assert left["data"] == [[0, 1.0], [1, 0.5]]
    assert right["yAxisIndex"] == 1
    assert [axis["name"] for axis in option["yAxis"]] == ["loss", "rate"]
    json.dumps(option)


def test_a_logarithm_needs_positive_values() -> None:
    option = charts.curves({"loss": [(0, 0.0), (1, -1.0), (2, None), (3, 2.0)]}, log=True)
    assert option["series"][0]["data"] == [[0, None], [1, None], [2, None], [3, 2.0]]
    assert option["yAxis"][0]["type"] == "log"


def test_zoom_can_be_left_out() -> None:
    assert charts.curves({}, zoom=False)["dataZoom"] == []
    assert len(charts.curves({})["dataZoom"]) == 2


def test_bars_and_points() -> None:
    option = charts.histogram([3, 1], [0.0, 1.0, 2.0], name="x")
    assert option["xAxis"]["data"] == ["0.5", "1.5"]
    option = charts.histogram([3, 1], [-0.5, 0.5, 1.5], bars=["cat"])
    assert option["xAxis"]["data"] == ["cat", "1"]
    option = charts.scatter([(1.0, 2.0), (3.0, 0.0)], x="true", y="said")
    assert option["series"][1]["data"] == [[0.0, 0.0], [3.0, 3.0]]
    assert charts.scatter([], x="", y="")["series"][0]["data"] == []
