"""Marks of mistakes: the line, and the word at the column; in the browser as they are typed."""

from __future__ import annotations

import pytest

from protonet.errors import Mistake
from protonet.web.page.models.editor import decorations, language_of
from tests.web.browser import Walker
from tests.web.conftest import NET, Served
from tests.web.walks.steps import paste

TEXT = 'name: "x"\nlayer { typo: "Powr" }\n'


def test_lines_and_words_are_marked() -> None:
    marks = decorations(TEXT, [Mistake("m", "f", 2, 9), Mistake("n", "f", 2, 15)])
    lines = [mark["line"] for mark in marks if mark["kind"] == "line"]
    words = [TEXT[mark["from"] : mark["to"]] for mark in marks if mark["kind"] == "mark"]
    assert lines == [2, 2]
    assert words == ["typo", '"Powr"']


def test_places_that_are_none() -> None:
    assert decorations(TEXT, [Mistake("m"), Mistake("m", "f", 9, 1)]) == []
    (line,) = decorations("a\n\nb", [Mistake("m", "f", 2, 1)])
    assert line["kind"] == "line"
    marks = decorations('a "open\n', [Mistake("m", "f", 1, 3)])
    assert marks[1]["to"] - marks[1]["from"] == 1


def test_mistakes_come_and_go_as_one_types(walker: Walker, server: Served) -> None:
    page = walker.page
    walker.goto(f"/models/new?dataset={server.dataset}")
    page.locator(".cm-content").wait_for()
    paste(page, NET.replace("Power", "Powr"))
    walker.sees("unknown layer type 'Powr'")
    assert page.locator(".mistake-line").count() == 1
    page.get_by_role("button", name="1:29").click()  # goes to the line
    paste(page, NET)
    walker.sees("No mistakes.")
    page.locator(".mistake-line").wait_for(state="detached")


def test_by_keyboard(walker: Walker) -> None:
    """Tab indents, and the page says how to leave."""
    page = walker.page
    walker.goto("/models/new")
    group = page.get_by_role("group", name="Network definition")
    group.locator(".cm-content").click()
    within = "document.activeElement.closest('.prototxt') !== null"
    told = page.get_by_text("Esc, then Tab, leaves the editor.")
    assert told.is_visible()
    page.keyboard.press("Tab")
    assert page.evaluate(within)
    page.keyboard.press("Escape")
    page.keyboard.press("Tab")
    assert not page.evaluate(within)
    assert told.is_hidden()


def test_the_language_is_that_of_the_text() -> None:
    assert language_of("return function(p) end") == "Lua"
    assert language_of(TEXT) == language_of("") == "ProtoBuf"


def height(walker: Walker) -> float:
    return float(walker.page.locator(".prototxt").bounding_box()["height"])


def test_it_grows_with_its_text_up_to_a_share_of_the_window(walker: Walker) -> None:
    """It can be made larger or smaller at its corner."""
    page = walker.page
    page.set_viewport_size({"width": 1280, "height": 1000})
    walker.goto("/models/new")
    page.locator(".cm-content").wait_for()
    assert 180 <= height(walker) <= 210
    paste(page, "# line\n" * 25)
    page.wait_for_function("document.querySelectorAll('.cm-line').length >= 26")
    middle = height(walker)
    assert 26 * 15 <= middle <= 26 * 22
    paste(page, "# line\n" * 300)
    page.wait_for_function("document.querySelector('.prototxt').clientHeight > 600")
    assert height(walker) == pytest.approx(700, abs=5)
    box = page.locator(".prototxt").bounding_box()
    assert box is not None
    corner = (box["x"] + box["width"] - 5, box["y"] + box["height"] - 5)
    page.mouse.move(*corner)
    page.mouse.down()
    page.mouse.move(corner[0], corner[1] + 150)
    page.mouse.up()
    assert height(walker) == pytest.approx(850, abs=20)
    assert page.locator(".cm-editor").bounding_box()["height"] == pytest.approx(850, abs=20)
