"""Segmentation on the page: a map over its image, and a data set with its worst images."""

from __future__ import annotations

import json
import re
import urllib.parse
import urllib.request

import pytest
from click.testing import CliRunner

from protonet.cli.app import app
from tests.web.browser import Walker
from tests.web.conftest import Served


def test_an_image_with_its_classes_laid_over_it(walker: Walker, segmenter: str) -> None:
    page = walker.page
    walker.goto(f"/jobs/{segmenter}")
    page.get_by_role("button", name="Test one").click()
    walker.sees("Classes over the image")
    assert page.get_by_alt_text("the predicted classes").count() == 1
    laid = page.get_by_alt_text("its classes")
    assert laid.evaluate("e => getComputedStyle(e).opacity") == "0.5"
    slider = page.get_by_label("Opacity of the classes")
    slider.fill("90")
    assert laid.evaluate("e => getComputedStyle(e).opacity") == "0.9"
    slider.focus()
    slider.press("ArrowLeft")
    assert laid.evaluate("e => getComputedStyle(e).opacity") == "0.89"
    legend = page.locator(".legend li")
    shares = [float(re.findall(r"([\d.]+)%", text)[0]) for text in legend.all_inner_texts()]
    assert len(shares) == 4
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(100, abs=0.1)
    swatch = legend.filter(has_text="circle").locator(".swatch")
    assert swatch.evaluate("e => getComputedStyle(e).backgroundColor") == "rgb(128, 0, 0)"
    box, under = laid.bounding_box(), page.get_by_alt_text("the image").last.bounding_box()
    assert box is not None
    assert under is not None
    assert (box["width"], box["height"]) == pytest.approx((under["width"], under["height"]), abs=2)


def test_a_data_set_with_the_worst_images_side_by_side(
    walker: Walker, server: Served, segmenter: str
) -> None:
    page = walker.page
    walker.goto(f"/jobs/{segmenter}")
    page.get_by_role("button", name="Test many").click()
    walker.sees("Images with the lowest mean IoU: 1 to 8 of 12")
    tests = server.call(f"/api/jobs/{segmenter}/tests")
    test = next(each for each in tests if each["status"] == "done")
    kept = f"/api/jobs/{segmenter}/tests/{test['key']}"
    answer = server.call(kept)
    assert answer["kind"] == "pixels"
    figures = answer["summary"]
    assert figures["count"] == 12
    walker.sees(f"{figures['mean_iou']:.2%}")
    table = page.get_by_label("Figures by class")
    assert table.locator("tbody tr").count() == 4
    background = table.locator("tr", has_text="background").inner_text()
    assert f"{figures['classes'][0]['iou']:.2%}" in background
    listed = server.call(f"{kept}/images?order=worst&count=8")
    assert listed["total"] == 12
    for name in ("png", "true_png", "predicted_png"):
        assert listed["images"][0][name].startswith("data:image/png;base64,")
    worst = page.locator(".worst")
    assert worst.count() == len(listed["images"]) == 8
    assert worst.first.get_by_alt_text("the true classes").count() == 1
    assert worst.first.get_by_alt_text("the predicted classes").count() == 1
    first = listed["images"][0]
    walker.sees(f"{first['image']}: mean IoU {first['mean_iou']:.3f}")
    page.get_by_label("2", exact=True).click()
    walker.sees("Images with the lowest mean IoU: 9 to 12 of 12")
    page.get_by_label("Labels of the pixels").fill("")
    page.get_by_role("button", name="Test many").click()
    walker.sees("expected a database of images, and that of the classes")
    assert worst.count() == 0


def test_on_a_telephone_the_tables_scroll_by_themselves(walker: Walker, segmenter: str) -> None:
    page = walker.page
    page.set_viewport_size({"width": 390, "height": 800})
    walker.goto(f"/jobs/{segmenter}")
    page.get_by_role("button", name="Test one").click()
    walker.sees("Classes over the image")
    page.get_by_role("button", name="Test many").click()
    walker.sees("Images with the lowest mean IoU")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_the_api_answers_as_infer_does(server: Served, segmenter: str) -> None:
    """Over the form that is uploaded, with a path on the server."""
    dataset = server.call(f"/api/jobs/{segmenter}")["needs"][0]
    image = f"jobs/{dataset}/data/test0.png"
    form = urllib.parse.urlencode({"path": image}).encode()
    with urllib.request.urlopen(f"{server.address}/api/jobs/{segmenter}/segment", form) as answer:
        found = json.loads(answer.read())
    run = server.folder / "jobs" / segmenter / "run"
    told = CliRunner().invoke(app, ["infer", str(run), str(server.folder / image), "--json"])
    expected = json.loads(told.output)
    assert found["image"] == image
    for key in ("snapshot", "outputs", "classes"):
        assert found[key] == expected[key]
    assert found["labels"].startswith("data:image/png;base64,")
