"""The explorer of the API opens, from this server alone."""

from __future__ import annotations

from tests.web.browser import Walker


def test_the_documentation_of_the_api_opens(walker: Walker) -> None:
    walker.goto("/docs")
    walker.sees("/api/datasets/gradients")
    page = walker.page
    page.set_viewport_size({"width": 390, "height": 800})
    page.locator(".opblock-summary", has_text="/api/models/check").click()
    page.locator(".opblock-body").first.wait_for()
    page.locator(".model-container .model-box-control").first.click()
    assert page.evaluate("document.documentElement.scrollWidth") == 390, "as wide as a phone"
