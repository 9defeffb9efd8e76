"""The list of models, and the way to a new one."""

from __future__ import annotations

from tests.web.browser import Walker


def test_the_list(walker: Walker) -> None:
    walker.goto("/models")
    walker.page.get_by_role("link", name="first").first.wait_for()
    walker.page.get_by_role("button", name="New model").click()
    walker.page.wait_for_url("**/models/new")
