"""Fields of forms in the browser: sizes of drawn shapes."""

from __future__ import annotations

from tests.web.browser import Walker


def test_empty_fields_have_their_defaults(walker: Walker) -> None:
    page = walker.page
    walker.goto("/datasets/new")
    page.get_by_role("tab", name="Drawn shapes").click()
    walker.sees("with a box around each")  # the form is made when it is chosen
    page.get_by_label("Width").last.fill("8")
    button = page.get_by_role("button", name="Create data set").last
    button.click()
    walker.sees("width: Input should be greater than or equal to 16")
    page.get_by_label("Width").last.fill("24")
    page.get_by_label("Height").last.fill("")
    page.get_by_label("Images", exact=True).last.fill("5")
    button.click()
    walker.sees("Contents")
    walker.sees("3 x 64 x 24")
