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
    compare = page.get_by_role("button", name="Compare")
    assert compare.is_disabled()
    page.get_by_label("Choose to compare").first.click()
    other = server.call("/api/models", {**form, "name": "newcomer"})[0]["id"]
    page.get_by_label("Choose newcomer").first.click()
    server.wait(other)
    page.locator(".job", has_text="newcomer").get_by_text("done").wait_for()
    assert page.locator(".job input:checked").count() == 2  # they stay chosen
    assert page.get_by_role("link", name="newcomer").count() == 1
    compare.click()
    page.wait_for_url(f"**/compare?jobs={other},{first}")


def test_the_filter_may_be_in_the_address(walker: Walker, server: Served) -> None:
    walker.goto("/jobs?name=FIRS&status=done,nonsense")
    page = walker.page
    page.get_by_role("link", name="first").wait_for()
    assert page.get_by_label("Name contains").first.input_value() == "FIRS"
    walker.goto("/jobs?status=error&name=first")
    walker.sees("None match the filter.")
