"""The list of jobs follows what happens."""

from __future__ import annotations

from tests.web.browser import Walker
from tests.web.conftest import NET, Served


def test_jobs_come_by_themselves_and_can_be_compared(walker: Walker, server: Served) -> None:
    page = walker.page
    form = {"name": "to compare", "network": NET, "dataset": server.dataset, "epochs": 1}
    first = server.call("/api/models", form)[0]["id"]
    server.wait(first)
    walker.goto("/jobs")
    assert page.get_by_role("button", name="Compare").is_disabled()
    server.wait(server.call("/api/models", {**form, "name": "newcomer"})[0]["id"])
    walker.sees("newcomer")
    boxes = page.get_by_role("checkbox")
    boxes.nth(0).click()
    boxes.nth(1).click()
    page.get_by_role("button", name="Compare").click()
    page.wait_for_url("**/compare?jobs=*")
