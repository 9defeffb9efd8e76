"""Trainings from forms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from protonet.data.datum import encode_image
from protonet.errors import DataError, NetworkError, UsageError
from protonet.formats.blobs import from_array
from protonet.jobs.run.settings import RunSettings
from protonet.jobs.tasks.task import Task, read_task
from protonet.jobs.tasks.trainings import TrainNetwork
from protonet.web import submission
from protonet.web.datasets import creation
from protonet.web.datasets import forms as dataset_forms
from protonet.web.site import Site
from protonet.web.store import ENDED, Job
from protonet.web.training_form import TrainingForm
from protonet.web.workspace import Limits, Workspace
from tests.web.browser import awaited, wait_for
from tests.web.conftest import NET


def run_train(site: Site, form: TrainingForm) -> list[Job]:
    return awaited(submission.train(site, form))


def png(seed: int = 0, shape: tuple[int, ...] = (3, 6, 8)) -> bytes:
    return encode_image(np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8))


def task_of(job: Job) -> Task:
    return read_task(job.task, job.name)


def finish(site: Site, job: Job) -> None:
    def ended() -> bool:
        site.queue.turn()
        return site.store.get(job.id).status in ENDED

    wait_for(ended, "its end")


def test_trainings(site: Site, gradients: Path) -> None:
    site.workspace = Workspace(site.workspace.folder, (gradients,), Limits())
    data = creation.name_databases(
        site,
        dataset_forms.DatabasesForm(name="d", train_images=str(gradients / "train_images"),
                            train_labels=str(gradients / "train_labels"),
                            mean=str(gradients / "train_mean.binaryproto")),
    )  # fmt: skip
    form = TrainingForm(
        name="t", network=NET, dataset=data.id, epochs=1, lrs=[0.01, 0.02], batch_sizes=[8],
        lr_policy="multistep", steps=[50, 80], early_stop=None, weight_decay=0.001, gamma=0.5,
        power=1.0, shuffle=True, precision="bfloat16", average=0.9, allow_mismatch=True,
        accumulation=3, snapshot_every=0.5, val_every=2,
    )  # fmt: skip
    jobs = run_train(site, form)
    assert [job.name for job in jobs] == ["t lr 0.01", "t lr 0.02"]
    assert task_of(jobs[1]) == TrainNetwork(
        Path("net.prototxt"),
        RunSettings(
            gradients / "train_images", labels=gradients / "train_labels",
            known_mean=gradients / "train_mean.binaryproto", out=site.folder(jobs[1]) / "run",
            epochs=1.0, lr=0.02, batch_size=8, lr_policy="multistep", steps=(50.0, 80.0),
            gamma=0.5, power=1.0, weight_decay=0.001, shuffle=True, precision="bfloat16",
            average=0.9, allow_mismatch=True, python_layers=False,
            accumulation=3, snapshot_every=0.5, val_every=2.0,
        ),
    )  # fmt: skip
    finish(site, jobs[1])
    assert [(site.store.get(job.id).status, site.store.get(job.id).error) for job in jobs] == [
        ("done", ""), ("done", ""),
    ]  # fmt: skip
    more = form.model_copy(
        update={"lrs": [], "weights_of": jobs[0].id, "weights_at": "best", "mean": "none"}
    )
    (tuned,) = run_train(site, more)
    assert set(tuned.needs) == {data.id, jobs[0].id}
    task = task_of(tuned)
    assert isinstance(task, TrainNetwork)
    assert task.settings.mean == "none"
    run = site.folder(jobs[0]) / "run"
    assert Path(task.settings.weights).parent == run
    assert task.settings.weights.endswith(".caffemodel")


def test_trainings_that_cannot_be(site: Site, gradients: Path) -> None:
    site.workspace = Workspace(site.workspace.folder, (gradients,), Limits())
    images = dataset_forms.DatabasesForm(name="d", train_images=str(gradients / "train_images"),
                                 train_labels=str(gradients / "train_labels"))  # fmt: skip
    data = creation.name_databases(site, images)
    form = TrainingForm(name="t", network=NET, dataset=data.id)
    with pytest.raises(NetworkError, match="Powr"):
        run_train(site, form.model_copy(update={"network": NET.replace("Power", "Powr")}))
    with pytest.raises(UsageError, match="there is no job"):
        run_train(site, form.model_copy(update={"dataset": "x"}))
    waiting = creation.make_gradients(site, dataset_forms.GradientsForm())
    with pytest.raises(UsageError, match="is not ready: wait"):
        run_train(site, form.model_copy(update={"dataset": waiting.id}))
    many = {"lrs": [0.1] * 20, "batch_sizes": [1, 2, 3, 4, 5, 6]}
    with pytest.raises(UsageError, match="120 trainings at once"):
        run_train(site, form.model_copy(update=many))
    with pytest.raises(UsageError, match="is no training"):
        run_train(site, form.model_copy(update={"weights_of": data.id}))
    before = len(site.store.all())
    with pytest.raises(UsageError, match="early stop needs validation"):
        run_train(site, form.model_copy(update={"early_stop": 2}))
    with pytest.raises(UsageError, match="takes one step, got 2"):
        run_train(site, form.model_copy(update={"lr_policy": "step", "steps": [30, 60]}))
    with pytest.raises(UsageError, match="rms decay is no constant of Adam, but of RMSProp"):
        run_train(site, form.model_copy(update={"solver": "Adam", "rms_decay": 0.9}))
    with pytest.raises(UsageError, match="is no Lua text"):
        run_train(site, form.model_copy(update={"torch7_snapshots": True}))
    with pytest.raises(NetworkError, match="expected 1 mean_value or one for each of 1 channel"):
        run_train(site, form.model_copy(update={"mean": "1,2,3"}))
    other = gradients / "other_mean.binaryproto"
    other.write_bytes(from_array(np.zeros((1, 1, 5, 6), np.float32)).SerializeToString())
    with pytest.raises(NetworkError, match=r"the mean is 1x5x6, but the images of .* are 1x10x12"):
        run_train(site, form.model_copy(update={"mean": str(other)}))
    with pytest.raises(UsageError, match="no such file; expected image, pixel, none or numbers"):
        run_train(site, form.model_copy(update={"mean": "middle"}))
    assert len(site.store.all()) == before


def test_labels_forgotten_and_databases_swapped(site: Site, gradients: Path) -> None:
    site.workspace = Workspace(site.workspace.folder, (gradients,), Limits())
    images, labels = str(gradients / "train_images"), str(gradients / "train_labels")
    alone = creation.name_databases(
        site, dataset_forms.DatabasesForm(name="d", train_images=images)
    )
    with pytest.raises(NetworkError, match="on the page a data set that has them"):
        run_train(site, TrainingForm(name="t", network=NET, dataset=alone.id))
    with pytest.raises(DataError, match="they look swapped; the images come first"):
        creation.name_databases(
            site,
            dataset_forms.DatabasesForm(name="d", train_images=labels, train_labels=images),
        )
