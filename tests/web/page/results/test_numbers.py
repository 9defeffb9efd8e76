"""Numbers on the page: charts of errors, and the images that are farthest off."""

from __future__ import annotations

from tests.web.browser import Walker
from tests.web.conftest import Served


def test_many(walker: Walker, server: Served) -> None:
    page = walker.page
    walker.goto(f"/jobs/{server.training}")
    page.get_by_role("button", name="Test many").click()
    walker.sees("Farthest off: 1 to")
    assert page.locator(".charts canvas").count() == 4
    walker.sees("output[1]: RMSE")
    page.get_by_label("Show", exact=True).click()
    page.get_by_role("option", name="All images in their order").click()
    walker.sees("All images: 1 to")


def test_a_folder_whose_numbers_are_not_known(walker: Walker, server: Served) -> None:
    page = walker.page
    walker.goto(f"/jobs/{server.training}")
    walker.sees("Test many")
    page.get_by_label("Images", exact=True).fill(f"jobs/{server.dataset}/data")
    page.get_by_role("button", name="Test many").click()
    walker.sees("All images: 1 to 3 of 3")
    assert page.locator(".images figure").count() == 3
    walker.sees("predicted ")
