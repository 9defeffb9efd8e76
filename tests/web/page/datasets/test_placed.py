"""Data sets from files on the server: databases, class folders, boxes."""

from __future__ import annotations

import re

from tests.data import detection_sets as sets
from tests.web.browser import OPTIONS, Walker
from tests.web.conftest import Served
from tests.web.test_submission import png


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


def test_boxes_from_a_folder(walker: Walker, server: Served) -> None:
    sets.kitti(server.folder / "kitti")
    page = walker.page
    walker.goto("/datasets/new")
    page.get_by_role("tab", name="Boxes").click()
    page.get_by_label("Folder or file").fill("nowhere")
    page.get_by_role("button", name="Create data set").last.click()
    walker.sees("nowhere: no such file or folder")
    page.get_by_label("Folder or file").fill("kitti")
    page.get_by_label("Only these classes").fill("car, van")
    page.get_by_label("Share for validation").last.fill("0.25")
    page.get_by_role("button", name="Create data set").last.click()
    walker.sees("Contents")
    assert page.locator(".mistake").count() == 0
