"""Detectors on the page: boxes over an image with a slider, and a data set with its curves."""

from __future__ import annotations

from typing import Any

import pytest

from tests.web.browser import OPTIONS, Walker
from tests.web.conftest import Served
from tests.web.page.results.conftest import trained
from tests.web.test_accessibility import check_looks


@pytest.fixture(scope="module")
def training(server: Served) -> str:
    """A training on drawn shapes."""
    form = {"name": "shapes", "width": 64, "height": 64, "count": 240, "val_count": 20}
    settings = {"name": "boxes", "epochs": 6, "batch_sizes": [20], "lrs": [0.003]}
    return trained(server, form, "shapes/net.prototxt", settings)


def visible(page: Any, what: str) -> int:
    return int(page.locator(f".detected {what}:not([hidden])").count())


def test_boxes_over_an_image_with_a_slider(walker: Walker, training: str) -> None:
    page = walker.page
    walker.goto(f"/jobs/{training}")
    page.get_by_role("button", name="Test one").click()
    page.get_by_alt_text("the image with its boxes").wait_for()
    slider = page.get_by_label("Least score of a box")
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    slider.fill("1")
    every = visible(page, "li")
    assert every == visible(page, "rect") == visible(page, ".tag") > 0
    assert page.locator(".detected .count").inner_text().split()[0] == str(every)
    slider.fill("100")
    assert visible(page, "li") == visible(page, "rect") == visible(page, ".tag") == 0
    assert page.locator(".detected .count").inner_text() == "0 boxes"
    slider.focus()
    slider.press("ArrowLeft")
    assert page.locator(".detected .least").inner_text() == "0.99"
    assert requests == []
    scores = [float(each) for each in page.locator(".found li").evaluate_all(
        "all => all.map(each => each.dataset.score)"
    )]  # fmt: skip
    assert scores == sorted(scores, reverse=True)


def test_a_data_set_with_its_curves_and_worst_images(
    walker: Walker, server: Served, training: str
) -> None:
    """By a process of its own; what it keeps is looked at again at another score."""
    page, job = walker.page, f"/api/jobs/{training}"
    walker.goto(f"/jobs/{training}")
    page.get_by_role("button", name="Test many").click()
    walker.sees("Images with most mistakes: 1 to ")
    table = page.get_by_label("Figures by class")
    assert table.locator("tbody th").all_inner_texts() == ["circle", "square", "triangle", "all"]
    shown = page.evaluate(OPTIONS)
    curves = next(each for each in shown if each["xAxis"][0].get("name") == "recall")
    assert [each["name"] for each in curves["series"]] == ["circle", "square", "triangle"]
    (test,) = server.call(f"{job}/tests")
    folder = server.folder / "jobs" / training / "tests" / test["key"]
    made = (folder / "boxes.npz").stat().st_mtime_ns

    page.get_by_label("Least score", exact=True).fill("0.9")
    walker.sees("Precision, recall and mistakes at a score of 0.9 or more.")
    answer = server.call(f"{job}/tests/{test['key']}?threshold=0.9")
    assert (answer["kind"], answer["summary"]["count"]) == ("boxes", 20)
    alarms = sum(each["wrong"] for each in answer["summary"]["classes"])
    assert table.locator("tbody tr").last.locator("td").last.inner_text() == f"{alarms}"
    outputs = server.call(f"{job}/curves")["outputs"]
    # The last test of a training comes one pass after the snapshot.
    for name, figure in (("detection_eval", "integral"), ("detection_eval/coco", "coco")):
        assert answer["summary"]["mean"][figure] == pytest.approx(outputs[name][-1][1], abs=0.05)
    listed = server.call(f"{job}/tests/{test['key']}/images?order=worst&threshold=0.9")
    walker.sees(f"Images with most mistakes: 1 to {min(12, listed['total'])} of {listed['total']}")
    for image in listed["images"]:
        assert image["png"].startswith("data:image/png;base64,")
        assert len([each for each in image["truths"] if each["mistake"]]) == image["missed"]
        assert len([each for each in image["found"] if each["mistake"]]) == image["false"]
    worst = page.locator(".mistakes-of figure")
    assert worst.count() == min(12, listed["total"])
    assert worst.first.locator("rect").count() == sum(
        len(listed["images"][0][which]) for which in ("truths", "found")
    )
    dashed = worst.first.locator("rect.true")
    assert dashed.first.evaluate("e => getComputedStyle(e).strokeDasharray") == "5px, 4px"
    page.get_by_label("Show", exact=True).click()
    page.get_by_role("option", name="All images in their order").click()
    walker.sees("All images in their order: 1 to 12 of 20")
    assert (folder / "boxes.npz").stat().st_mtime_ns == made
    assert len(server.call(f"{job}/tests")) == 1

    page.get_by_role("button", name="Test one").click()
    page.get_by_alt_text("the image with its boxes").wait_for()
    check_looks(page)
    page.get_by_label("Images", exact=True).fill("nowhere")
    page.get_by_role("button", name="Test many").click()
    walker.sees("nowhere: no such file or folder")
    assert page.get_by_label("Figures by class").count() == 0
