"""The bar: places, where one is, and light or dark, which is remembered."""

from __future__ import annotations

import re
from pathlib import Path

import nicegui

import protonet.web.page
from protonet.web.page.frame import KEPT
from tests.web.browser import Walker, wait_for
from tests.web.conftest import Served


def test_places_and_light(walker: Walker, server: Served) -> None:
    page = walker.page
    walker.goto("/jobs")
    assert page.locator('[aria-current="page"]').inner_text() == "Jobs"
    assert page.title() == "Jobs \u00b7 protonet"
    page.get_by_role("link", name="Models").click()
    page.wait_for_url("**/models")
    dark = "document.body.classList.contains('body--dark')"
    before = page.evaluate(dark)
    page.get_by_role("button", name="Light or dark").click()
    page.wait_for_function(f"{dark} !== {str(before).lower()}")
    walker.goto("/jobs")
    page.locator("h1").wait_for()
    page.wait_for_function(f"{dark} !== {str(before).lower()}")
    page.get_by_role("button", name="Light or dark").click()
    # The choice is kept with the workspace, not where the server was started.
    wait_for(lambda: any((server.folder / "choices").glob("*.json")), "the choice")


def test_what_was_typed_waits_for_its_browser(walker: Walker) -> None:
    """One that is too busy to answer for ten seconds, and one whose network is gone for longer than
    the pages that only show something are kept.
    """
    page = walker.page
    walker.goto("/datasets/new")
    field = walker.form("Drawn shapes").get_by_label("Name", exact=True)
    field.fill("half a form")
    page.evaluate("() => { const end = Date.now() + 10_000; while (Date.now() < end); }")
    page.evaluate(
        "wait => { const io = window.socket.io; io.reconnectionDelay(wait);"
        " io.reconnectionDelayMax(wait); io.randomizationFactor(0); io.engine.close(); }",
        1000 * KEPT + 1000,
    )
    page.get_by_text("Connection lost.").wait_for()
    page.get_by_text("Connection lost.").wait_for(state="hidden")
    walker.form("Boxes")  # the server answers
    assert walker.form("Drawn shapes").get_by_label("Name", exact=True).input_value() == (
        "half a form"
    )


def test_buttons_can_be_read_in_the_dark(walker: Walker, server: Served) -> None:
    page = walker.page
    page.emulate_media(color_scheme="dark")
    walker.goto(f"/jobs/{server.training}")
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    for name in ("Name, group", "Delete"):
        button = page.get_by_role("button", name=name).first
        color = button.evaluate("e => getComputedStyle(e).color")
        assert contrast(color, ground) >= 4.5, name


def contrast(one: str, other: str) -> float:
    """The contrast of two colours (WCAG 2.1)."""
    low, high = sorted(luminance(color) for color in (one, other))
    return (high + 0.05) / (low + 0.05)


def luminance(color: str) -> float:
    parts = [int(part) / 255 for part in re.findall(r"\d+", color)[:3]]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_classes_of_layout_have_a_style() -> None:
    """Those of Tailwind that none of the style sheets has would do nothing."""
    pages = Path(protonet.web.page.__file__).parent
    library = Path(nicegui.__file__).parent / "static"
    sheets = [pages / "static" / "page.css", *library.glob("quasar.*.prod.css"),
              library / "nicegui.css"]  # fmt: skip
    styled = {name for sheet in sheets for name in re.findall(r"\.([\w-]+)", sheet.read_text())}
    used = {
        name
        for source in pages.rglob("*.py")
        for given in re.findall(r'classes\(\s*(?:add=)?f?"([^"]*)"', source.read_text())
        for name in given.split()
        if re.match(r"(w|h|gap|items|justify|self|text|q|[mp][trblxy]?|max|min|grow|shrink)-", name)
    }
    assert {"w-full", "gap-4", "items-center", "text-bold"} <= used
    assert used <= styled
