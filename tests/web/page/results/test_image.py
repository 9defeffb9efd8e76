"""One image on the page: uploaded, or that of the data set; its outputs and layers."""

from __future__ import annotations

from pathlib import Path

from tests.web.browser import Walker
from tests.web.conftest import Served


def test_an_uploaded_image(walker: Walker, server: Served, tmp_path: Path) -> None:
    page = walker.page
    image = server.folder / "jobs" / server.dataset / "data" / "test.png"
    walker.goto(f"/jobs/{server.training}")
    walker.sees("Test a single image")
    page.get_by_label("Snapshot").click()
    page.get_by_role("option", name="Best snapshot").click()
    page.locator("input[type=file]").set_input_files(image)
    walker.sees("output: [")
    assert page.get_by_alt_text("the preprocessed image").count() == 1
    assert page.locator(".statistic").count() >= 3
    (tmp_path / "bad.png").write_text("not a readable image")
    page.locator("input[type=file]").set_input_files(tmp_path / "bad.png")
    walker.sees("bad.png: is not a readable image")


def test_the_one_that_the_data_set_has(walker: Walker, server: Served) -> None:
    page = walker.page
    walker.goto(f"/jobs/{server.training}")
    page.get_by_role("button", name="Test one").click()
    walker.sees("output: [")
    page.get_by_label("Image on the server").fill("/etc/passwd")
    page.get_by_role("button", name="Test one").click()
    walker.sees("outside of the folders")
