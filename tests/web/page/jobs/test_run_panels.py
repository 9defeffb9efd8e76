"""The settings, texts, files and log of a run, opened by whom they interest."""

from __future__ import annotations

import re

from tests.web.browser import Walker
from tests.web.conftest import NET, Served


def test_settings_texts_and_files(walker: Walker, server: Served) -> None:
    page = walker.page
    walker.goto(f"/jobs/{server.training}")
    page.get_by_role("button", name='Expand "Settings"').click()
    row = page.locator("tr", has=page.get_by_role("cell", name="epochs", exact=True))
    assert row.inner_text().split() == ["epochs", "4"]
    page.get_by_role("button", name='Expand "Network').click()
    for tab, text in (("Deploy network", "Input"), ("Solver", "max_iter"), ("As given", "layer")):
        page.get_by_role("tab", name=tab).click()
        page.locator(".cm-content", has_text=text).first.wait_for()
    page.get_by_role("tab", name="Drawing").click()
    page.locator(".drawing svg").wait_for()
    page.get_by_role("button", name='Expand "Files"').click()
    with page.expect_download() as download:
        page.get_by_role("link", name="run.json").click()
    folder = server.folder / "jobs" / server.training / "run"
    assert download.value.path().read_bytes() == (folder / "run.json").read_bytes()


def test_the_log_is_searched(walker: Walker, server: Served) -> None:
    page = walker.page
    walker.goto(f"/jobs/{server.training}")
    page.get_by_label("Search the log").fill("SGD_SOLVER")
    walker.sees(re.compile(r"lines contain it$"))
    lines = page.locator(".log").inner_text().splitlines()
    assert all(re.match(r"\d+: .*sgd_solver", line) for line in lines)
    page.get_by_label("Search the log").fill("no such line")
    walker.sees("0 lines contain it")
    page.get_by_label("Search the log").fill("")
    page.wait_for_function("document.querySelector('.log').innerText.includes('sgd_solver')")


def test_before_the_training_begins(walker: Walker, server: Served) -> None:
    form = {"name": "waits", "network": NET, "dataset": server.dataset, "epochs": 300_000}
    jobs = [server.call("/api/models", {**form, "name": name})[0]["id"] for name in ("a", "b")]
    page = walker.page
    walker.goto(f"/jobs/{jobs[1]}")
    page.get_by_role("button", name='Expand "Settings"').click()
    walker.sees("The training has not begun.")
    page.get_by_role("button", name='Expand "Files"').click()
    walker.sees("There are no files yet.")
    for job in jobs[::-1]:
        server.call(f"/api/jobs/{job}/stop", {})
        server.wait(job, "abort")
        server.call(f"/api/jobs/{job}", method="DELETE")
