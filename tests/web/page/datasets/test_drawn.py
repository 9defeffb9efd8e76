"""Drawn data sets on the page."""

from __future__ import annotations

from tests.web.browser import Walker


def test_half_an_image_is_none(walker: Walker) -> None:
    walker.goto("/datasets/new")
    walker.page.get_by_label("Images", exact=True).fill("2.5")
    walker.page.get_by_role("button", name="Create data set").first.click()
    walker.sees("count: Input should be a valid integer")
