"""The routes of data sets, wrong input included."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from protonet.data.datum import encode_image
from protonet.web.server import create_app
from protonet.web.site import Site
from protonet.web.workspace import Workspace
from tests.data import detection_sets as sets
from tests.data.test_augmented_images import CROP
from tests.web.browser import end_jobs
from tests.web.test_submission import png


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    site = Site(Workspace.open(tmp_path_factory.mktemp("api") / "work"))
    with TestClient(create_app(site)) as client:
        client.site = site
        yield client
    end_jobs(site.workspace.folder)


def wait(api: TestClient, job: str) -> str:
    found = api.site.wait(job, 60)
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


def test_drawn_shapes(api: TestClient) -> None:
    for kind, form in (("shapes", "detection"), ("segments", "segmentation")):
        given = {"width": 32, "height": 24, "count": 5, "val_count": 2, "seed": 1}
        answer = api.post(f"/api/datasets/{kind}", json=given)
        assert answer.status_code == 201
        job = wait(api, answer.json()["id"])
        site: Site = api.site
        assert site.databases(site.get(job)).form == form
        small = api.post(f"/api/datasets/{kind}", json={"width": 15})
        assert (small.status_code, small.json()["error"]) == (
            422, "width: Input should be greater than or equal to 16",
        )  # fmt: skip


def test_boxes_on_the_server(api: TestClient) -> None:
    site: Site = api.site
    sets.kitti(site.workspace.folder / "kitti")
    form = {"name": "k", "folder": "kitti", "form": "kitti", "classes": ["car", "van"],
            "val_share": 0.25, "encoding": "png", "repair": True}  # fmt: skip
    answer = api.post("/api/datasets/detection", json=form)
    assert answer.status_code == 201
    job = wait(api, answer.json()["id"])
    assert site.databases(site.get(job)).form == "detection"
    log = api.get(f"/api/jobs/{job}/log").json()["log"]
    assert "boxes of other classes left out: 2" in log
    assert sets.records(site.folder(site.get(job)) / "data" / "train_images")


@pytest.mark.parametrize(
    ("values", "status", "told"),
    [
        ({"folder": "/etc"}, 400, "outside of the folders"),
        ({"folder": "nowhere"}, 400, "nowhere: no such file or folder"),
        ({"label_map": "../x"}, 400, "outside of the folders"),
        ({"train_list": "serve.lock"}, 400, "is a file of the server"),
        ({"width": 3}, 422, "give both width and height"),
        ({"width": 9999, "height": 9999}, 400, "larger than this server allows"),
        ({"encoding": "tga"}, 422, "encoding"),
        ({"val_share": 0.5, "train_list": "kitti"}, 422, "exclude each other"),
        ({"classes": ["a"], "label_map": "kitti"}, 400, "exclude each other"),
        ({"form": "yolo"}, 422, "form"),
    ],
)
def test_boxes_that_cannot_be(
    api: TestClient, values: dict[str, Any], status: int, told: str
) -> None:
    site: Site = api.site
    (site.workspace.folder / "kitti").mkdir(exist_ok=True)
    (site.workspace.folder / "serve.lock").touch()
    before = len(site.store.all())
    answer = api.post("/api/datasets/detection", json={"name": "x", "folder": "kitti", **values})
    assert (answer.status_code, len(site.store.all())) == (status, before)
    assert told in answer.json()["error"]


def test_images_of_a_list_of_boxes_elsewhere(api: TestClient, tmp_path: Path) -> None:
    site: Site = api.site
    (tmp_path / "secret.png").write_bytes(png())
    text = f"{tmp_path}/secret.png,car,0,0,2,2\n"
    (site.workspace.folder / "boxes.csv").write_text(text)
    form = {"name": "x", "folder": "boxes.csv", "val_share": 0}
    job = api.post("/api/datasets/detection", json=form).json()["id"]
    ended = site.wait(job, 60)
    assert ended.status == "error"
    assert "secret.png: is outside of the folders that may be read" in ended.error


def test_label_pictures_on_the_server(api: TestClient) -> None:
    site: Site = api.site
    for part in ("images", "labels"):
        (site.workspace.folder / "pairs" / part).mkdir(parents=True)
    for number in range(4):
        place = site.workspace.folder / "pairs"
        (place / "images" / f"{number}.png").write_bytes(png(number))
        labels = np.full((1, 6, 8), number % 2, np.uint8)
        (place / "labels" / f"{number}.png").write_bytes(encode_image(labels))
    answer = api.post("/api/datasets/segmentation", json={"name": "p", "folder": "pairs"})
    assert answer.status_code == 201
    databases = site.databases(site.get(wait(api, answer.json()["id"])))
    assert (databases.form, databases.class_table is not None) == ("segmentation", True)
    for values, status, told in (
        ({"labels": "/etc"}, 400, "outside of the folders"),
        ({"ignore": "1000"}, 422, "ignore"),
    ):
        form = {"name": "p", "folder": "pairs", **values}
        wrong = api.post("/api/datasets/segmentation", json=form)
        assert wrong.status_code == status
        assert told in wrong.json()["error"]


def test_lists_of_images_on_the_server(api: TestClient) -> None:
    site: Site = api.site
    (site.workspace.folder / "photos").mkdir()
    for number in range(3):
        (site.workspace.folder / "photos" / f"{number}.png").write_bytes(png(number))
    form = json.dumps({"name": "l", "folder": "photos", "width": 5, "height": 4, "shuffle": True})
    files = {"train": b"0.png 0\n1.png 1\n", "val": b"2.png 1\n", "names": b"cat\ndog\n"}
    answer = api.post("/api/datasets/lists", data={"form": form}, files=files)
    assert answer.status_code == 201
    databases = site.databases(site.get(wait(api, answer.json()["id"])))
    assert databases.form == "classification"
    assert databases.classes is not None
    assert databases.classes.read_text() == "cat\ndog\n"
    before = len(site.store.all())
    for part, text, status, told in (
        ("train", b"0.png two\n", 422, "train.txt:1: expected a whole number"),
        ("val", b"0.png 2\n", 422, "val.txt:1: "),
        ("train", b"\xff\xfe\x00", 422, "train.txt: is not a list of images"),
    ):
        wrong = api.post("/api/datasets/lists", data={"form": form}, files={**files, part: text})
        assert (wrong.status_code, len(site.store.all())) == (status, before)
        assert wrong.json()["error"].startswith(told)
    outside = {**files, "train": b"/etc/passwd 0\n"}
    job = api.post("/api/datasets/lists", data={"form": form}, files=outside).json()["id"]
    assert site.wait(job, 60).status == "error"
    assert "/etc/passwd: is outside of the folders that may be read" in site.get(job).error


def test_exploring(api: TestClient) -> None:
    given = {"width": 32, "height": 24, "count": 30, "val_count": 2, "seed": 4}
    job = wait(api, api.post("/api/datasets/shapes", json=given).json()["id"])
    train, val = api.get(f"/api/datasets/{job}/classes").json()
    assert (train["part"], val["images"], train["indexing"]) == ("train", 2, None)
    circle = train["classes"][0]
    assert (circle["name"], circle["number"]) == ("circle", 1)
    asked = {"class": 1, "count": 3, "offset": 2, "side": 16}
    answer = api.get(f"/api/datasets/{job}/samples", params=asked)
    assert int(answer.headers["X-Total-Count"]) == circle["images"]
    assert len(answer.json()) == 3
    for each in answer.json():
        assert "circle" in each["classes"]
        assert each["boxes"][0]["name"] in ("circle", "square", "triangle")
    by_key = api.get(f"/api/datasets/{job}/samples", params={"key": "train7"})
    assert [each["key"] for each in by_key.json()] == ["00000007_train7.png"]
    for asked in ({"class": -1}, {"class": "cat"}, {"side": 5}, {"count": 201}, {"opacity": 2},
                  {"key": "x" * 501}, {"part": "test"}, {"offset": 10**13}):  # fmt: skip
        wrong = api.get(f"/api/datasets/{job}/samples", params=asked)
        assert wrong.status_code == 422, asked
    nothing = api.get(f"/api/datasets/{job}/samples", params={"class": 77})
    assert (nothing.status_code, nothing.json()) == (200, [])


def test_a_data_set_that_is_not_ready_has_no_images(api: TestClient) -> None:
    job = api.post("/api/datasets/detection", json={"name": "x", "folder": "empty.csv"})
    site: Site = api.site
    assert job.status_code == 400
    (site.workspace.folder / "empty.csv").touch()
    job = api.post("/api/datasets/detection", json={"name": "x", "folder": "empty.csv"})
    site.wait(job.json()["id"], 60)
    for route in ("samples", "classes"):
        answer = api.get(f"/api/datasets/{job.json()['id']}/{route}")
        assert (answer.status_code, answer.json()["error"]) == (
            400, "the data set 'x' is not ready: error",
        )  # fmt: skip


def test_augmented_images(api: TestClient, dataset: str) -> None:
    form = {"network": CROP, "count": 2, "variants": 3}
    answer = api.post(f"/api/datasets/{dataset}/augmented", json=form)
    assert answer.status_code == 200
    assert [len(each["variants"]) for each in answer.json()] == [3, 3]
    assert answer.json()[0]["variants"][0]["size"] == [4, 4]
    for values, status in (
        ({"network": "layer {"}, 422),
        ({"network": CROP.replace("4", "999")}, 422),
        ({"network": 'layer { name: "x" type: "Data" top: "x" }'}, 422),
        ({"count": 100}, 422),
    ):
        wrong = api.post(f"/api/datasets/{dataset}/augmented", json={**form, **values})
        assert (wrong.status_code, bool(wrong.json()["error"])) == (status, True)
