"""The network of a new model: layers, drawing, mistakes."""

from __future__ import annotations

from protonet.graph.summary import Row
from protonet.jobs.checks.network_report import NetworkReport
from protonet.web.page.models.network import told
from tests.web.browser import Walker
from tests.web.walks.steps import paste


def test_a_report_as_a_line() -> None:
    row = Row("a", "ReLU", (), (), 0)
    assert told(NetworkReport(rows=(row,))) == "1 layers. No mistakes."
    full = NetworkReport(
        rows=(row, row), parameters=5002, training_bytes=2**20, ignored=("reduce_buckets",)
    )
    assert told(full) == (
        "2 layers, 5,002 parameters, about 1.0 MiB to train. No mistakes. "
        "Without effect: reduce_buckets."
    )


def test_a_drawing_goes_when_its_text_is_wrong(walker: Walker) -> None:
    """The message stands where the drawing was."""
    page = walker.page
    walker.goto("/models/new")
    page.get_by_label("Start from").click()
    page.get_by_role("option", name="lenet", exact=True).click()
    page.get_by_text("Convolution").first.wait_for()
    page.get_by_role("button", name="Visualize").click()
    page.locator(".drawing svg").wait_for()
    paste(page, "layer {")
    page.get_by_role("button", name="Visualize").click()
    page.get_by_role("alert").get_by_text("net.prototxt:1").wait_for()
    assert page.locator(".drawing svg").count() == 0
