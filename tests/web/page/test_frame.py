"""The bar: places, where one is, and light or dark, which is remembered."""

from __future__ import annotations

from tests.web.browser import Walker, wait_for
from tests.web.conftest import Served


def test_places_and_light(walker: Walker, server: Served) -> None:
    page = walker.page
    walker.goto("/jobs")
    assert page.locator('[aria-current="page"]').inner_text() == "Jobs"
    assert page.title() == "Jobs \u00b7 protonet"
    page.get_by_role("link", name="Models").click()
    page.wait_for_url("**/models")
    dark = "document.body.classList.contains('body--dark')"
    before = page.evaluate(dark)
    page.get_by_role("button", name="Light or dark").click()
    page.wait_for_function(f"{dark} !== {str(before).lower()}")
    walker.goto("/jobs")
    page.locator("h1").wait_for()
    page.wait_for_function(f"{dark} !== {str(before).lower()}")
    page.get_by_role("button", name="Light or dark").click()
    # The choice is kept with the workspace, not where the server was started.
    wait_for(lambda: any((server.folder / "choices").glob("*.json")), "the choice")


def test_the_documentation_of_the_api_opens(walker: Walker) -> None:
    walker.goto("/docs")
    walker.sees("/api/datasets/gradients")
