"""The classes of pixels over the API."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from protonet.errors import UsageError
from protonet.web import forms
from protonet.web.progress import run_of
from protonet.web.results.segmentation_routes import segment_many
from protonet.web.site import Site
from protonet.web.store import DONE, TRAINING, Job
from protonet.web.workspace import Workspace
from tests.jobs.nets import segment_run


@pytest.fixture
def asked(site: Site, tmp_path: Path) -> Job:
    """A training of a segmentation, whose data set is in ``tmp_path``."""
    segment_run(tmp_path)
    site.workspace = Workspace(site.workspace.folder, (tmp_path / "data",))
    job = site.store.update(site.add(TRAINING, "t").id, status=DONE)
    shutil.copytree(tmp_path / "run", run_of(site.workspace, job).path, dirs_exist_ok=True)
    return job


def test_paired_databases(site: Site, asked: Job, tmp_path: Path) -> None:
    data = tmp_path / "data"

    def form(images: str, labels: str | None) -> forms.ListForm:
        return forms.ListForm(path=images, labels=labels)

    found = segment_many(site, asked, form(str(data / "val_images"), str(data / "val_labels")))
    assert found.count == 4
    for images, labels, message in (
        (str(data / "val_images"), None, "expected a database of images, and that of the classes"),
        (str(data / "val_images"), str(data / "x"), "x: no such file or folder"),
        (str(tmp_path / "set"), str(data / "val_labels"), "outside of the folders"),
    ):
        with pytest.raises(UsageError, match=message):
            segment_many(site, asked, form(images, labels))
