"""The seed's walk in a real browser: from an empty folder to the vector of test.png."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.web.browser import ROOT, Walker, served
from tests.web.walks.steps import paste

NET = (ROOT / "examples" / "prototxt" / "gradients" / "net.prototxt").read_text()
LUA = (ROOT / "examples" / "torch7" / "gradients" / "net.lua").read_text()
WRONG = NET.replace("num_output", "num_outputs")


@pytest.mark.long
def test_from_an_empty_folder_to_the_vector(browser: Any, tmp_path: Path, pictures: Path) -> None:
    with served(tmp_path / "work") as (address, _):
        walker = Walker(browser, address, pictures)
        page = walker.page
        walker.goto("/")
        walker.sees("New data set")
        walker.show("home")

        # 1. A data set.
        page.get_by_role("button", name="New data set").click()
        page.get_by_label("Images", exact=True).first.fill("200")
        walker.show("dataset-form")
        page.get_by_role("button", name="Create data set").first.click()
        walker.sees("Images and labels are paired by key.")
        page.locator(".samples img").nth(23).wait_for()
        walker.show("dataset")
        dataset = page.url.rsplit("/", 1)[1]

        # 2. A network, first with a mistake.
        page.get_by_role("button", name="New model").click()
        walker.sees("Paste a network of Caffe or Torch7")
        paste(page, WRONG)
        walker.sees(re.compile("no field 'num_outputs'|unknown field|num_outputs"))
        page.locator(".mistake-line").first.wait_for()
        walker.show("mistake")
        paste(page, NET)
        walker.sees(re.compile(r"No mistakes\."))
        walker.sees("5,002 parameters")
        page.get_by_role("button", name="Visualize").click()
        page.locator(".drawing svg").wait_for()
        page.get_by_label("Batch sizes (several make a sweep)").fill("10")
        page.get_by_label("Name", exact=True).fill("gradients")
        walker.show("model")

        # 3. The training.
        page.get_by_role("button", name="Train", exact=True).click()
        page.wait_for_url(re.compile("/jobs/"))
        walker.sees("done", 120)
        walker.sees("600 / 600")
        walker.sees("Test a single image")
        walker.show("training")

        # 4. The test.
        page.get_by_label("Image on the server").fill(f"jobs/{dataset}/data/test.png")
        page.get_by_role("button", name="Test one").click()
        walker.sees(re.compile(r"output: \["))
        assert vector_shown(page, "output") == pytest.approx([0.5, 0.5], abs=0.02)
        page.get_by_role("button", name="Test many").click()
        walker.sees("Farthest off")
        walker.show("test")
        assert walker.complaints == []
        page.close()


def test_the_same_network_in_lua(browser: Any, tmp_path: Path, pictures: Path) -> None:
    """A Lua text of Torch7, pasted with a mistake and without, up to the vector of test.png."""
    with served(tmp_path / "work") as (address, _):
        walker = Walker(browser, address, pictures)
        page = walker.page
        walker.goto("/datasets/new")
        page.get_by_label("Images", exact=True).first.fill("200")
        page.get_by_role("button", name="Create data set").first.click()
        walker.sees("Images and labels are paired by key.")
        dataset = page.url.rsplit("/", 1)[1]

        page.get_by_role("button", name="New model").click()
        walker.sees("Paste a network of Caffe or Torch7")
        paste(page, LUA.replace("nn.Linear", "nn.Linaer"))
        walker.sees(re.compile("protonet has no nn.Linaer; did you mean 'Linear'"))
        page.locator(".mistake-line").first.wait_for()
        paste(page, LUA)
        walker.sees(re.compile(r"No mistakes\."))
        walker.sees("5,002 parameters")
        page.get_by_role("button", name="Visualize").click()
        page.locator(".drawing svg").wait_for()
        walker.show("lua")
        page.get_by_label("Batch sizes (several make a sweep)").fill("10")
        page.get_by_role("button", name="Train", exact=True).click()
        page.wait_for_url(re.compile("/jobs/"))
        walker.sees("done", 120)

        page.get_by_label("Image on the server").fill(f"jobs/{dataset}/data/test.png")
        page.get_by_role("button", name="Test one").click()
        walker.sees(re.compile(r"Linear1: \["))
        assert vector_shown(page, "Linear1") == pytest.approx([0.5, 0.5], abs=0.02)
        assert walker.complaints == []
        page.close()


def vector_shown(page: Any, blob: str) -> list[float]:
    """The numbers of an output that the page shows."""
    shown = page.get_by_text(re.compile(rf"{blob}: \[")).first.inner_text()
    return [float(part) for part in re.findall(r"-?\d+\.\d+", shown.partition("[")[2])]


def test_a_phone_in_the_dark(browser: Any, tmp_path: Path, pictures: Path) -> None:
    """Nothing is wider than the screen. How soon it is painted: ``benchmarks/page_paint.py``."""
    with served(tmp_path / "work") as (address, _):
        walker = Walker(browser, address, pictures, color_scheme="dark")
        walker.page.set_viewport_size({"width": 390, "height": 800})
        walker.goto("/")
        for path in ("/", "/datasets/new", "/models/new", "/jobs"):
            walker.goto(path)
            walker.page.locator("h1").wait_for()
            wide = walker.page.evaluate("document.documentElement.scrollWidth")
            assert wide <= 390, path
        assert walker.page.evaluate("document.body.classList.contains('body--dark')")
        walker.show("phone")
        assert walker.complaints == []
        walker.page.close()
