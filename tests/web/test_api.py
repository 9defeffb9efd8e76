"""Every route of the API, wrong input included."""

from __future__ import annotations

import asyncio
import io
import json
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from protonet.web.server import create_app
from protonet.web.site import Site
from protonet.web.workspace import Workspace
from tests.web.browser import end_jobs, wait_for
from tests.web.conftest import NET


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    site = Site(Workspace.open(tmp_path_factory.mktemp("api") / "work"))
    with TestClient(create_app(site)) as client:
        client.site = site
        yield client
    end_jobs(site.workspace.folder)


@pytest.fixture(scope="module")
def dataset(api: TestClient) -> str:
    answer = api.post("/api/datasets/gradients", json={"width": 12, "height": 10, "count": 40})
    assert answer.status_code == 201
    return wait(api, answer.json()["id"])


@pytest.fixture(scope="module")
def training(api: TestClient, dataset: str) -> str:
    form = {"name": "t", "network": NET, "dataset": dataset, "epochs": 3, "batch_sizes": [10]}
    answer = api.post("/api/models", json=form)
    assert answer.status_code == 201
    return wait(api, answer.json()[0]["id"])


def wait(api: TestClient, job: str, *statuses: str) -> str:
    found = api.site.wait(job, 60)
    assert found.status in (statuses or ("done",)), found
    return job


def test_models(api: TestClient, dataset: str, training: str) -> None:
    assert training in [each["id"] for each in api.get("/api/models").json()]
    standard = api.get("/api/models/standard").json()
    assert {"lenet", "alexnet", "googlenet", "gradients"} <= set(standard)
    good = api.post("/api/models/check", json={"network": NET, "dataset": dataset}).json()
    assert good["mistakes"] == []
    assert good["parameters"] == 242
    wrong = api.post("/api/models/check", json={"network": NET.replace("Power", "Powr")}).json()
    assert wrong["mistakes"][0]["line"] == 1
    svg = api.post("/api/models/draw", json={"network": NET})
    assert svg.headers["content-type"] == "image/svg+xml"
    assert api.post("/api/models/draw", json={"network": "layer {"}).status_code == 422
    asked = {"lr_policy": "fixed", "lr": 0.5, "images": 30, "batch_size": 8, "epochs": 1}
    curve = api.post("/api/models/policy", json=asked).json()
    assert curve == {"x": "iteration", "points": [[at, 0.5] for at in range(4)]}
    form = {"name": "x", "network": NET.replace("Power", "Powr"), "dataset": dataset}
    refused = api.post("/api/models", json=form)
    assert refused.status_code == 422
    assert refused.json()["mistakes"][0]["line"] == 1


def test_a_training(api: TestClient, training: str) -> None:
    told = api.get(f"/api/jobs/{training}").json()
    assert told["progress"]["iteration"] == told["progress"]["iterations"] == 12
    curves = api.get(f"/api/jobs/{training}/curves").json()
    assert len(curves["loss"]) == 12
    assert len(curves["validation_loss"]) == 4
    assert "Optimization Done" in api.get(f"/api/jobs/{training}/log").json()["log"]
    both = api.get("/api/jobs/compare", params={"jobs": training}).json()
    assert both[training]["loss"] == curves["loss"]
    packed = api.get(f"/api/jobs/{training}/archive")
    assert zipfile.ZipFile(io.BytesIO(packed.content)).testzip() is None


def test_changing_and_cloning_and_deleting(api: TestClient, training: str, dataset: str) -> None:
    told = api.patch(f"/api/jobs/{training}", json={"name": "renamed", "notes": "n"}).json()
    assert (told["name"], told["notes"]) == ("renamed", "n")
    assert api.patch(f"/api/jobs/{training}", json={}).json()["name"] == "renamed"
    (clone,) = api.post(f"/api/jobs/{training}/clone").json()
    wait(api, clone["id"])
    first, again = (api.get(f"/api/jobs/{job}/curves").json() for job in (training, clone["id"]))
    assert first["loss"] == again["loss"]
    refused = api.delete(f"/api/jobs/{dataset}")
    assert refused.status_code == 400
    assert "other jobs need it" in refused.json()["error"]
    assert api.delete(f"/api/jobs/{clone['id']}").status_code == 204
    assert api.get(f"/api/jobs/{clone['id']}").status_code == 404


