"""Asking a trained net by name; the routes over it are in test_api.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from protonet.errors import UsageError
from protonet.web import forms
from protonet.web.progress import run_of
from protonet.web.results.routes import predict_many, started_run
from protonet.web.site import Site
from protonet.web.store import DONE, TRAINING, Job
from protonet.web.workspace import Workspace
from tests.web.trained import slopes


@pytest.fixture
def asked(site: Site, gradients: Path) -> Job:
    """A training that has learned the slopes."""
    site.workspace = Workspace(site.workspace.folder, (gradients,))
    job = site.store.update(site.add(TRAINING, "t").id, status=DONE)
    slopes(gradients, run_of(site.workspace, job).path)
    return job


def test_a_database_a_folder_and_what_may_not_be_read(
    site: Site, asked: Job, gradients: Path, tmp_path: Path
) -> None:
    form = forms.ListForm(
        path=str(gradients / "val_images"), labels=str(gradients / "val_labels"), most=5
    )
    found = predict_many(site, asked, form)
    assert (found.count, len(found.components)) == (5, 2)
    rows = predict_many(site, asked, forms.ListForm(path=str(gradients))).rows
    assert [name for name, _ in rows] == ["test.png", "train_mean.png", "val_mean.png"]
    (tmp_path / "other").mkdir()
    listed = site.workspace.folder / "list.txt"
    listed.write_text(f"{tmp_path / 'other' / 'x.png'}\n")
    for path, told in (("nowhere", "no such file"), ("list.txt", "outside of the folders")):
        with pytest.raises(UsageError, match=told):
            predict_many(site, asked, forms.ListForm(path=path))


def test_one_that_has_not_begun(site: Site, asked: Job) -> None:
    assert started_run(site, asked).iterations()
    with pytest.raises(UsageError, match="'u' has not begun yet"):
        started_run(site, site.add(TRAINING, "u"))
