"""The dialog of augmented images, from the form of a new model."""

from __future__ import annotations

from protonet.web.datasets.augmented import AugmentedPicture
from protonet.web.datasets.samples import Box
from protonet.web.page.datasets.augmented import caption
from tests.web.browser import Walker
from tests.web.conftest import Served

NET = """
layer { name: "data" type: "Data" top: "data" include { phase: TRAIN }
  transform_param { crop_size: 12 mirror: true } }
"""


def test_crops_are_shown_and_a_failure_leaves_none(walker: Walker, server: Served) -> None:
    page = walker.page
    walker.goto(f"/models/new?dataset={server.dataset}")
    editor = page.locator(".cm-content")
    editor.click()
    page.keyboard.press("Control+A")
    page.keyboard.insert_text(NET)
    page.get_by_role("button", name="Show augmented images").click()
    walker.sees("20 x 16: as it is")
    dialog = page.locator(".q-dialog")
    assert dialog.get_by_text("12 x 12", exact=True).count() == 4 * 5
    dialog.get_by_role("button", name="Other random numbers").click()
    walker.sees("12 x 12")
    dialog.get_by_role("button", name="Close").click()
    editor.click()
    page.keyboard.press("Control+A")
    page.keyboard.insert_text(NET.replace("12", "99"))
    page.get_by_role("button", name="Show augmented images").click()
    walker.sees("crop_size 99 is larger than the images")
    assert page.get_by_text("12 x 12", exact=True).count() == 0


def test_what_is_told_of_a_picture() -> None:
    box = Box(1, "car", (0.0, 0.0, 1.0, 1.0))
    assert caption(AugmentedPicture("", (16, 20), (box, box)), 0) == "20 x 16, 2 boxes: as it is"
    assert caption(AugmentedPicture("", (16, 20), ()), 1) == "20 x 16"
