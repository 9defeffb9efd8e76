"""New data sets on the page: uploads, databases, class folders."""

from __future__ import annotations

import re
from pathlib import Path

from tests.web.browser import OPTIONS, Walker
from tests.web.conftest import Served
from tests.web.test_submission import png


def test_an_upload_of_a_table_and_its_images(walker: Walker, tmp_path: Path) -> None:
    page = walker.page
    (tmp_path / "labels.csv").write_text("".join(f"{n}.png,{n},{-n}\n" for n in range(5)))
    for number in range(5):
        (tmp_path / f"{number}.png").write_bytes(png(number))
    walker.goto("/datasets/new")
    page.get_by_role("tab", name="CSV and images").click()
    page.locator(".q-uploader", has_text="CSV").wait_for()  # the tab before it is gone by then
    page.get_by_role("button", name="Create data set").last.click()
    walker.sees("upload a CSV file first")
    table, images = (
        page.locator(".q-uploader", has_text=name).locator("input[type=file]")
        for name in ("CSV", "Images")
    )
    table.set_input_files(tmp_path / "labels.csv")
    images.set_input_files([tmp_path / f"{number}.png" for number in range(5)])
    walker.sees("5 images uploaded")
    page.locator(".q-uploader", has_text="CSV").get_by_text("100.00%").first.wait_for()
    page.get_by_role("button", name="Create data set").last.click()
    walker.sees("Images and labels are paired by key.")
    walker.sees("3 x 6 x 8")


def test_databases_that_are_not_there(walker: Walker, server: Served) -> None:
    page = walker.page
    walker.goto("/datasets/new")
    page.get_by_role("tab", name="Databases").click()
    page.get_by_label("Training images").fill("nowhere")
    page.get_by_role("button", name="Use these databases").click()
    walker.sees("nowhere: no such file or folder")
    page.get_by_label("Training images").fill(f"jobs/{server.dataset}/data/train_images")
    page.get_by_label("Training labels (vectors)").fill(f"jobs/{server.dataset}/data/val_labels")
    page.get_by_role("button", name="Use these databases").click()
    walker.sees(re.compile("do not pair up"))
    page.get_by_label("Training labels (vectors)").fill(f"jobs/{server.dataset}/data/train_labels")
    page.get_by_role("button", name="Use these databases").click()
    walker.sees("Images and labels are paired by key.")


def test_class_folders(walker: Walker, server: Served) -> None:
    for name in ("cat", "dog"):
        folder = server.folder / "animals" / name
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(4):
            (folder / f"{number}.png").write_bytes(png(number))
    page = walker.page
    walker.goto("/datasets/new")
    page.get_by_role("tab", name="Class folders").click()
    page.get_by_label("Folder").fill("animals")
    page.get_by_label("Width").last.fill("16")
    page.get_by_label("Height").last.fill("12")
    page.get_by_role("button", name="Create data set").last.click()
    walker.sees("2 classes: cat, dog")
    walker.sees("3 x 12 x 16")
    page.wait_for_function(f"{OPTIONS}[0].xAxis[0].data.join() == 'cat,dog'")


def test_half_an_image_is_none(walker: Walker) -> None:
    walker.goto("/datasets/new")
    walker.page.get_by_label("Images", exact=True).fill("2.5")
    walker.page.get_by_role("button", name="Create data set").first.click()
    walker.sees("count: Input should be a valid integer")
