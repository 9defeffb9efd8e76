"""Curves, settings, files and lines of the log of a training in the API."""

from __future__ import annotations

import urllib.request

from tests.web.conftest import Served


def test_a_run_and_its_files(server: Served) -> None:
    job = f"/api/jobs/{server.training}"
    assert server.call(f"{job}/settings")["epochs"] == 4
    names = {each["name"]: each["bytes"] for each in server.call(f"{job}/files")}
    with urllib.request.urlopen(f"{server.address}{job}/files/deploy.prototxt") as answer:
        data = answer.read()
        assert 'filename="deploy.prototxt"' in answer.headers["Content-Disposition"]
    assert len(data) == names["deploy.prototxt"] > 0


def test_curves_and_lines_of_the_log(server: Served) -> None:
    job = f"/api/jobs/{server.training}"
    curves = server.call(f"{job}/curves?x=epoch&smoothing=0.9")
    assert curves["x"] == "epoch"
    assert curves["validation_loss"][-1][0] == 4
    assert curves["smoothed"]["loss"][0] == curves["loss"][0]
    assert len(curves["speed"]) > 0
    assert min(memory for _, memory in curves["memory"]) > 2**20
    found = server.call(f"{job}/log/lines?text=ITERATION&lines=2")
    assert len(found["lines"]) == 2 < found["total"]
    assert all("iteration" in line.lower() for _, line in found["lines"])
