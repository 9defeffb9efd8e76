"""Fields of forms in the browser: sizes of drawn shapes."""

from __future__ import annotations

from tests.web.browser import Walker


def test_empty_fields_have_their_defaults(walker: Walker) -> None:
    walker.goto("/datasets/new")
    form = walker.form("Drawn shapes")
    form.get_by_label("Width").fill("8")
    form.get_by_label("Width").press("Tab")  # the field is left before the button is clicked
    button = form.get_by_role("button", name="Create data set")
    button.click()
    walker.sees("width: Input should be greater than or equal to 16")
    assert form.get_by_label("Width").input_value() == "8"
    form.get_by_label("Width").fill("24")
    form.get_by_label("Height").fill("")
    form.get_by_label("Images", exact=True).fill("5")
    button.click()
    walker.sees("Contents")
    walker.sees("3 x 64 x 24")
