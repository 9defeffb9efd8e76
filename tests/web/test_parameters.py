"""Query parameters that a route does not have are refused, with those that it has."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from protonet.web.server import create_app
from protonet.web.site import Site


@pytest.fixture
def api(site: Site) -> Iterator[TestClient]:
    with TestClient(create_app(site)) as client:
        yield client


def test_unknown_parameters(api: TestClient) -> None:
    lists = "offset, count, status, name, group, dataset, since, before, sort, order"
    images = "threshold, order, truth, predicted, offset, count"
    for path, known in (
        ("/api/jobs?cuont=3", f"it has {lists}; did you mean 'count'?"),
        ("/api/datasets?count=3&state=done", f"it has {lists}"),
        ("/api/models?count=3&xyz", f"it has {lists}"),
        ("/api/jobs/groups?name=u", "it has none"),
        ("/api/jobs/compare?jobs=u&smooth=1", "it has jobs, most, x, smoothing"),
        ("/api/datasets/u/samples?number=1", "it has part, offset, count, class, key, side, "),
        ("/api/jobs/u/tests/k/images?limit=1", f"it has {images}"),
    ):
        answer = api.get(path)
        name = path.replace("&", "?").split("?")[-1].split("=")[0]
        assert answer.status_code == 422, path
        assert answer.json()["error"].startswith(f"{name}: no query parameter of this route, ")
        assert known in answer.json()["error"]


def test_what_is_known_is_taken(api: TestClient) -> None:
    assert api.get("/api/jobs?count=3&status=done&status=run&order=ascending").json() == []
    assert api.get("/api/nothing?count=3").status_code == 404
    assert api.post("/api/jobs/bulk?x=1", json={"action": "stop", "jobs": []}).status_code == 422
