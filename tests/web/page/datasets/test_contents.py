"""What a data set has, on its page."""

from __future__ import annotations

from tests.web.browser import Walker
from tests.web.conftest import Served


def test_what_was_found_is_shown(walker: Walker, server: Served) -> None:
    walker.goto("/datasets")
    walker.page.get_by_role("link", name="slopes").first.click()
    walker.sees("Images and labels are paired by key.")
    # What takes long comes after the first paint, part after part.
    walker.page.locator(".charts canvas").nth(3).wait_for()
    assert walker.page.locator(".samples img").count() == 24 + 12
    assert walker.page.get_by_alt_text("mean image").count() == 1
    assert walker.page.locator(".charts canvas").count() == 4
