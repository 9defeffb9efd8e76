"""Data sets that are uploaded: a table with its images, lists."""

from __future__ import annotations

from pathlib import Path

from tests.web.browser import Walker
from tests.web.conftest import Served
from tests.web.test_submission import png


def test_an_upload_of_a_table_and_its_images(walker: Walker, tmp_path: Path) -> None:
    page = walker.page
    (tmp_path / "labels.csv").write_text("".join(f"{n}.png,{n},{-n}\n" for n in range(5)))
    for number in range(5):
        (tmp_path / f"{number}.png").write_bytes(png(number))
    walker.goto("/datasets/new")
    button = walker.form("CSV and images").get_by_role("button", name="Create data set")
    button.click()
    walker.sees("upload a CSV file first")
    table, images = (
        page.locator(".q-uploader", has_text=name).locator("input[type=file]")
        for name in ("CSV", "Images")
    )
    table.set_input_files(tmp_path / "labels.csv")
    images.set_input_files([tmp_path / f"{number}.png" for number in range(5)])
    walker.sees("5 images uploaded")
    page.locator(".q-uploader", has_text="CSV").get_by_text("100.00%").first.wait_for()
    button.click()
    walker.sees("Images and labels are paired by key.")
    walker.sees("3 x 6 x 8")


def test_lists_of_images(walker: Walker, server: Served, tmp_path: Path) -> None:
    (server.folder / "photos").mkdir()
    for number in range(3):
        (server.folder / "photos" / f"{number}.png").write_bytes(png(number))
    (tmp_path / "train.txt").write_text("0.png 0\n1.png 1\n")
    (tmp_path / "names.txt").write_text("cat\ndog\n")
    page = walker.page
    walker.goto("/datasets/new")
    form = walker.form("Text lists")
    form.get_by_label("Folder of relative paths").fill("photos")
    button = form.get_by_role("button", name="Create data set")
    button.click()
    walker.sees("upload a list of training images")
    for label, name in (("List for training", "train.txt"), ("Class names", "names.txt")):
        place = page.locator(".q-uploader", has_text=label)
        place.locator("input[type=file]").set_input_files(tmp_path / name)
        place.get_by_text("100.00%").first.wait_for()
    button.click()
    walker.sees("2 classes: cat, dog")