def test_stopping_and_going_on(api: TestClient, dataset: str) -> None:
    form = {"name": "long", "network": NET, "dataset": dataset, "epochs": 200_000}
    job = api.post("/api/models", json=form).json()[0]["id"]

    def iteration() -> int:
        return int(api.get(f"/api/jobs/{job}").json()["progress"]["iteration"])

    wait_for(lambda: iteration() >= 20, "its first iterations")
    api.post(f"/api/jobs/{job}/stop")
    wait(api, job, "abort")
    stopped = api.get(f"/api/jobs/{job}").json()["progress"]
    assert stopped["snapshots"]
    assert api.post(f"/api/jobs/{job}/resume").json()["status"] == "wait"
    wait_for(lambda: iteration() > stopped["iteration"], "its going on")
    api.post(f"/api/jobs/{job}/stop")
    wait(api, job, "abort")


def test_a_training_is_prolonged(api: TestClient, dataset: str) -> None:
    form = {
        "name": "longer", "network": NET, "dataset": dataset, "epochs": 2, "batch_sizes": [5],
        "accumulation": 2, "snapshot_every": 0.5, "val_every": 0, "seed": 3,
    }  # fmt: skip
    job = wait(api, api.post("/api/models", json=form).json()[0]["id"])
    before = api.get(f"/api/jobs/{job}").json()["progress"]
    assert (before["iterations"], before["snapshots"]) == (8, [2, 4, 6, 8])
    assert before["validation_loss"] is None
    less = api.post(f"/api/jobs/{job}/prolong", json={"epochs": 2})
    assert (less.status_code, less.json()["error"]) == (
        400, "'longer' was trained for 2 epochs; give more epochs, not 2",
    )  # fmt: skip
    assert api.post(f"/api/jobs/{job}/prolong", json={"epochs": 0}).status_code == 422
    assert api.post(f"/api/jobs/{dataset}/prolong", json={"epochs": 9}).status_code == 400
    assert api.get(f"/api/jobs/{job}").json()["status"] == "done"
    told = api.post(f"/api/jobs/{job}/prolong", json={"epochs": 3.5}).json()
    assert told["form"]["epochs"] == 3.5
    wait(api, job)
    found = api.get(f"/api/jobs/{job}").json()
    assert (found["progress"]["iteration"], found["progress"]["iterations"]) == (14, 14)
    assert found["progress"]["snapshots"] == [2, 4, 6, 8, 10, 12, 14]
    assert (
        "the run now has 14 iterations instead of 8"
        in api.get(f"/api/jobs/{job}/log").json()["log"]
    )
    again = api.post(f"/api/jobs/{job}/resume")
    assert again.status_code == 400


def test_a_training_that_diverges_says_where_and_what_would_help(
    api: TestClient, dataset: str
) -> None:
    form = {"name": "wild", "network": NET, "dataset": dataset, "lrs": [1e5]}
    job = wait(api, api.post("/api/models", json=form).json()[0]["id"], "error")
    told = api.get(f"/api/jobs/{job}").json()["error"]
    assert 'layer "loss" (EuclideanLoss)' in told
    assert "a smaller learning rate" in told


def test_testing(api: TestClient, training: str, dataset: str) -> None:
    path = f"jobs/{dataset}/data/test.png"
    named = api.post(f"/api/jobs/{training}/test", data={"path": path}).json()
    assert len(named["outputs"]["output"]) == 2
    image = (Path(api.site.workspace.folder) / path).read_bytes()
    given = {"image": ("x.png", image)}
    uploaded = api.post(f"/api/jobs/{training}/test", files=given).json()
    assert uploaded["outputs"] == named["outputs"]
    assert not list(api.site.workspace.folder.glob(".test-*"))
    for files, data, status in (
        (None, {}, 400),
        (given, {"path": path}, 400),
        ({"image": ("x.png", b"none")}, {}, 422),
        (None, {"path": "/etc/passwd"}, 400),
        (None, {"path": "nowhere.png"}, 400),
        (given, {"snapshot": "77"}, 400),
        (given, {"snapshot": "../x"}, 422),
    ):
        answer = api.post(f"/api/jobs/{training}/test", files=files, data=data)
        assert answer.status_code == status, (files, data, answer.text)
    many = {"path": f"jobs/{dataset}/data/val_images", "labels": f"jobs/{dataset}/data/val_labels"}
    begun = api.post(f"/api/jobs/{training}/tests", json=many)
    assert begun.status_code == 202
    test = f"/api/jobs/{training}/tests/{begun.json()['key']}"
    wait_for(lambda: api.get(test).json()["status"] == "done", "the test")
    assert api.get(test).json()["summary"]["count"] == 8
    assert api.get(f"{test}/images?order=worst").json()["total"] == 8
    for path, status in (
        (f"{test}/images?order=wrong", 400),
        (f"{test}/images?count=1000", 422),
        (f"/api/jobs/{training}/tests/none", 400),
    ):
        assert api.get(path).status_code == status, path
    for body in ({"path": "nowhere"}, {"path": "/etc"}):
        assert api.post(f"/api/jobs/{training}/tests", json=body).status_code == 400


