"""Comparison of several trainings on one chart."""

from __future__ import annotations

from tests.web.browser import OPTIONS, Walker
from tests.web.conftest import NET, Served


def test_curves_of_two_trainings(walker: Walker, server: Served) -> None:
    form = {"name": "second", "network": NET, "dataset": server.dataset, "epochs": 2}
    other = server.call("/api/models", form)[0]["id"]
    server.wait(other)
    walker.goto(f"/compare?jobs={server.training},{other}")
    page = walker.page
    page.locator(".chart canvas").wait_for()
    page.wait_for_function(f"{OPTIONS}[0].series.length == 2")
    page.get_by_label("What").click()
    page.get_by_role("option", name="Validation loss").click()
    page.get_by_text("Log scale").click()
    page.wait_for_timeout(300)
    walker.goto("/compare?jobs=nope")
    walker.sees("there is no job 'nope'")
