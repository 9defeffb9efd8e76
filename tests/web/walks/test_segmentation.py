"""From nothing to the classes of the pixels of an image."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.web.browser import ROOT
from tests.web.walks.steps import make_dataset, train, walking

NET = (ROOT / "examples" / "prototxt" / "segments" / "fcn.prototxt").read_text()


@pytest.mark.long
def test_from_nothing_to_the_classes_of_pixels(
    browser: Any, tmp_path: Path, pictures: Path
) -> None:
    with walking(browser, tmp_path / "work", pictures) as walker:
        page = walker.page
        make_dataset(
            walker,
            "Drawn segments",
            {"Name": "segments", "Images": "600", "Validation images": "60"},
        )
        settings = {"Name": "pixels", "Epochs": "4", "Batch sizes (several make a sweep)": "5",
                    "Learning rates (several make a sweep)": "0.002"}  # fmt: skip
        job = train(walker, NET, settings, solver="Adam")
        with urllib.request.urlopen(f"{walker.address}/api/jobs/{job}/curves") as answer:
            curves = json.load(answer)
        assert curves["outputs"]["mean_iou"][-1][1] > 0.9

        page.get_by_role("button", name="Test one").click()
        walker.sees("Classes over the image")
        page.get_by_label("Opacity of the classes").fill("70")
        assert page.get_by_alt_text("its classes").evaluate("e => getComputedStyle(e).opacity") == (
            "0.7"
        )
        page.get_by_role("button", name="Test many").click()
        walker.sees("Images with the lowest mean IoU")
        shown = page.locator(".fact", has_text="mean IoU").locator(".value").inner_text()
        assert float(shown.rstrip("%")) > 90
        page.locator(".worst").nth(7).wait_for()  # they come after the list that names their order
        assert page.locator(".worst").count() == 8
        walker.show("segmentation", page.get_by_text("Test a single image"))
