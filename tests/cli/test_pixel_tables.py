"""Tables of the figures of segmentation."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.cli.pixel_tables import show_pixels
from protonet.jobs.evaluation.segmentation import SegmentationReport
from protonet.train.metrics.segmentation import PixelCounts


def test_classes_without_pixels_have_no_figures(capsys: pytest.CaptureFixture[str]) -> None:
    counts = PixelCounts(np.array([[3, 1, 0], [0, 4, 0], [0, 0, 0]]))
    report = SegmentationReport("loss", counts, np.array([0.75, 0.25]), np.array([1.0, 0.5]))
    show_pixels(report, None, 1, None)
    assert capsys.readouterr().out.splitlines() == [
        "",
        "loss: 2 images",
        "mean IoU = 77.50%",
        "pixel accuracy = 87.50%",
        "mean class accuracy = 87.50%",
        "IoU weighted by pixels = 77.50%",
        "class       IoU  accuracy  precision  pixels",
        "class 0  75.00%    75.00%    100.00%  50.00%",
        "class 1  80.00%   100.00%     80.00%  50.00%",
        "class 2       -         -          -   0.00%",
        "class 0 taken for class 1: 25.00% of its pixels",
        "item 1: mean IoU 0.25",
    ]
