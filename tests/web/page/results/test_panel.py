"""The form of one image: what it offers, and what stays after a mistake."""

from __future__ import annotations

from pathlib import Path

from tests.web.browser import Walker
from tests.web.conftest import Served


def test_an_answer_does_not_stay_below_a_mistake(walker: Walker, server: Served) -> None:
    page = walker.page
    walker.goto(f"/jobs/{server.training}")
    page.get_by_role("button", name="Test one").click()
    walker.sees("output: [")
    page.get_by_label("Image on the server").fill("nowhere.png")
    page.get_by_role("button", name="Test one").click()
    walker.sees("nowhere.png: no such file")
    assert page.locator(".answer .output").count() == 0


def test_an_upload_that_is_no_image(walker: Walker, server: Served, tmp_path: Path) -> None:
    page = walker.page
    walker.goto(f"/jobs/{server.training}")
    page.get_by_role("button", name="Test one").click()
    walker.sees("output: [")
    (tmp_path / "bad.png").write_text("not a readable image")
    page.locator("input[type=file]").set_input_files(tmp_path / "bad.png")
    walker.sees("bad.png: is not a readable image")
    assert page.locator(".answer .output").count() == 0


def test_several_images_at_once(walker: Walker, server: Served, tmp_path: Path) -> None:
    page = walker.page
    image = (server.folder / "jobs" / server.dataset / "data" / "test.png").read_bytes()
    files = [tmp_path / name for name in ("one.png", "bad.png", "two.png")]
    for file in files:
        file.write_bytes(b"not a readable image" if file.stem == "bad" else image)
    walker.goto(f"/jobs/{server.training}")
    walker.sees("Test a single image")
    page.locator("input[type=file]").set_input_files(files)
    walker.sees("bad.png: is not a readable image")
    page.locator(".answer-of-several").nth(1).wait_for()
    assert page.locator(".answer-of-several").count() == 2
    assert page.locator(".answer-of-several .output").count() == 2
    walker.sees("two.png")


def test_databases_of_the_workspace_are_shown_as_one_types_them(
    walker: Walker, server: Served
) -> None:
    walker.goto(f"/jobs/{server.training}")
    images = walker.page.get_by_label("Images", exact=True)
    images.wait_for()
    assert images.input_value() == f"jobs/{server.dataset}/data/val_images"
