"""Detectors on the page: boxes over an image with a slider, and a data set with its curves."""

from __future__ import annotations

from typing import Any

import pytest

from tests.web.browser import OPTIONS, ROOT, Walker
from tests.web.conftest import Served
from tests.web.test_accessibility import check_looks

NET = (ROOT / "examples" / "prototxt" / "shapes" / "net.prototxt").read_text()


@pytest.fixture(scope="module")
def training(server: Served) -> str:
    """A training on drawn shapes."""
    form = {"name": "shapes", "width": 64, "height": 64, "count": 240, "val_count": 20}
    dataset = server.call("/api/datasets/shapes", form)["id"]
    server.wait(dataset)
    made: dict[str, Any] = {
        "name": "boxes", "network": NET, "dataset": dataset, "epochs": 6, "batch_sizes": [20],
        "solver": "Adam", "lrs": [0.003],
    }  # fmt: skip
    (job,) = server.call("/api/models", made)
    server.wait(job["id"])
    return str(job["id"])


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


def test_the_api_has_the_same_boxes(server: Served, training: str) -> None:
    dataset = server.call(f"/api/jobs/{training}")["needs"][0]
    folder = server.folder / "jobs" / dataset / "data"
    form = {"path": str(folder / "val_images"), "threshold": 0.3}
    answer = server.call(f"/api/jobs/{training}/detect-many", form)
    assert (answer["count"], answer["threshold"]) == (20, 0.3)
    assert [each["name"] for each in answer["classes"]] == ["circle", "square", "triangle"]
    curves = server.call(f"/api/jobs/{training}/curves")
    outputs = curves["outputs"]
    # The last test of a training comes one pass after the snapshot.
    for name, figure in (("detection_eval", "integral"), ("detection_eval/coco", "coco")):
        assert answer["mean"][figure] == pytest.approx(outputs[name][-1][1], abs=0.05)
    for worst in answer["worst"]:
        assert worst["image"].startswith("data:image/png;base64,")
        mistakes = [each for each in worst["truths"] if each["mistake"]]
        assert len(mistakes) == worst["missed"]
        assert len([each for each in worst["found"] if each["mistake"]]) == worst["false"]


def test_a_data_set_with_its_curves_and_worst_images(walker: Walker, training: str) -> None:
    page = walker.page
    walker.goto(f"/jobs/{training}")
    page.get_by_label("Least score", exact=True).fill("0.9")
    page.get_by_role("button", name="Test many").click()
    walker.sees("Figures by class")
    table = page.get_by_label("Figures by class")
    assert table.locator("tbody th").all_inner_texts() == ["circle", "square", "triangle", "all"]
    walker.sees("Precision, recall and mistakes at a score of 0.9 or more.")
    walker.sees("Images with most mistakes")
    worst = page.locator(".mistakes-of figure")
    assert worst.count() >= 1
    dashed = worst.first.locator("rect.true")
    assert dashed.count() >= 1
    assert dashed.first.evaluate("e => getComputedStyle(e).strokeDasharray") == "5px, 4px"
    shown = page.evaluate(OPTIONS)
    curves = next(each for each in shown if each["xAxis"][0].get("name") == "recall")
    assert [each["name"] for each in curves["series"]] == ["circle", "square", "triangle"]
    page.get_by_role("button", name="Test one").click()
    page.get_by_alt_text("the image with its boxes").wait_for()
    check_looks(page)
    page.get_by_label("Images", exact=True).fill("nowhere")
    page.get_by_role("button", name="Test many").click()
    walker.sees("nowhere: no such file or folder")
    assert page.get_by_label("Figures by class").count() == 0