def test_events(api: TestClient, training: str) -> None:
    """The stream begins with every job; it ends when nobody listens."""
    from protonet.web.api import _events

    class Asked:
        def __init__(self) -> None:
            self.left = 2

        async def is_disconnected(self) -> bool:
            self.left -= 1
            return self.left < 0

    async def collect() -> list[str]:
        return [part async for part in _events(api.site, Asked())]

    # A browser of another test leaves a loop running in this thread.
    with ThreadPoolExecutor(1) as thread:
        parts = thread.submit(asyncio.run, collect()).result()
    told: list[Any] = [
        json.loads(part.split("data: ")[1]) for part in parts if "event: job" in part
    ]
    assert training in [each["id"] for each in told]
    assert parts[-1] == ": alive\n\n"


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("get", "/api/jobs/nope", None, 404),
        ("get", "/api/datasets/nope", None, 404),
        ("get", "/api/nothing", None, 404),
        ("put", "/api/jobs", {}, 404),
        ("post", "/api/models", {"name": 3}, 422),
        ("post", "/api/models", [], 422),
        ("post", "/api/models", {"surprise": 1}, 422),
        ("post", "/api/datasets/gradients", {"count": -1}, 422),
        ("post", "/api/datasets/gradients", {"count": "many"}, 422),
        ("post", "/api/models/policy", {"lr": 0}, 422),
        ("post", "/api/models/policy", {"min_lr": 5}, 422),
        ("get", "/api/jobs/compare?jobs=nope", None, 404),
        ("get", "/api/jobs/compare", None, 422),
    ],
)
def test_wrong_input_is_told_plainly(
    api: TestClient, method: str, path: str, body: Any, status: int
) -> None:
    more = {} if body is None else {"json": body}
    answer = api.request(method, path, **more)
    assert answer.status_code == status, answer.text
    told = answer.json()["error"]
    assert told
    assert "Traceback" not in told


def test_no_route_takes_what_it_does_not_know(api: TestClient) -> None:
    """Each route of the schema, also those to come: an absent job, a wrong body, a wrong query."""
    asked = 0
    for path, methods in api.get("/api/openapi.json").json()["paths"].items():
        for method, told in methods.items():
            wrong: list[dict[str, Any]] = [{}] if "{job_id}" in path else []
            if "requestBody" in told:
                wrong += [{"json": {"surprise": 1}}, {"content": b"{"}, {"content": b"\xff"}]
            wrong += [
                {"params": {each["name"]: "?"}}
                for each in told.get("parameters", [])
                if each["in"] == "query" and each["schema"].get("type") != "boolean"
                if each["name"] not in ("name", "group", "dataset")  # of a filter: any text
            ]
            for more in wrong:
                answer = api.request(method, path.replace("{job_id}", "absent"), **more)
                assert 400 <= answer.status_code < 500, (method, path, more, answer.text)
                assert answer.json()["error"], (method, path, more)
                asked += 1
    assert asked > 40


def test_kinds_are_not_mixed_up(api: TestClient, training: str, dataset: str) -> None:
    assert api.get(f"/api/datasets/{training}").status_code == 400
    for rest in ("curves", "archive"):
        assert api.get(f"/api/jobs/{dataset}/{rest}").status_code == 400
    samples = api.get(f"/api/datasets/{dataset}/samples", params={"part": "test"})
    assert samples.status_code == 422
