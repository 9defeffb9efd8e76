"""No page has a serious fault of accessibility, light on a desk and dark on a phone."""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from protonet.web.page.datasets.creation import FORMS
from tests.web.browser import SETTLED, Walker
from tests.web.conftest import Served

PAGES = {
    "home": "/",
    "data sets": "/datasets",
    "new data set": "/datasets/new",
    "data set": "/datasets/{dataset}",
    "images": "/datasets/{dataset}/explore",
    "models": "/models",
    "new model": "/models/new?dataset={dataset}",
    "jobs": "/jobs",
    "training": "/jobs/{training}",
    "compare": "/compare?jobs={training},{training}",
}
LOOKS = [("light", 1280), ("dark", 390)]
"""Colors do not depend on the width: each needs to be looked at once."""


def faults(page: Any, within: str = "html") -> list[str]:
    """The serious and critical violations that axe-core finds in an element."""
    options = {"resultTypes": ["violations"]}
    found = Axe().run(page, context=within, options=options).response["violations"]
    return [
        f"{each['impact']} {each['id']}: {node['target']} {node['html'][:200]} "
        f"{[check['message'] for check in node['any'] + node['all'] + node['none']]}"
        for each in found
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"]
    ]


def check_looks(page: Any, within: str = "html") -> None:
    """No serious fault in any look, and nothing wider than the screen."""
    found = []
    for light, width in LOOKS:
        page.emulate_media(color_scheme=light)
        page.set_viewport_size({"width": width, "height": 800})
        page.evaluate(SETTLED, 100)
        found += [f"{light} {width}: {each}" for each in faults(page, within)]
        wide = page.evaluate("document.documentElement.scrollWidth")
        if wide > width:
            found.append(f"{light}: {wide} pixels wide on a screen of {width}")
    assert not found, "\n".join(found)


@pytest.mark.parametrize("name", PAGES)
def test_no_serious_fault(walker: Walker, server: Served, name: str) -> None:
    walker.goto(PAGES[name].format(dataset=server.dataset, training=server.training))
    walker.page.evaluate(SETTLED, 500)
    check_looks(walker.page)


def test_no_serious_fault_of_the_explorer(walker: Walker) -> None:
    walker.goto("/docs")
    walker.sees("/api/datasets/gradients")
    assert faults(walker.page) == []


@pytest.mark.long
def test_no_serious_fault_of_any_form_of_a_data_set(walker: Walker) -> None:
    walker.goto("/datasets/new")
    for name in [*FORMS][1:]:  # the first is there when the page opens
        walker.form(name)
        walker.page.evaluate(SETTLED, 300)
        check_looks(walker.page, within=".q-tab-panels")


def test_no_serious_fault_of_boxes_and_of_augmented_images(walker: Walker, server: Served) -> None:
    form = {"name": "drawn", "width": 48, "height": 32, "count": 12, "val_count": 4}
    job = server.call("/api/datasets/shapes", form)["id"]
    server.wait(job)
    page = walker.page
    for path in (f"/datasets/{job}", f"/datasets/{job}/explore"):
        walker.goto(path)
        page.locator(".sample").first.wait_for()
        page.evaluate(SETTLED, 500)
        check_looks(page)
    page.locator(".sample").first.click()
    page.get_by_role("button", name="Close").wait_for()
    check_looks(page)
    walker.goto(f"/models/new?dataset={job}")
    page.get_by_role("button", name="Show augmented images").click()
    page.get_by_role("dialog").get_by_role("button", name="Close").wait_for()
    page.evaluate(SETTLED, 500)
    check_looks(page)


def test_no_serious_fault_of_messages_and_questions(walker: Walker, server: Served) -> None:
    """A message of a mistake, with its button, and the question before something is deleted."""
    page = walker.page
    walker.goto("/datasets/new")
    walker.form("Databases").get_by_role("button", name="Use these databases").click()
    page.locator(".q-notification").wait_for()
    check_looks(page)
    walker.goto(f"/jobs/{server.training}")
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").wait_for()
    # What lies behind a question cannot be reached; its colors are computed with the veil over it.
    check_looks(page, within=".q-dialog")
