"""Fields of files: what they take, and that closed pages leave none behind."""

from __future__ import annotations

import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.web.browser import Walker
from tests.web.conftest import Served
from tests.web.test_submission import png

_PAGES = 20
_LEFT = f"""
import gc
import sys
from pathlib import Path

from fastapi.testclient import TestClient
from nicegui import Client

from protonet.web.page import add_pages
from protonet.web.page.file_field import FileField
from protonet.web.server import create_app
from protonet.web.site import Site
from protonet.web.workspace import Workspace

site = Site(Workspace.open(Path(sys.argv[1])))
app = create_app(site)
add_pages(app, site, "secret")
routes = len(app.routes)


def fields():
    gc.collect()
    return sum(isinstance(each, FileField) for each in gc.get_objects())


with TestClient(app) as browser:
    for _ in range({_PAGES}):
        assert browser.get("/models/new").status_code == 200
    print(fields() >= {_PAGES})
    Client.prune_instances(client_age_threshold=0)
    print(fields(), len(app.routes) - routes)
"""


def test_closed_pages_leave_no_field_and_no_route(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", _LEFT, str(tmp_path / "work")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.stdout.split() == ["True", "0", "0"], ran.stderr


def test_two_images_of_one_name(walker: Walker, server: Served, tmp_path: Path) -> None:
    """From different folders: both are answered for."""
    for number, folder in enumerate(("a", "b")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "same.png").write_bytes(png(number))
    walker.goto(f"/jobs/{server.training}")
    field = walker.page.locator(".q-uploader", has_text="or upload images")
    field.locator("input[type=file]").set_input_files(
        [tmp_path / folder / "same.png" for folder in ("a", "b")]
    )
    answers = walker.page.locator(".answer-of-several")
    answers.nth(1).wait_for()
    assert answers.count() == 2


def test_a_page_that_was_closed(server: Served) -> None:
    request = urllib.request.Request(f"{server.address}/page/files/gone/7", b"", method="POST")
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request)
    assert refused.value.code == 404
    assert b"this page was closed" in refused.value.read()
