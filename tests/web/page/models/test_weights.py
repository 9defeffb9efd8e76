"""The weights that a new model starts from."""

from __future__ import annotations

from tests.web.browser import Walker
from tests.web.conftest import NET, Served
from tests.web.test_walk import paste


def test_a_file_on_the_server(walker: Walker, server: Served) -> None:
    page = walker.page
    walker.goto(f"/models/new?dataset={server.dataset}")
    paste(page, NET)
    walker.sees("No mistakes.")
    page.get_by_label("Epochs", exact=True).fill("1")
    page.get_by_label("Weights file on the server").fill("nowhere.caffemodel")
    page.get_by_role("button", name="Train", exact=True).click()
    walker.sees("nowhere.caffemodel: no such file")
    run = f"jobs/{server.training}/run"
    (model,) = sorted((server.folder / run).glob("*.caffemodel"))[-1:]
    page.get_by_label("Weights file on the server").fill(f"{run}/{model.name}")
    page.get_by_role("button", name="Train", exact=True).click()
    page.wait_for_url("**/jobs/*")
    job = server.wait(page.url.rsplit("/", 1)[1])
    assert job["form"]["weights"] == f"{run}/{model.name}"
