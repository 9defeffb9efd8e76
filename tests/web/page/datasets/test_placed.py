"""Data sets from files on the server: databases, class folders, boxes."""

from __future__ import annotations

import re

from tests.data import detection_sets as sets
from tests.web.browser import OPTIONS, Walker
from tests.web.conftest import Served
from tests.web.test_submission import png


def test_databases_that_are_not_there(walker: Walker, server: Served) -> None:
    walker.goto("/datasets/new")
    form = walker.form("Databases")
    form.get_by_label("Training images").fill("nowhere")
    form.get_by_role("button", name="Use these databases").click()
    walker.sees("nowhere: no such file or folder")
    form.get_by_label("Training images").fill(f"jobs/{server.dataset}/data/train_images")
    form.get_by_label("Training labels (vectors)").fill(f"jobs/{server.dataset}/data/val_labels")
    form.get_by_role("button", name="Use these databases").click()
    walker.sees(re.compile("do not pair up"))
    form.get_by_label("Training labels (vectors)").fill(f"jobs/{server.dataset}/data/train_labels")
    form.get_by_role("button", name="Use these databases").click()
    walker.sees("Images and labels are paired by key.")


def test_class_folders(walker: Walker, server: Served) -> None:
    for name in ("cat", "dog"):
        folder = server.folder / "animals" / name
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(4):
            (folder / f"{number}.png").write_bytes(png(number))
    walker.goto("/datasets/new")
    form = walker.form("Class folders")
    form.get_by_label("Folder").fill("animals")
    form.get_by_label("Width").fill("16")
    form.get_by_label("Height").fill("12")
    form.get_by_role("button", name="Create data set").click()
    walker.sees("2 classes: cat, dog")
    walker.sees("3 x 12 x 16")
    walker.page.wait_for_function(f"{OPTIONS}[0]?.xAxis[0].data.join() == 'cat,dog'")


def test_boxes_from_a_folder(walker: Walker, server: Served) -> None:
    sets.kitti(server.folder / "kitti")
    walker.goto("/datasets/new")
    form = walker.form("Boxes")
    form.get_by_label("Folder or file").fill("nowhere")
    form.get_by_role("button", name="Create data set").click()
    walker.sees("nowhere: no such file or folder")
    form.get_by_label("Folder or file").fill("kitti")
    form.get_by_label("Only these classes").fill("car, van")
    form.get_by_label("Share for validation").fill("0.25")
    form.get_by_role("button", name="Create data set").click()
    walker.sees("Contents")
    assert walker.page.locator(".mistake").count() == 0
