"""The solver of a new model: its fields follow the update rule and the language."""

from __future__ import annotations

from tests.web.browser import OPTIONS, ROOT, Walker
from tests.web.conftest import NET, Served
from tests.web.walks.steps import paste

LUA = (ROOT / "examples" / "torch7" / "gradients" / "net.lua").read_text()


def test_constants_are_those_of_the_rule(walker: Walker, server: Served) -> None:
    page = walker.page
    walker.goto(f"/models/new?dataset={server.dataset}")
    assert page.get_by_label("beta2").is_hidden()
    page.get_by_label("Solver", exact=True).click()
    page.get_by_role("option", name="Adam", exact=True).click()
    page.get_by_label("beta2").wait_for()
    assert page.get_by_label("Delta").is_visible()
    assert page.get_by_label("RMS decay").is_hidden()
    page.get_by_label("beta2").fill("0.9")
    paste(page, NET)
    walker.sees("No mistakes.")
    page.get_by_label("Epochs", exact=True).fill("1")
    page.get_by_text("Validation and snapshots").click()
    page.get_by_label("Snapshots to keep").fill("1")
    page.get_by_text("Device, memory and speed").click()
    page.get_by_label("Memory limit").fill("1GiB")
    page.get_by_role("button", name="Train", exact=True).click()
    page.wait_for_url("**/jobs/*")
    job = server.wait(page.url.rsplit("/", 1)[1])
    run = server.folder / "jobs" / job["id"] / "run"
    assert "momentum2: 0.9" in (run / "solver.prototxt").read_text()
    assert (job["form"]["keep"], job["form"]["memory_limit"]) == (1, 2**30)
    assert job["form"]["lr_policy"] is None


def test_a_lua_text_has_the_policy_of_torch7(walker: Walker, server: Served) -> None:
    """Unless another is chosen."""
    page = walker.page
    walker.goto(f"/models/new?dataset={server.dataset}")
    page.wait_for_function(f"{OPTIONS}[0]?.series[0].data.at(-1)[1] < 0.003")
    paste(page, LUA)
    walker.sees("No mistakes.")
    page.wait_for_function(f"{OPTIONS}[0]?.series[0].data.at(-1)[1] > 0.0099")
    page.get_by_label("Dampening").wait_for()
    page.get_by_label("Epochs", exact=True).fill("1")
    page.get_by_role("button", name="Train", exact=True).click()
    page.wait_for_url("**/jobs/*")
    job = server.wait(page.url.rsplit("/", 1)[1])
    run = server.folder / "jobs" / job["id"] / "run"
    assert "lr_policy torch_sgd" in (run / "solver.prototxt").read_text()
