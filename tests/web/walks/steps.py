"""What the walks do alike: a data set from a form, a network, its training."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.web.browser import Walker, served


@contextmanager
def walking(browser: Any, folder: Path, pictures: Path) -> Iterator[Walker]:
    """A person at the page of an empty workspace; what the browser complains of fails."""
    with served(folder) as (address, _):
        walker = Walker(browser, address, pictures)
        yield walker
        assert walker.complaints == []
        walker.page.close()


def make_dataset(
    walker: Walker, form: str, fields: Mapping[str, str], button: str = "Create data set"
) -> str:
    """Fill in one of the forms of a new data set; return its id once it can be trained on."""
    page = walker.page
    walker.goto("/datasets/new")
    panel = walker.form(form)
    for name, value in fields.items():
        panel.get_by_label(name, exact=True).fill(value)
    panel.get_by_role("button", name=button).click()
    page.wait_for_url(re.compile(r"/datasets/\d{8}-"))
    page.get_by_role("button", name="New model").wait_for(timeout=120_000)
    return str(page.url.rsplit("/", 1)[1])


def paste(page: Any, text: str) -> None:
    """Put a text into the editor as a person pastes it."""
    page.locator(".cm-content").click()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(text)


def train(walker: Walker, network: str, fields: Mapping[str, str], solver: str = "SGD") -> str:
    """Train a network on the data set whose page is open; return the id of the job."""
    page = walker.page
    page.get_by_role("button", name="New model").click()
    walker.sees("Paste a network of Caffe or Torch7")
    paste(page, network)
    walker.sees(re.compile(r"No mistakes\."))
    for name, value in fields.items():
        page.get_by_label(name, exact=True).fill(value)
    if solver != "SGD":
        page.get_by_label("Solver", exact=True).click()
        page.get_by_role("option", name=solver, exact=True).click()
    page.get_by_role("button", name="Train", exact=True).click()
    page.wait_for_url(re.compile("/jobs/"))
    page.get_by_role("button", name="Test one").wait_for(timeout=240_000)
    page.locator(".status", has_text=re.compile("done|failed")).wait_for(timeout=240_000)
    assert page.locator(".status").first.inner_text() == "done"
    return str(page.url.rsplit("/", 1)[1])
