"""A cell of the confusion matrix is chosen: with the mouse, and by its classes."""

from __future__ import annotations

import re

from tests.web.browser import OPTIONS, Walker
from tests.web.conftest import Served


def test_a_cell_shows_its_images(walker: Walker, server: Served, segmenter: str) -> None:
    page = walker.page
    walker.goto(f"/jobs/{segmenter}")
    page.get_by_role("button", name="Test many").click()
    walker.sees("Images with the lowest mean IoU: 1 to 8 of 12")
    assert not page.get_by_label("True class").is_visible()
    tests = server.call(f"/api/jobs/{segmenter}/tests")
    key = next(each["key"] for each in tests if each["status"] == "done")
    kept = f"/api/jobs/{segmenter}/tests/{key}"
    cells = server.call(kept)["summary"]["confusion"]
    (matrix,) = page.evaluate(OPTIONS.replace("'.chart'", "'.confusion'"))
    data = matrix["series"][0]["data"]
    assert [each["value"][1::-1] for each in data] == [cell[:2] for cell in cells]
    truth, said, pixels = next(cell for cell in cells if cell[0] != cell[1])
    (told,) = (each["told"] for each in data if each["value"][:2] == [said, truth])
    assert told.startswith(f"{pixels:,} pixels, ")
    chart = page.locator(".confusion")
    place = chart.evaluate(
        "(e, at) => getElement(Number(e.id.slice(1))).chart.convertToPixel({seriesIndex: 0}, at)",
        [said, truth],
    )
    chart.click(position={"x": place[0], "y": place[1]})
    names = matrix["yAxis"][0]["data"]
    walker.sees(re.compile(f"{names[truth]}, taken for {names[said]}: 1 to"))
    page.get_by_label("True class").click()
    page.get_by_role("option", name="circle").click()
    page.locator(".q-menu").wait_for(state="detached")  # else both menus have the option
    page.get_by_role("combobox", name="Predicted class").click()
    page.get_by_role("option", name="background").click()
    listed = server.call(f"{kept}/images?order=cell&truth=1&predicted=0&count=3")
    walker.sees(f"circle, taken for background: 1 to {min(8, listed['total'])} of")
    most = listed["images"][0]
    walker.sees(f"{most['image']}: mean IoU {most['mean_iou']:.3f}")
