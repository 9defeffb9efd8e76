"""A list is filtered, sorted and turned over; a look at an unchanged one reads no jobs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from protonet.web.site import Site
from protonet.web.store import DATASET, DONE, ERROR, TRAINING
from protonet.web.workspace import Workspace
from tests.web.browser import Walker, served


def fill(folder: Path) -> None:
    """70 trainings that have ended, on one of two data sets."""
    site = Site(Workspace.open(folder))
    data = [site.add(DATASET, name) for name in ("odd", "even")]
    for number in range(70):
        group = "sweep" if number % 10 == 0 else ""
        job = site.add(TRAINING, f"net {number}", needs=(data[number % 2].id,), group=group)
        site.store.update(job.id, status=ERROR if number < 5 else DONE, error="")
    site.checks.close()
    site.store.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("many") / "work"
    fill(folder)
    with served(folder) as (address, _):
        yield address


@pytest.fixture
def many(browser: Any, address: str, tmp_path: Path) -> Iterator[Walker]:
    walker = Walker(browser, address, tmp_path)
    yield walker
    walker.page.close()
    assert walker.complaints == []


def shown(walker: Walker) -> list[str]:
    return list(walker.page.locator(".trainings [role=listitem] .name").all_inner_texts())


def test_filter_sort_and_pages(many: Walker) -> None:
    page = many.page
    many.goto("/models")
    many.sees("1 to 25 of 70")
    assert shown(many)[0] == "net 69"
    page.get_by_role("button", name="Next page").click()
    many.sees("26 to 50 of 70")
    assert shown(many)[0] == "net 44"
    page.get_by_role("button", name="Sort by name").click()
    many.sees("1 to 25 of 70")
    assert shown(many)[:2] == ["net 0", "net 1"]
    page.get_by_role("button", name="Sort by name, ascending").click()
    page.get_by_role("button", name="Sort by name, descending").wait_for()
    assert shown(many)[0] == "net 9"
    page.get_by_label("Name contains").fill("NET 1")
    many.sees("1 to 11 of 11")
    page.get_by_label("Data set contains").fill("odd")
    many.sees("1 to 5 of 5")
    assert shown(many) == ["net 18", "net 16", "net 14", "net 12", "net 10"]
    page.get_by_label("Name contains").fill("no such name")
    many.sees("None match the filter.")
    many.goto("/models")
    page.get_by_label("Status", exact=True).click()
    page.get_by_role("option", name="failed").click()
    many.sees("1 to 5 of 5")
    many.goto("/jobs?group=sweep")
    many.sees("1 to 7 of 7")
    page.get_by_label("Made until").first.fill("2001-01-31")
    many.sees("None match the filter.")


def test_many_are_chosen_grouped_and_deleted(many: Walker) -> None:
    """Over pages; a data set that others need stays, with the reason."""
    page = many.page
    many.goto("/models")
    page.get_by_label("Name contains").fill("net 2")
    many.sees("1 to 11 of 11")
    page.get_by_role("button", name="All 11").click()
    many.sees("11 chosen")
    page.get_by_label("Name contains").fill("net 3")
    page.get_by_role("link", name="net 39").wait_for()
    page.get_by_label("Choose net 39").click()
    many.sees("12 chosen")
    page.get_by_role("button", name="Group", exact=True).click()
    page.locator(".q-dialog").get_by_label("Group").fill("twenties")
    page.locator(".q-dialog").get_by_role("button", name="Put into the group").click()
    many.sees("12 jobs put into the group")
    many.goto("/jobs?group=twenties")
    many.sees("1 to 12 of 12")
    page.get_by_role("button", name="This page").first.click()
    page.get_by_role("button", name="Delete").first.click()
    many.sees("Delete 12 jobs with all files?")
    page.locator(".q-dialog").get_by_role("button", name="Delete").click()
    many.sees("12 jobs deleted")
    page.get_by_text("None match the filter.").wait_for()
    many.goto("/datasets")
    page.get_by_label("Choose odd").click()
    page.get_by_role("button", name="Delete").click()
    page.locator(".q-dialog").get_by_role("button", name="Delete").click()
    many.sees("and 24 more; delete these first")
