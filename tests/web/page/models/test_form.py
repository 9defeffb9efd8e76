"""The form of a model: standard networks, drawings, sweeps, weights to begin with."""

from __future__ import annotations

import re

import pytest

from tests.web.browser import OPTIONS, Walker
from tests.web.conftest import NET, Served
from tests.web.walks.steps import paste


def test_a_standard_network_is_drawn(walker: Walker) -> None:
    page = walker.page
    walker.goto("/models/new")
    page.get_by_label("Start from").click()
    page.get_by_role("option", name="lenet", exact=True).click()
    page.get_by_text("Convolution").first.wait_for()
    page.get_by_role("button", name="Visualize").click()
    page.locator(".drawing svg").wait_for()
    paste(page, "layer {")
    page.get_by_role("button", name="Visualize").click()
    walker.sees("net.prototxt:1")


def test_a_sweep_from_the_weights_of_another(walker: Walker, server: Served) -> None:
    page = walker.page
    walker.goto(f"/models/new?dataset={server.dataset}")
    page.get_by_label("Name", exact=True).fill("sweep")
    paste(page, NET)
    walker.sees("No mistakes.")
    paste(page, "reduce_buckets: 3\n" + NET)
    walker.sees("No mistakes. Without effect: reduce_buckets.")
    paste(page, NET)
    page.get_by_label("Learning rates").fill("0.01, 0.001")
    page.get_by_label("Epochs", exact=True).fill("1")
    page.get_by_label("Learning-rate policy").click()
    page.get_by_role("option", name="Cosine").click()
    page.get_by_label("Weights of").click()
    page.get_by_role("option", name="first").first.click()
    page.get_by_role("button", name="Train", exact=True).click()
    page.wait_for_url(re.compile("/jobs$"))
    walker.sees("sweep lr 0.001")
    jobs = [job for job in server.call("/api/models") if job["name"].startswith("sweep")]
    assert {job["form"]["lr_policy"] for job in jobs} == {"cosine"}
    for job in jobs:
        assert server.training in job["needs"]
        server.wait(job["id"])


def test_the_rate_is_drawn_over_the_whole_training(walker: Walker, server: Served) -> None:
    """60 images in batches of 7 are 9 iterations; the policy steps after half of 4 epochs."""
    page = walker.page
    walker.goto("/models/new?dataset=")
    page.get_by_label("Epochs", exact=True).fill("4")
    page.wait_for_function(f"{OPTIONS}[0]?.xAxis[0].name === 'epoch'")
    walker.goto(f"/models/new?dataset={server.dataset}")
    paste(page, NET)
    walker.sees("No mistakes.")
    page.get_by_label("Epochs", exact=True).fill("4")
    page.get_by_label("Batch sizes").fill("7")
    page.get_by_label("Warm-up").fill("3")
    page.get_by_label("Minimum learning rate").fill("0.004")
    page.wait_for_function(f"Math.abs({OPTIONS}[0]?.series[0].data.at(-1)[1] - 0.004) < 1e-6")
    (chart,) = page.evaluate(OPTIONS)
    assert chart["xAxis"][0]["name"] == "iteration"
    drawn = dict(chart["series"][0]["data"])
    assert list(drawn) == list(range(36))
    assert [drawn[at] for at in (3, 17, 18)] == pytest.approx([0.01, 0.01, 0.005], rel=1e-5)
    assert drawn[0] == drawn[35] == pytest.approx(0.004)
    assert 0.004 < drawn[2] < 0.01


def test_mistakes_stop_a_training(walker: Walker, server: Served) -> None:
    page = walker.page
    before = len(server.call("/api/models"))
    walker.goto(f"/models/new?dataset={server.dataset}")
    paste(page, NET.replace("output: 2", "output: 5"))
    page.get_by_role("button", name="Train", exact=True).click()
    page.locator(".q-notification").wait_for()
    page.get_by_label("Learning rates").fill("fast")
    page.get_by_role("button", name="Train", exact=True).click()
    walker.sees("expected numbers, got 'fast'")
    assert len(server.call("/api/models")) == before
