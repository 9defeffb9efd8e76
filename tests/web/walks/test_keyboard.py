"""The main path with keys alone: a data set, a network, its training, a test on an image."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from tests.web.browser import ROOT
from tests.web.walks.steps import walking

NET = (ROOT / "examples" / "prototxt" / "gradients" / "net.prototxt").read_text()

NAME = r"""() => {
  const e = document.activeElement, copy = e.cloneNode(true);
  copy.querySelectorAll("[aria-hidden=true]").forEach(each => each.remove());
  const said = e.getAttribute("aria-label") || e.labels?.[0]?.innerText || copy.textContent;
  return said.trim().replace(/\s+/g, " ");
}"""
"""What a screen reader would say of the focused control."""
SEEN = """() => {
  const e = document.activeElement, style = getComputedStyle(e);
  return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0
    || style.boxShadow.includes("4px")
    || e.closest(".q-field--focused, .cm-focused") !== null;
}"""
"""Whether one sees where the focus is."""


def seen(page: Any) -> bool:
    """Whether the focus becomes visible, at the end of an animation at the latest."""
    for _ in range(20):
        if page.evaluate(SEEN):
            return True
        page.wait_for_timeout(50)
    return False


def tab_to(page: Any, name: str) -> None:
    """Press Tab until a control is focused; each on the way has a name and shows its focus."""
    passed = []
    for _ in range(120):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement === document.body"):
            continue  # behind the last control, before the first
        found = page.evaluate(NAME)
        passed.append(found)
        assert seen(page), page.evaluate("document.activeElement.outerHTML")
        if found.lower().startswith(name.lower()):
            return
        assert found, page.evaluate("document.activeElement.outerHTML")
    raise AssertionError(f"{name} is not among {passed}")


def test_the_main_path_by_keys(browser: Any, tmp_path: Path, pictures: Path) -> None:
    with walking(browser, tmp_path / "work", pictures) as walker:
        page, keys = walker.page, walker.page.keyboard
        walker.goto("/")
        page.get_by_role("button", name="New data set").wait_for()
        tab_to(page, "New data set")
        keys.press("Enter")
        page.wait_for_url("**/datasets/new")
        page.get_by_role("button", name="Create data set").wait_for()
        tab_to(page, "Images")
        keys.press("Control+a")
        keys.insert_text("200")
        tab_to(page, "Create data set")
        keys.press("Enter")
        walker.sees("Images and labels are paired by key.")

        tab_to(page, "New model")
        keys.press("Enter")
        page.wait_for_url("**/models/new**")
        page.locator(".cm-content").wait_for()
        tab_to(page, "Network definition")
        keys.insert_text(NET)
        walker.sees(re.compile(r"No mistakes\."))
        keys.press("Escape")  # so that Tab leaves the editor
        tab_to(page, "Epochs")
        keys.press("Control+a")
        keys.insert_text("4")
        tab_to(page, "Train")
        keys.press("Enter")
        page.wait_for_url(re.compile("/jobs/"))
        page.get_by_role("button", name="Test one").wait_for(timeout=120_000)
        page.locator(".status", has_text="done").wait_for(timeout=120_000)

        tab_to(page, "Test one")
        keys.press("Enter")
        walker.sees(re.compile(r"output: \["))
