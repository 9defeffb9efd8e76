"""Detectors over the API."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from protonet.errors import UsageError
from protonet.web.progress import run_of
from protonet.web.results.detection_routes import DetectForm, detect_many
from protonet.web.site import Site
from protonet.web.store import DONE, TRAINING, Job
from protonet.web.workspace import Workspace
from tests.jobs.nets import detector_run


@pytest.fixture
def asked(site: Site, tmp_path: Path) -> Job:
    """A training of a detector, whose data set is in ``tmp_path``."""
    detector_run(tmp_path)
    site.workspace = Workspace(site.workspace.folder, (tmp_path / "data",))
    job = site.store.update(site.add(TRAINING, "t").id, status=DONE)
    shutil.copytree(tmp_path / "run", run_of(site.workspace, job).path, dirs_exist_ok=True)
    return job


def test_a_database(site: Site, asked: Job, tmp_path: Path) -> None:
    images = str(tmp_path / "data" / "val_images")
    found = detect_many(site, asked, DetectForm(path=images, threshold=0.25))
    assert (found.count, found.threshold) == (5, 0.25)
    for form, message in (
        (DetectForm(path=images, labels=images), "omit labels"),
        (DetectForm(path=str(tmp_path / "data" / "x")), "x: no such file or folder"),
        (DetectForm(path=str(tmp_path / "run")), "outside of the folders"),
    ):
        with pytest.raises(UsageError, match=message):
            detect_many(site, asked, form)
