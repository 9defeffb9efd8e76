"""Comparison of several trainings: a sweep's table, its lines and its curves."""

from __future__ import annotations

from tests.web.browser import OPTIONS, Walker
from tests.web.conftest import NET, Served


def test_curves_of_two_trainings(walker: Walker, server: Served) -> None:
    form = {"name": "second", "network": NET, "dataset": server.dataset, "epochs": 2}
    other = server.call("/api/models", form)[0]["id"]
    server.wait(other)
    walker.goto(f"/compare?jobs={server.training},{other}")
    page = walker.page
    page.locator(".chart canvas").nth(1).wait_for()
    page.wait_for_function(f"{OPTIONS}.length == 2 && {OPTIONS}[1]?.series.length == 2")
    page.get_by_label("What").click()
    page.get_by_role("option", name="Validation loss").click()
    page.get_by_text("Log scale").click()
    page.wait_for_timeout(300)
    walker.goto("/compare?jobs=nope")
    walker.sees("there is no job 'nope'")


def test_the_table_of_a_sweep(walker: Walker, server: Served) -> None:
    form = {"name": "swept", "network": NET, "dataset": server.dataset, "epochs": 1,
            "lrs": [0.003, 0.01, 0.00001]}  # fmt: skip
    jobs = [each["id"] for each in server.call("/api/models", form)]
    for job in jobs:
        assert server.wait(job)["group"] == "swept"
    page = walker.page
    walker.goto("/jobs?group=swept")
    page.locator(".trainings [role=listitem] a", has_text="swept").nth(1).click()
    page.wait_for_url("**/compare?group=swept")
    page.locator(".compared tbody tr").nth(2).wait_for()
    names = page.locator(".compared tbody a")
    page.get_by_role("columnheader", name="lr").click()
    page.wait_for_function(
        "document.querySelector('.compared tbody a').innerText == 'swept lr 1e-05'"
    )
    assert names.all_inner_texts() == ["swept lr 1e-05", "swept lr 0.003", "swept lr 0.01"]
    page.get_by_role("columnheader", name="validation loss").click()
    view = server.call("/api/jobs/table?group=swept&sort=validation loss".replace(" ", "%20"))
    best = [each["name"] for each in view["rows"]]
    page.wait_for_function(f"document.querySelector('.compared tbody a').innerText == '{best[0]}'")
    assert names.all_inner_texts() == best
    assert "(best)" in page.locator(".compared tbody tr").first.inner_text()
    chart = page.evaluate(f"{OPTIONS}[0]")
    assert chart["parallelAxis"][0]["name"] == "lr"
    assert len(chart["series"][0]["data"]) == 3
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV").click()
    assert download.value.path().read_text().splitlines()[0].startswith("name,lr,training loss")
