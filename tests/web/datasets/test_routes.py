"""The routes of data sets, wrong input included."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from protonet.web.server import create_app
from protonet.web.site import Site
from protonet.web.workspace import Workspace
from tests.web.browser import end_jobs
from tests.web.test_submission import png


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    site = Site(Workspace.open(tmp_path_factory.mktemp("api") / "work"))
    with TestClient(create_app(site)) as client:
        client.site = site  # type: ignore[attr-defined]
        yield client
    end_jobs(site.workspace.folder)


def wait(api: TestClient, job: str) -> str:
    found = api.site.wait(job, 60)  # type: ignore[attr-defined]
    assert found.status == "done", found
    return job


@pytest.fixture(scope="module")
def dataset(api: TestClient) -> str:
    answer = api.post("/api/datasets/gradients", json={"width": 12, "height": 10, "count": 40})
    assert answer.status_code == 201
    return wait(api, answer.json()["id"])


def test_a_data_set(api: TestClient, dataset: str) -> None:
    told = api.get(f"/api/datasets/{dataset}").json()
    assert told["report"]["mistakes"] == []
    assert [part["count"] for part in told["report"]["parts"]] == [40, 8]
    assert dataset in [each["id"] for each in api.get("/api/datasets").json()]
    shown = api.get(f"/api/datasets/{dataset}/samples", params={"part": "val", "count": 3}).json()
    assert [each["key"] for each in shown] == ["0", "1", "2"]
    assert shown[0]["png"].startswith("data:image/png;base64,")
    mean = api.get(f"/api/datasets/{dataset}/mean.png")
    assert (mean.headers["content-type"], mean.content[:4]) == ("image/png", b"\x89PNG")


def test_databases_and_folders(api: TestClient, dataset: str) -> None:
    place = f"jobs/{dataset}/data"
    form = {"name": "n", "train_images": f"{place}/train_images",
            "train_labels": f"{place}/train_labels"}  # fmt: skip
    assert api.post("/api/datasets/databases", json=form).json()["status"] == "done"
    wrong = api.post("/api/datasets/databases", json={**form, "train_images": "nowhere"})
    assert (wrong.status_code, wrong.json()["error"]) == (
        400, "nowhere: no such file or folder",
    )  # fmt: skip
    wrong = api.post("/api/datasets/folders", json={"name": "f", "folder": "/etc"})
    assert wrong.status_code == 400
    assert "outside of the folders" in wrong.json()["error"]


def test_uploads(api: TestClient) -> None:
    files = [("table", ("labels.csv", b"a.png,1,2\nb.png,3,4\n"))]
    files += [("images", (f"{name}.png", png(n))) for n, name in enumerate("ab")]
    form = json.dumps({"name": "u", "val_share": 0})
    answer = api.post("/api/datasets/vectors", data={"form": form}, files=files)
    assert answer.status_code == 201
    wait(api, answer.json()["id"])
    for given in ("{", '{"name": 3}', '{"name": "x", "fish": 1}', "[]"):
        wrong = api.post("/api/datasets/vectors", data={"form": given}, files=files)
        assert wrong.status_code == 400, given
        assert wrong.json()["error"]
