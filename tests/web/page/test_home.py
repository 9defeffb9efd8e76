"""The first page leads on."""

from __future__ import annotations

from tests.web.browser import Walker


def test_it_leads_to_every_step(walker: Walker) -> None:
    for button, path in (("New data set", "/datasets/new"), ("New model", "/models/new"),
                         ("All jobs", "/jobs")):  # fmt: skip
        walker.goto("/")
        walker.sees("first")  # the last jobs
        walker.page.get_by_role("button", name=button).click()
        walker.page.wait_for_url(f"**{path}")
