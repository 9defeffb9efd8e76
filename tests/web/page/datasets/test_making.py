"""A data set that is being made, on its page."""

from __future__ import annotations

import re

from protonet.web.datasets.making import Making
from protonet.web.page.datasets.making import making_line
from protonet.web.store import RUN, WAIT, Job
from tests.web.browser import Walker
from tests.web.conftest import Served


def test_how_far_it_is_in_words() -> None:
    job = Job("x", "dataset", "x", status=RUN)
    assert making_line(None, job) == "Starts ..."
    assert making_line(None, Job("x", "dataset", "x", status=WAIT)) == "Waits for others to end."
    assert making_line(Making(1200, 5000, "images", 75.0), job) == (
        "1,200 of 5,000 images, 1 min 15 s left"
    )
    assert making_line(Making(0, 5, "images checked", None), job) == "0 of 5 images checked"


def test_counts_and_time_left_are_shown(walker: Walker, server: Served) -> None:
    form = {"name": "long", "width": 100, "height": 100, "count": 100_000}
    made = server.call("/api/datasets/shapes", form)
    walker.goto(f"/datasets/{made['id']}")
    walker.sees(re.compile(r"^[1-9][\d,]* of 120,000 images, .* left$"))
    told = server.call(f"/api/jobs/{made['id']}")["progress"]
    assert told["total"] == 120_000
    assert told["seconds_left"] > 0
    server.call(f"/api/jobs/{made['id']}/stop", {})
    walker.sees("Resume")
