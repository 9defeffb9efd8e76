"""New data sets on the page: each form has its tab."""

from __future__ import annotations

import re

from protonet.web.page.datasets.creation import FORMS
from tests.web.browser import Walker
from tests.web.conftest import Served


def test_why_a_creation_failed_is_told(walker: Walker, server: Served) -> None:
    (server.folder / "boxes.csv").write_text("absent.png,car,0,0,3,3\n")
    made = server.call("/api/datasets/detection", {"name": "x", "folder": "boxes.csv"})
    server.wait(made["id"], "error")
    walker.goto(f"/datasets/{made['id']}")
    walker.sees(re.compile("boxes.csv:1: absent.png"))


def test_every_form_has_its_tab(walker: Walker) -> None:
    walker.goto("/datasets/new")
    for name in FORMS:
        assert walker.form(name).get_by_role("button").count() > 0
