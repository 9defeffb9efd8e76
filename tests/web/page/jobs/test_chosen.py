"""Choosing a few of many: the bar of actions follows."""

from __future__ import annotations

from tests.web.browser import Walker
from tests.web.conftest import NET, Served


def test_nothing_can_be_done_with_nothing(walker: Walker, server: Served) -> None:
    page = walker.page
    walker.goto("/models")
    walker.sees("0 chosen")
    names = ("Stop", "Group", "Delete", "Compare", "None")
    buttons = [page.get_by_role("button", name=name, exact=True) for name in names]
    assert all(button.is_disabled() for button in buttons)
    page.get_by_label("Choose first").first.click()
    walker.sees("1 chosen")
    assert [button.is_disabled() for button in buttons] == [False, False, False, True, False]
    page.get_by_role("button", name="None", exact=True).click()
    walker.sees("0 chosen")
    page.wait_for_function("() => !document.querySelector('.job input:checked')")
    assert page.locator(".job input:checked").count() == 0


def test_what_has_ended_is_not_stopped(walker: Walker, server: Served) -> None:
    form = {"name": "ended", "network": NET, "dataset": server.dataset, "epochs": 1}
    job = server.call("/api/models", form)[0]["id"]
    server.wait(job)
    walker.goto("/models?x")
    walker.page.get_by_label("Choose ended").first.click()
    walker.page.get_by_role("button", name="Stop").click()
    walker.sees("1 job not stopped:")
    walker.sees("'ended' has ended")
    server.call(f"/api/jobs/{job}", method="DELETE")
