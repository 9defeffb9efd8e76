"""From nothing to boxes around the shapes of an image."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.web.browser import ROOT
from tests.web.walks.steps import make_dataset, train, walking

NET = (ROOT / "examples" / "prototxt" / "shapes" / "net.prototxt").read_text()


@pytest.mark.long
def test_from_nothing_to_boxes(browser: Any, tmp_path: Path, pictures: Path) -> None:
    with walking(browser, tmp_path / "work", pictures) as walker:
        page = walker.page
        make_dataset(
            walker, "Drawn shapes", {"Name": "shapes", "Images": "600", "Validation images": "100"}
        )
        settings = {"Name": "boxes", "Epochs": "2", "Batch sizes (several make a sweep)": "4",
                    "Learning rates (several make a sweep)": "0.002"}  # fmt: skip
        job = train(walker, NET, settings, solver="Adam")
        with urllib.request.urlopen(f"{walker.address}/api/jobs/{job}/curves") as answer:
            curves = json.load(answer)
        assert curves["outputs"]["detection_eval"][-1][1] > 0.9
        page.get_by_role("button", name="Test one").click()
        page.get_by_alt_text("the image with its boxes").wait_for()
        boxes = page.locator(".detected rect:not([hidden])")
        slider = page.get_by_label("Least score of a box")
        slider.fill("5")
        many = boxes.count()
        slider.fill("50")
        assert 0 < boxes.count() <= many
        page.get_by_role("button", name="Test many").click()
        walker.sees("Images with most mistakes", 120)
        walker.show("detection", page.get_by_text("Test a single image"))
