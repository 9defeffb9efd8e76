"""One server with a data set and a training, and one browser, for all tests of the page."""

from __future__ import annotations

import json
import os
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from protonet.data.create import create_gradients
from protonet.web.site import Site
from protonet.web.workspace import Workspace
from tests.web.browser import FLAGS, ROOT, Walker, browser_path, end_jobs, served, wait_for

NET = (ROOT / "examples" / "prototxt" / "gradients" / "net.prototxt").read_text()


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    path = browser_path()
    if path is None:
        assert not os.environ.get("CI"), ".ci/run installs a browser"
        pytest.skip("no Chromium on this machine")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@dataclass
class Served:
    """A server at work, and the ids of what it holds."""

    address: str
    folder: Path
    dataset: str = ""
    training: str = ""

    def call(self, path: str, body: Any = None, method: str | None = None) -> Any:
        """A request of the API."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self.address + path, data, {"Content-Type": "application/json"}, method=method
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read() or b"null")

    def wait(self, job: str, *statuses: str) -> Any:
        wanted = statuses or ("done",)
        wait_for(lambda: self.call(f"/api/jobs/{job}")["status"] in wanted, f"{job}: {wanted}")
        return self.call(f"/api/jobs/{job}")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server whose workspace has the gradients and a network that learned them."""
    folder = tmp_path_factory.mktemp("page") / "work"
    with served(folder) as (address, _):
        made = Served(address.rstrip("/"), folder)
        form = {"name": "slopes", "width": 20, "height": 16, "count": 60}
        made.dataset = made.call("/api/datasets/gradients", form)["id"]
        made.wait(made.dataset)
        training = {"name": "first", "network": NET, "dataset": made.dataset, "epochs": 4}
        (job,) = made.call("/api/models", training)
        made.training = job["id"]
        made.wait(made.training)
        yield made


@pytest.fixture
def walker(browser: Any, server: Served, tmp_path: Path) -> Iterator[Walker]:
    """A person at the page of ``server``; what the browser complains of fails the test."""
    walker = Walker(browser, server.address, tmp_path)
    yield walker
    walker.page.close()
    assert walker.complaints == []


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Where walks put their pictures: those of the documentation if PROTONET_SCREENSHOTS is set,
    as ``make screenshots`` does, so that other runs change no file.
    """
    return ROOT / "docs" / "images" if os.environ.get("PROTONET_SCREENSHOTS") else tmp_path


@pytest.fixture(scope="session")
def gradients(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 images of 12 x 10 pixels, 8 to validate."""
    folder = tmp_path_factory.mktemp("gradients") / "data"
    create_gradients(folder, 12, 10, 40, 8, seed=2)
    return folder


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.open(tmp_path / "work")


@pytest.fixture
def site(workspace: Workspace) -> Iterator[Site]:
    """A site whose queue nobody looks after: tests take its turns."""
    site = Site(workspace)
    yield site
    end_jobs(workspace.folder)
    site.checks.close()
    site.indexes.close()
    site.store.close()
