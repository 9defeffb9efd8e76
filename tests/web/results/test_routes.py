"""The routes of tests: begun, looked at, and pages of images."""

from __future__ import annotations

import pytest

from protonet.errors import UsageError
from protonet.web.results.routes import started_run
from protonet.web.site import Site
from protonet.web.store import TRAINING
from tests.web.browser import wait_for
from tests.web.conftest import Served


def test_a_test_over_the_api(server: Served) -> None:
    job = f"/api/jobs/{server.training}"
    data = f"jobs/{server.dataset}/data"
    form = {"path": f"{data}/val_images", "labels": f"{data}/val_labels", "most": 5}
    key = server.call(f"{job}/tests", form)["key"]
    wait_for(lambda: server.call(f"{job}/tests/{key}")["status"] == "done", "the test")
    shown = server.call(f"{job}/tests/{key}")
    assert shown["summary"]["count"] == 5
    assert [each["name"] for each in shown["summary"]["components"]] == ["output[0]", "output[1]"]
    page = server.call(f"{job}/tests/{key}/images?order=worst&count=2")
    assert page["total"] == 5
    first, second = (each["distance"] for each in page["images"])
    assert first >= second
    assert page["images"][0]["png"].startswith("data:image/png;base64,")
    assert key in [each["key"] for each in server.call(f"{job}/tests")]
    assert server.call(f"{job}/tests/{key}", method="DELETE") is None
    assert key not in [each["key"] for each in server.call(f"{job}/tests")]


def test_one_that_has_not_begun(site: Site) -> None:
    with pytest.raises(UsageError, match="'u' has not begun yet"):
        started_run(site, site.add(TRAINING, "u"))
