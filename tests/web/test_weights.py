"""Initial weights of trainings: uploads are bounded and checked, and live with their trainings."""

from __future__ import annotations

import io
import os
import time
from pathlib import Path

import numpy as np
import pytest

from protonet.errors import UsageError
from protonet.formats.caffemodel import write_weights
from protonet.jobs.tasks.task import read_task
from protonet.jobs.tasks.trainings import TrainNetwork
from protonet.web import submission
from protonet.web.datasets import creation
from protonet.web.datasets.forms import DatabasesForm
from protonet.web.site import Site
from protonet.web.store import Job
from protonet.web.training_form import TrainingForm, WeightsForm
from protonet.web.weights import store_weights, weights_of
from protonet.web.workspace import Limits, Workspace
from tests.web.browser import awaited
from tests.web.conftest import NET

FITS = {"hidden": [np.full((2, 120), 0.25, np.float32), np.zeros(2, np.float32)]}
OTHER = {"hidden": [np.zeros((5, 120)), np.zeros(5)], "fc8": [np.zeros(3)]}


def uploaded(site: Site, weights: dict[str, list[np.ndarray]], name: str = "w.caffemodel") -> str:
    path = site.workspace.folder / name
    write_weights(path, weights)
    with path.open("rb") as stream:
        return store_weights(site.workspace, f"C:\\nets\\{name}", stream)


@pytest.fixture
def data(site: Site, gradients: Path) -> Job:
    site.workspace = Workspace(site.workspace.folder, (gradients,), Limits())
    form = DatabasesForm(name="d", train_images=str(gradients / "train_images"),
                         train_labels=str(gradients / "train_labels"))  # fmt: skip
    return creation.name_databases(site, form)


def train(site: Site, data: Job, **values: object) -> Job:
    form = TrainingForm.model_validate(
        {"name": "t", "network": NET, "dataset": data.id, "epochs": 1, **values}
    )
    (job,) = awaited(submission.train(site, form))
    return job


@pytest.mark.parametrize("ending", [".caffemodel", ".caffemodel.h5", ".safetensors", ".npz"])
def test_an_upload_becomes_a_file_of_the_job(site: Site, data: Job, ending: str) -> None:
    stored = uploaded(site, FITS, f"w{ending}")
    job = train(site, data, weights=stored)
    own = site.folder(job) / "weights" / f"w{ending}"
    task = read_task(job.task, job.name)
    assert isinstance(task, TrainNetwork)
    assert task.settings.weights == str(own)
    assert own.read_bytes() == (site.workspace.folder / stored).read_bytes()
    again = site.store.get(job.id).settings["form"]
    assert again["weights"] == str(own.relative_to(site.workspace.folder))
    assert train(site, data, **{**again, "name": "clone"}).name == "clone"


def test_weights_of_another_net_are_refused_before_anything_is_queued(
    site: Site, data: Job
) -> None:
    stored, before = uploaded(site, OTHER), len(site.store.all())
    told = r"layer 'hidden': found 5x120, 5, expected 2x120, 2\n.*Skip layers of other shapes"
    with pytest.raises(UsageError, match=told):
        train(site, data, weights=stored)
    with pytest.raises(UsageError, match="no layer of the network takes its weights"):
        train(site, data, weights=uploaded(site, {"fc8": [np.zeros(3)]}), allow_mismatch=True)
    nothing = store_weights(site.workspace, "n.caffemodel", io.BytesIO(b"nothing of the kind"))
    with pytest.raises(UsageError, match=r"^n.caffemodel: is a text"):
        train(site, data, weights=nothing)
    assert len(site.store.all()) == before


def test_uploads_that_cannot_be(site: Site) -> None:
    small = Workspace(site.workspace.folder, (), Limits(upload=10))
    for name, data, told in (
        ("w.exe", b"x", "is no file of weights; expected one of .caffemodel"),
        ("w.t7", b"", "w.t7: is empty"),
        ("w.npz", b"x" * 11, "has 11 bytes, more than the 10 allowed"),
        ("../../x/..", b"x", "not a valid name"),
    ):
        with pytest.raises(UsageError, match=told):
            store_weights(small, name, io.BytesIO(data))
    assert list((small.folder / "weights").iterdir()) == []


def test_uploads_are_removed_after_a_day(site: Site) -> None:
    old = site.workspace.folder / store_weights(site.workspace, "a.t7", io.BytesIO(b"x"))
    before = time.time() - 25 * 3600
    os.utime(old.parent, (before, before))
    new = site.workspace.folder / store_weights(site.workspace, "b.t7", io.BytesIO(b"x"))
    assert (old.exists(), new.exists()) == (False, True)


def test_a_form_names_one_file(site: Site) -> None:
    assert weights_of(site, WeightsForm()) is None
    with pytest.raises(UsageError, match="use one of them"):
        weights_of(site, WeightsForm(weights="a", weights_of="b"))
    with pytest.raises(UsageError, match="no such file of weights"):
        weights_of(site, WeightsForm(weights="a.caffemodel"))
    with pytest.raises(UsageError, match="outside of the folders"):
        weights_of(site, WeightsForm(weights="/etc/passwd"))
