"""A chart shows what it is told, and other options later."""

from __future__ import annotations

import math

from nicegui import json

from protonet.web.page.chart import as_json
from protonet.web.page.charts import curves
from tests.web.browser import OPTIONS, Walker
from tests.web.conftest import Served


def test_options_are_sent_as_they_are() -> None:
    points = [(0.0, 1.5), (1.0, math.nan), (2.0, None)]
    sent = json.loads(json.dumps({"options": as_json(curves({"loss": points}))}))["options"]
    assert sent["series"][0]["data"] == [[0, 1.5], [1, None], [2, None]]
    assert sent["xAxis"]["name"] == "iteration"


def test_other_options_are_drawn(walker: Walker, server: Served) -> None:
    """The axis of the curves changes with the choice of it."""
    page = walker.page
    walker.goto(f"/jobs/{server.training}")
    page.wait_for_function(f"{OPTIONS}[0]?.xAxis[0].name == 'iteration'")
    page.get_by_role("button", name="Time").click()
    page.wait_for_function(f"{OPTIONS}[0]?.xAxis[0].name != 'iteration'")
