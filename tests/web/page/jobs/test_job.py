"""A training as it learns, and as it stands when it has ended."""

from __future__ import annotations

import json
import re
import urllib.request

from protonet.web.progress import _ENDED_PAUSE
from tests.web.browser import OPTIONS, Walker, wait_for
from tests.web.conftest import NET, Served


def test_figures_and_curves_move(walker: Walker, server: Served) -> None:
    page = walker.page
    form = {"name": "live", "network": NET, "dataset": server.dataset, "epochs": 300_000}
    job = server.call("/api/models", form)[0]["id"]
    server.wait(job, "run")
    walker.goto(f"/jobs/{job}")
    figure = page.locator(".fact .value").first
    page.wait_for_function("document.querySelector('.fact .value').innerText.includes('/')")
    before = figure.inner_text()
    page.wait_for_function(f"document.querySelector('.fact .value').innerText != '{before}'")
    walker.sees("Test a single image")  # it can be asked while it learns
    walker.sees("sgd_solver")
    log = "document.querySelector('.log')"
    page.wait_for_function(f"{log}.scrollHeight > 2 * {log}.clientHeight")
    end = "e => e.getBoundingClientRect().bottom"
    last = f"(r => {{r.selectNodeContents({log}); return r}})(document.createRange())"
    assert page.evaluate(f"{last}.getBoundingClientRect().bottom") <= page.locator(".log").evaluate(
        end
    )
    known = server.call(f"/api/jobs/{job}")["progress"]["snapshots"][-1]
    wait_for(
        lambda: server.call(f"/api/jobs/{job}")["progress"]["snapshots"][-1] > known, "a snapshot"
    )
    page.get_by_label("Snapshot").click()
    page.wait_for_function(
        "Math.max(0, ...[...document.querySelectorAll('.q-item')]"
        f".map(e => Number(e.innerText.split(' ')[1]) || 0)) > {known}"
    )
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Stop").click()
    server.wait(job, "abort")
    page.locator(".status", has_text="stopped").wait_for()
    server.call(f"/api/jobs/{job}", method="DELETE")


def test_a_hundred_thousand_points(walker: Walker, server: Served) -> None:
    """The page comes before they are read, and its chart has few of them."""
    form = {"name": "endless", "network": NET, "dataset": server.dataset, "epochs": 1}
    job = server.call("/api/models", form)[0]["id"]
    server.wait(job)
    metrics = server.folder / "jobs" / job / "run" / "metrics.jsonl"
    lines = map(json.loads, metrics.read_text().splitlines())
    line = next(each for each in lines if each["event"] == "iterated")
    with metrics.open("w") as stream:
        for number in range(100_000):
            stream.write(json.dumps({**line, "iteration": number, "loss": number % 7}) + "\n")
    # The files of an ended training are not looked at for some seconds.
    walker.page.wait_for_timeout(1000 * _ENDED_PAUSE)
    with urllib.request.urlopen(f"{server.address}/jobs/{job}", timeout=60) as page:
        assert "99,999" not in page.read().decode()
    walker.goto(f"/jobs/{job}")
    walker.sees(re.compile("^99,999 / "))
    walker.page.locator(".chart canvas").first.wait_for()
    walker.page.wait_for_function(f"{OPTIONS}[0]?.series.length > 0")
    data = walker.page.evaluate(f"{OPTIONS}[0]?.series[0].data")
    assert 700 < len(data) <= 800
    assert {value for _, value in data[1:-1]} == {0, 6}  # the least and the greatest
    server.call(f"/api/jobs/{job}", method="DELETE")


def test_a_chart_can_be_logarithmic(walker: Walker, server: Served) -> None:
    page = walker.page
    walker.goto(f"/jobs/{server.training}")
    page.locator(".chart canvas").first.wait_for()
    page.wait_for_function(f"{OPTIONS}[0]?.series[0]?.data.length > 3")
    page.get_by_text("Log scale").click()
    page.wait_for_function(f"{OPTIONS}[0]?.yAxis[0].type == 'log'")


def test_the_time_left_ticks_without_requests(walker: Walker, server: Served) -> None:
    page = walker.page
    walker.goto(f"/jobs/{server.training}")
    page.locator("[data-left]").wait_for(state="attached")
    page.wait_for_timeout(1500)  # what the page looks up for an ended training is done
    page.evaluate("document.querySelector('[data-left]').dataset.left = 4000")
    page.wait_for_function("document.querySelector('[data-left]').innerText == '1 h 6 min'")
    page.evaluate("document.querySelector('[data-left]').dataset.left = 65")
    for told in ("1 min 4 s", "1 min 3 s", "59 s"):
        page.wait_for_function(f"document.querySelector('[data-left]').innerText == '{told}'")


def test_one_that_failed_says_why(walker: Walker, server: Served) -> None:
    form = {"name": "wild", "network": NET, "dataset": server.dataset, "lrs": [1e5]}
    job = server.call("/api/models", form)[0]["id"]
    server.wait(job, "error")
    walker.goto(f"/jobs/{job}")
    walker.sees("the loss is not a finite number")
    walker.page.get_by_role("button", name="Resume").wait_for()
    # It has no snapshot.
    assert walker.page.get_by_role("button", name="Download").count() == 0
