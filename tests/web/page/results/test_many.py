"""A test on many images on the page: progress, pages, and what stays after a mistake."""

from __future__ import annotations

from tests.web.browser import Walker, wait_for
from tests.web.conftest import Served


def test_many(walker: Walker, server: Served) -> None:
    page = walker.page
    walker.goto(f"/jobs/{server.training}")
    page.get_by_label("Images", exact=True).fill(f"jobs/{server.dataset}/data/train_images")
    page.get_by_label("Label vectors").fill(f"jobs/{server.dataset}/data/train_labels")
    page.get_by_role("button", name="Test many").click()
    walker.sees("Farthest off: 1 to 24 of 60")
    assert page.locator(".images img").count() == 24
    page.get_by_label("3", exact=True).click()
    walker.sees("Farthest off: 49 to 60 of 60")
    page.get_by_label("Images", exact=True).fill("nowhere")
    page.get_by_role("button", name="Test many").click()
    walker.sees("nowhere: no such file or folder")
    assert page.locator(".images").count() == 0
    # One that is stopped while its process begins leaves nothing behind.
    page.get_by_label("Images", exact=True).fill(f"jobs/{server.dataset}/data/train_images")
    page.get_by_label("At most").fill("7")
    before = server.call(f"/api/jobs/{server.training}/tests")
    page.get_by_role("button", name="Test many").click()
    page.get_by_role("button", name="Stop the test").click()
    walker.sees("The test was stopped.")
    wait_for(
        lambda: server.call(f"/api/jobs/{server.training}/tests") == before, "the end of the test"
    )
    # A test of before is looked at again, also on another day.
    walker.goto(f"/jobs/{server.training}")
    page.get_by_label("Tests of before").click()
    page.get_by_role("option").filter(has_text="data/train_images").first.click()
    walker.sees("Farthest off: 1 to 24 of 60")
    labels = page.get_by_label("Label vectors").input_value()
    assert labels == f"jobs/{server.dataset}/data/train_labels"
    assert server.call(f"/api/jobs/{server.training}/tests") == before
    (kept,) = (each for each in before if each["asked"]["path"].endswith("train_images"))
    assert kept["asked"]["labels"] == labels
