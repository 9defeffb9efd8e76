"""The weights that a new model starts from."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path

import numpy as np

from protonet.formats.caffemodel import write_weights
from tests.web.browser import Walker
from tests.web.conftest import NET, Served
from tests.web.walks.steps import paste


def test_a_file_on_the_server(walker: Walker, server: Served) -> None:
    page = walker.page
    walker.goto(f"/models/new?dataset={server.dataset}")
    paste(page, NET)
    walker.sees("No mistakes.")
    page.get_by_label("Epochs", exact=True).fill("1")
    page.get_by_label("Weights file on the server").fill("nowhere.caffemodel")
    told = page.locator(".weights").get_by_text("nowhere.caffemodel: no such file of weights")
    told.wait_for()
    page.get_by_role("button", name="Train", exact=True).click()
    walker.sees("nowhere.caffemodel: no such file")
    run = f"jobs/{server.training}/run"
    (model,) = sorted((server.folder / run).glob("*.caffemodel"))[-1:]
    page.get_by_label("Weights file on the server").fill(f"{run}/{model.name}")
    walker.sees("Layers that take their weights: 1 of 1.")
    told.wait_for(state="detached")
    page.get_by_role("button", name="Train", exact=True).click()
    page.wait_for_url("**/jobs/*")
    job = server.wait(page.url.rsplit("/", 1)[1])
    assert job["form"]["weights"] == f"{run}/{model.name}"


def test_an_upload_and_what_the_network_takes_of_it(
    walker: Walker, server: Served, tmp_path: Path
) -> None:
    """First weights of another net, then with leave to skip, then fitting ones."""
    page = walker.page
    wrong, right = tmp_path / "wrong.safetensors", tmp_path / "right.caffemodel"
    write_weights(wrong, {"hidden": [np.zeros((5, 320)), np.zeros(5)], "fc8": [np.zeros(3)]})
    write_weights(right, {"hidden": [np.zeros((2, 320)), np.zeros(2)], "fc8": [np.zeros(3)]})
    walker.goto(f"/models/new?dataset={server.dataset}")
    paste(page, NET)
    walker.sees("No mistakes.")
    before = len(server.call("/api/models"))
    choose = page.locator(".q-uploader input[type=file]")
    choose.set_input_files(wrong)
    walker.sees("layer 'hidden': found 5x320, 5, expected 2x320, 2")
    walker.sees("Layers that take their weights: 0 of 1. Other shapes: 1. Unused in the file: 1.")
    rows = [row.inner_text().split("\t") for row in page.locator(".weights tbody tr").all()]
    assert rows == [
        ["hidden", "InnerProduct", "has other shapes", "5x320, 5", "2x320, 2"],
        ["fc8", "\u2013", "is unused", "3", "\u2013"],
    ]
    page.get_by_role("button", name="Train", exact=True).click()
    page.locator(".q-notification").get_by_text("the weights are of another net").wait_for()
    assert len(server.call("/api/models")) == before

    choose.set_input_files(right)
    walker.sees("Layers that take their weights: 1 of 1. Unused in the file: 1.")
    assert page.get_by_role("alert").get_by_text("layer 'hidden'").count() <= 1
    page.get_by_label("Epochs", exact=True).fill("1")
    page.get_by_role("button", name="Train", exact=True).click()
    page.wait_for_url("**/jobs/*")
    job = server.wait(page.url.rsplit("/", 1)[1])
    assert job["form"]["weights"] == f"jobs/{job['id']}/weights/right.caffemodel"
    log = server.call(f"/api/jobs/{job['id']}/log?lines=5000")["log"]
    assert "right.caffemodel: hidden; unused in it: fc8" in log


def test_the_api_reports_the_same(server: Served, tmp_path: Path) -> None:
    path = tmp_path / "w.caffemodel"
    write_weights(path, {"hidden": [np.zeros((5, 320)), np.zeros(5)]})
    boundary = "edge"
    body = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="weights"; '
        'filename="w.caffemodel"\r\n\r\n'.encode()
        + path.read_bytes()
        + f"\r\n--{boundary}--\r\n".encode()
    )
    request = urllib.request.Request(
        server.address + "/api/models/weights",
        body,
        {"Content-Type": f"multipart/form-data; boundary={boundary}"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        stored = json.loads(answer.read())["weights"]
    asked = {"network": NET, "dataset": server.dataset, "weights": stored}
    report = server.call("/api/models/check", asked)
    assert report["mistakes"] == []
    assert report["weights"] == {
        "layers": [
            {
                "name": "hidden", "type": "InnerProduct", "state": "differs",
                "expected": [[2, 320], [2]], "found": [[5, 320], [5]],
            }
        ],
        "unused": [],
    }  # fmt: skip
    assert "the weights are of another net" in report["weights_error"]
    other = {"network": NET, "dataset": server.dataset, "weights_of": server.training}
    report = server.call("/api/models/check", other)
    assert ([each["state"] for each in report["weights"]["layers"]], report["weights_error"]) == (
        ["loaded"], "",
    )  # fmt: skip
