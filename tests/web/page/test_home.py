"""The first page leads on."""

from __future__ import annotations

from tests.web.browser import Walker
from tests.web.conftest import Served


def test_it_leads_to_every_step(walker: Walker, server: Served) -> None:
    for button, path in (("New data set", "/datasets/new"), ("New model", "/models/new"),
                         ("All jobs", "/jobs")):  # fmt: skip
        walker.goto("/")
        newest = server.call("/api/jobs")[0]["name"]  # whatever other tests have added
        walker.page.get_by_role("link", name=newest, exact=True).first.wait_for()
        walker.page.get_by_role("button", name=button).click()
        walker.page.wait_for_url(f"**{path}")
