"""The progress of data sets that are being made."""

from __future__ import annotations

import json
import time
from dataclasses import replace

from protonet.jobs.tasks.progress_log import PROGRESS
from protonet.web.datasets import creation, forms
from protonet.web.datasets.making import Making, making_of
from protonet.web.site import Site
from protonet.web.store import DONE, RUN
from protonet.web.views import job_view


def test_only_while_it_runs(site: Site) -> None:
    job = creation.make_gradients(site, forms.GradientsForm())
    now = time.time()
    running = replace(job, status=RUN, started=now - 10)
    assert making_of(site.workspace, running) is None
    told = {"done": 30, "total": 90, "first": 10, "begun": now - 8, "at": now, "what": "images"}
    (site.folder(job) / PROGRESS).write_text(json.dumps(told))
    found = making_of(site.workspace, running)
    assert found is not None
    assert found.seconds_left is not None
    assert abs(found.seconds_left - 24) < 1
    assert replace(found, seconds_left=None) == Making(30, 90, "images", None)
    assert making_of(site.workspace, replace(running, status=DONE)) is None
    # That of a former try.
    assert making_of(site.workspace, replace(running, started=now + 1)) is None
    assert job_view(site, running)["progress"]["done"] == 30
    assert job_view(site, job)["progress"] is None
