"""How the images of a new model are read: mean, crop, mirror."""

from __future__ import annotations

from tests.web.browser import Walker
from tests.web.conftest import NET, Served
from tests.web.walks.steps import paste


def test_a_crop_changes_the_shapes(walker: Walker, server: Served) -> None:
    page = walker.page
    walker.goto(f"/models/new?dataset={server.dataset}")
    paste(page, NET)
    walker.sees("scale 16 x 1 x 16 x 20")
    page.get_by_label("Crop (0: none)").fill("9")
    walker.sees("scale 16 x 1 x 9 x 9")
    page.get_by_label("Crop (0: none)").fill("17")
    walker.sees("crop_size 17 is larger than")


def test_mean_and_mirror_reach_the_training(walker: Walker, server: Served) -> None:
    page = walker.page
    walker.goto(f"/models/new?dataset={server.dataset}")
    paste(page, NET)
    walker.sees("No mistakes.")
    page.get_by_label("Name", exact=True).fill("pixel")
    page.get_by_label("Epochs", exact=True).fill("1")
    page.get_by_label("Mean values or file").fill("12.5")
    page.get_by_label("Crop (0: none)").fill("9")
    page.get_by_label("Mirror").click()
    page.get_by_role("option", name="At random in training").click()
    page.get_by_role("button", name="Train", exact=True).click()
    page.wait_for_url("**/jobs/*")
    job = server.wait(page.url.rsplit("/", 1)[1])
    assert [job["form"][name] for name in ("mean", "crop", "mirror")] == ["12.5", 9, True]
    text = (server.folder / "jobs" / job["id"] / "run" / "train_val.prototxt").read_text()
    assert "mean_value: 12.5" in text
    assert text.count("crop_size: 9") == 2
    assert text.count("mirror: true") == 1
    walker.goto(f"/models/new?clone={job['id']}")
    assert page.get_by_label("Mean values or file").input_value() == "12.5"
