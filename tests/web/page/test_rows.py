"""Rows of lists as HTML: what users have written is text there."""

from __future__ import annotations

from xml.etree import ElementTree

from protonet.web.page.rows import box, job_cell, link, row, status_cell, words
from protonet.web.store import ERROR, TRAINING, Job

NASTY = "<b onclick='x'>\"a\" & b</b>"


def test_names_are_text() -> None:
    job = Job("1-2", TRAINING, NASTY, status=ERROR)
    cells = [
        box(job.id, f"Choose {NASTY}", checked=True).replace(" checked>", "/>"),
        job_cell(job, "name"),
        status_cell(job),
        link(NASTY, f"/compare?group={NASTY}", "quiet"),
        words(NASTY),
    ]
    shown = ElementTree.fromstring(row(cells))
    assert [each.tag for each in shown.iter()] == ["div", "input", "a", "span", "a", "span"]
    chosen, name, status, group, told = shown
    assert chosen.get("value") == "1-2"
    assert chosen.get("aria-label") == f"Choose {NASTY}"
    assert name.text == group.text == told.text == NASTY
    assert name.get("href") == "/jobs/1-2"
    assert group.get("href") == f"/compare?group={NASTY}"
    assert status.text == "failed"
    assert "bg-negative" in str(status.get("class"))


def test_a_box_is_checked_or_not() -> None:
    assert " checked" in box("a", "b", checked=True)
    assert " checked" not in box("a", "b", checked=False)
