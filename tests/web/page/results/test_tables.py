"""Figures in tables; test_detection.py and test_segmentation.py have them in a browser."""

from __future__ import annotations

from protonet.web.page.results.tables import figure_text


def test_what_is_no_number_is_a_dash() -> None:
    assert figure_text(float("nan")) == "\u2013"
    assert figure_text(0.98765) == "0.9877"
