"""Curves over epochs and time, smoothed over their pale raw ones; no empty chart is shown."""

from __future__ import annotations

from protonet.web.curves import Curves
from protonet.web.page.jobs.curve_panel import losses, machine
from tests.web.browser import OPTIONS, Walker
from tests.web.conftest import NET, Served

CURVES = Curves(
    loss=[(0, 2.0), (1, 1.0)], validation_loss=[], rate=[(0, 0.1)], outputs={},
    smoothed={"loss": [(0, 2.0), (1, 1.5)]}, speed=[(1, 300.0)], memory=[(0, 2**21), (1, None)],
)  # fmt: skip


def test_a_smoothed_curve_has_its_raw_one_behind() -> None:
    raw, smoothed, rate = losses(CURVES, log=False)["series"]
    assert (raw["name"], raw["data"]) == ("training loss", [[0, 2.0], [1, 1.0]])
    assert (smoothed["name"], smoothed["data"]) == ("training loss", [[0, 2.0], [1, 1.5]])
    assert (raw["lineStyle"]["opacity"], raw["color"]) == (0.3, smoothed["color"])
    assert rate["name"] == "learning rate"


def test_speed_and_memory() -> None:
    speed, memory = machine(CURVES)["series"]
    assert (speed["name"], speed["data"]) == ("images per second", [[1, 300.0]])
    assert (memory["name"], memory["data"]) == ("memory in MiB", [[0, 2.0], [1, None]])


def test_names_of_axes_stay_inside() -> None:
    left, right = losses(CURVES, log=False)["yAxis"]
    assert (left["nameTextStyle"]["align"], right["nameTextStyle"]["align"]) == ("left", "right")


def test_axes_and_smoothing(walker: Walker, server: Served) -> None:
    page = walker.page
    walker.goto(f"/jobs/{server.training}")
    page.locator(".chart canvas").first.wait_for()
    page.wait_for_function("document.querySelector('.chart canvas').clientWidth > 500")
    page.get_by_role("button", name="Epochs").click()
    page.wait_for_function(f"{OPTIONS}[0]?.xAxis[0].name == 'epoch'")
    data = page.evaluate(f"{OPTIONS}[0]?.series.find(e => e.name == 'validation loss').data")
    assert [x for x, _ in data][-1] == 4
    count = page.evaluate(f"{OPTIONS}[0]?.series.length")
    page.locator(".q-slider [tabindex='0']").focus()
    page.keyboard.press("PageUp")
    page.wait_for_function(f"{OPTIONS}[0]?.series.length == {count + 2}")


def test_without_values_there_is_no_chart(walker: Walker, server: Served) -> None:
    form = {"name": "waits", "network": NET, "dataset": server.dataset, "epochs": 300_000}
    jobs = [server.call("/api/models", {**form, "name": name})[0]["id"] for name in ("a", "b")]
    walker.goto(f"/jobs/{jobs[1]}")
    walker.sees("No values yet.")
    assert walker.page.locator(".chart:visible").count() == 0
    for job in jobs[::-1]:
        server.call(f"/api/jobs/{job}/stop", {})
        server.wait(job, "abort")
        server.call(f"/api/jobs/{job}", method="DELETE")
