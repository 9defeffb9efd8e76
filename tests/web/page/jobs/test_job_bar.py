"""What may be done with a job: renaming, notes, cloning, deleting, stopping, going on."""

from __future__ import annotations

from tests.web.browser import Walker, wait_for
from tests.web.conftest import NET, Served


def train(server: Served, **form: object) -> str:
    given = {"name": "bar", "network": NET, "dataset": server.dataset, "epochs": 1, **form}
    return str(server.call("/api/models", given)[0]["id"])


def test_names_and_notes(walker: Walker, server: Served) -> None:
    job = train(server)
    server.wait(job)
    page = walker.page
    walker.goto(f"/jobs/{job}")
    page.get_by_role("button", name="Name, group").click()
    page.locator(".q-dialog").get_by_label("Name").fill("better")
    page.locator(".q-dialog").get_by_label("Group").fill("good ones")
    page.locator(".q-dialog").get_by_role("button", name="Save").click()
    page.locator("h1", has_text="better").wait_for()
    walker.sees("group: good ones")
    page.get_by_label("Notes").fill("it works")
    page.keyboard.press("Tab")
    wait_for(lambda: server.call(f"/api/jobs/{job}")["notes"] == "it works", "the notes")


def test_deleting_asks_first(walker: Walker, server: Served) -> None:
    job = train(server)
    server.wait(job)
    page = walker.page
    walker.goto(f"/datasets/{server.dataset}")
    page.get_by_role("button", name="Delete").first.click()
    page.locator(".q-dialog").get_by_role("button", name="Delete").click()
    walker.sees("delete these first")
    walker.goto(f"/jobs/{job}")
    page.get_by_role("button", name="Delete").first.click()
    page.get_by_role("button", name="Cancel").click()
    page.wait_for_timeout(300)
    assert server.call(f"/api/jobs/{job}")["status"] == "done"
    page.get_by_role("button", name="Delete").first.click()
    page.locator(".q-dialog").get_by_role("button", name="Delete").click()
    page.wait_for_url("**/jobs")
    assert job not in [each["id"] for each in server.call("/api/jobs")]


def test_stopping_going_on_and_downloading(walker: Walker, server: Served) -> None:
    job = train(server, epochs=300_000)
    page = walker.page
    walker.goto(f"/jobs/{job}")
    server.wait(job, "run")
    wait_for(lambda: server.call(f"/api/jobs/{job}")["progress"]["snapshots"], "a snapshot")
    page.get_by_role("button", name="Stop").click()
    server.wait(job, "abort")
    page.get_by_role("button", name="Resume").click()
    server.wait(job, "run")
    page.get_by_role("button", name="Stop").click()
    server.wait(job, "abort")
    page.get_by_role("button", name="On another device").click()
    page.locator(".q-dialog").get_by_label("Device").fill("gpu")
    page.locator(".q-dialog").get_by_role("button", name="Resume there").click()
    walker.sees("device: String should match pattern")
    page.get_by_role("button", name="On another device").click()
    page.locator(".q-dialog").get_by_label("Device").fill("cuda:77")
    page.locator(".q-dialog").get_by_role("button", name="Resume there").click()
    assert "cuda:77" in server.wait(job, "error")["error"]
    assert server.call(f"/api/jobs/{job}")["form"]["device"] == "cuda:77"
    server.call(f"/api/jobs/{job}/resume", {"device": "cpu"})
    server.wait(job, "run")
    server.call(f"/api/jobs/{job}/stop", {})
    server.wait(job, "abort")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    assert download.value.suggested_filename == f"{job}.zip"
    server.call(f"/api/jobs/{job}", method="DELETE")


def test_training_longer(walker: Walker, server: Served) -> None:
    job = train(server, epochs=2, accumulation=2)
    ends = server.wait(job)["progress"]["iterations"]
    page = walker.page
    walker.goto(f"/jobs/{job}")
    page.get_by_role("button", name="Train longer").click()
    length = page.locator(".q-dialog").get_by_label("Total epochs")
    assert length.input_value() == "4"
    length.fill("1")
    page.locator(".q-dialog").get_by_role("button", name="Train longer").click()
    walker.sees("give more epochs, not 1")
    walker.goto(f"/jobs/{job}")
    page.get_by_role("button", name="Train longer").click()
    page.locator(".q-dialog").get_by_label("Total epochs").fill("6")
    page.locator(".q-dialog").get_by_role("button", name="Train longer").click()
    wait_for(
        lambda: server.call(f"/api/jobs/{job}")["progress"]["iteration"] == 3 * ends, "the length"
    )
    assert server.wait(job)["form"]["epochs"] == 6


def test_a_clone_begins_with_the_same_form(walker: Walker, server: Served) -> None:
    job = train(server, lrs=[0.003], momentum=0.5, accumulation=3, val_every=0.5)
    server.wait(job)
    walker.goto(f"/jobs/{job}")
    walker.page.get_by_role("button", name="Clone").click()
    walker.sees("No mistakes.")
    assert walker.page.get_by_label("Learning rates").input_value() == "0.003"
    assert walker.page.get_by_label("Momentum").input_value() == "0.5"
    assert walker.page.get_by_label("Batches per update").input_value() == "3"
    assert walker.page.get_by_label("Epochs between validations").input_value() == "0.5"
    assert walker.page.get_by_label("Epochs between snapshots").input_value() == "1"
