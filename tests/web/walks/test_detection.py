"""From nothing to boxes around the shapes of an image."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import Any

from tests.web.browser import ROOT
from tests.web.walks.steps import make_dataset, train, walking

NET = (ROOT / "examples" / "prototxt" / "shapes" / "net.prototxt").read_text()


def test_from_nothing_to_boxes(browser: Any, tmp_path: Path, pictures: Path) -> None:
    with walking(browser, tmp_path / "work", pictures) as walker:
        make_dataset(
            walker, "Drawn shapes", {"Name": "shapes", "Images": "600", "Validation images": "100"}
        )
        settings = {"Name": "boxes", "Epochs": "6", "Batch sizes (several make a sweep)": "20",
                    "Learning rates (several make a sweep)": "0.002"}  # fmt: skip
        job = train(walker, NET, settings, solver="Adam")
        with urllib.request.urlopen(f"{walker.address}/api/jobs/{job}/curves") as answer:
            curves = json.load(answer)
        assert curves["outputs"]["detection_eval"][-1][1] > 0.9
        walker.show("training-boxes")
