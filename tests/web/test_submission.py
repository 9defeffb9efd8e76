"""Data sets and trainings from forms; uploads that lead elsewhere or are bombs."""

from __future__ import annotations

import io
import zlib
from pathlib import Path

import numpy as np
import pytest

from protonet.data.datum import encode_image
from protonet.errors import DataError, NetworkError, UsageError
from protonet.jobs.run.settings import RunSettings
from protonet.jobs.tasks.datasets import ConvertVectors, MakeGradients
from protonet.jobs.tasks.task import Task, read_task
from protonet.jobs.tasks.trainings import TrainNetwork
from protonet.web import forms, submission
from protonet.web.site import Site
from protonet.web.store import DONE, ENDED, WAIT, Job
from protonet.web.workspace import Limits, Workspace
from tests.web.browser import awaited, wait_for
from tests.web.conftest import NET


def run_train(site: Site, form: forms.TrainingForm) -> list[Job]:
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


def bomb() -> bytes:
    """A PNG that claims to be 60,000 x 60,000 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = zlib.crc32(kind + data).to_bytes(4, "big")
        return len(data).to_bytes(4, "big") + kind + data + check

    size = (60_000).to_bytes(4, "big") * 2
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", size + bytes([8, 0, 0, 0, 0]))
        + chunk(b"IDAT", zlib.compress(bytes(60_001) * 10))
        + chunk(b"IEND", b"")
    )


def test_gradients(site: Site) -> None:
    job = submission.make_gradients(site, forms.GradientsForm(count=30, val_count=4, seed=5))
    assert job.status == WAIT
    assert task_of(job) == MakeGradients(folder=Path("data"), count=30, val_count=4, seed=5)
    assert site.folder(job).is_dir()
    with pytest.raises(UsageError, match="more than this server allows"):
        submission.make_gradients(
            site, forms.GradientsForm(width=10_000, height=10_000, count=1_000_000)
        )


def test_databases(site: Site, gradients: Path, tmp_path: Path) -> None:
    allowed = Workspace(site.workspace.folder, (gradients,), site.workspace.limits)
    site.workspace = allowed
    form = forms.DatabasesForm(
        name="named", train_images=str(gradients / "train_images"),
        train_labels=str(gradients / "train_labels"),
    )  # fmt: skip
    job = submission.name_databases(site, form)
    assert job.status == DONE
    assert site.databases(job).train_labels == gradients / "train_labels"
    before = len(site.store.all())
    wrong = form.model_copy(update={"train_labels": str(gradients / "val_labels")})
    with pytest.raises(DataError, match="do not pair up"):
        submission.name_databases(site, wrong)
    for name, told in (("/etc", "outside"), (str(gradients / "nowhere"), "no such file")):
        with pytest.raises(UsageError, match=told):
            submission.name_databases(site, form.model_copy(update={"train_images": name}))
    alone = form.model_copy(update={"val_labels": str(gradients / "val_labels")})
    with pytest.raises(UsageError, match="need validation images"):
        submission.name_databases(site, alone)
    assert len(site.store.all()) == before


def test_uploads(site: Site) -> None:
    table = "image,x,y\n" + "".join(f"sub/{n}.png,{n / 9},{n}\n" for n in range(9))
    images = [(f"sub/{n}.png", io.BytesIO(png(n))) for n in range(9)]
    form = forms.VectorsForm(name="v", val_share=0.3, width=5, height=4, shuffle=True, gray=True)
    job = submission.make_vectors(site, form, io.BytesIO(table.encode()), images)
    assert job.status == WAIT
    assert task_of(job) == ConvertVectors(
        table=Path("uploaded/labels.csv"), folder=Path("data"), width=5, height=4, gray=True,
        val_share=0.3, shuffle=True,
    )  # fmt: skip
    finish(site, job)
    job = site.store.get(job.id)
    assert (job.status, job.error) == ("done", "")
    assert site.databases(job).val_labels is not None


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("../x.png", png(), "not a valid name"),
        ("/etc/x.png", png(), "not a valid name"),
        ("a\\..\\..\\x.png", png(), "not a valid name"),
        ("", png(), "not a valid name"),
        ("x" * 300 + ".png", png(), "not a valid name"),
        ("a\nb.png", png(), "not a valid name"),
        ("labels.csv", png(), "uploaded twice"),
        ("x.png", b"GIF89a broken", "not a readable image"),
        ("x.png", b"", "not a readable image"),
        ("x.png", bomb(), "pixels"),
        ("x.png", png()[:60], "x.png"),
    ],
)
def test_hostile_uploads(site: Site, name: str, data: bytes, told: str) -> None:
    form = forms.VectorsForm(name="v")
    with pytest.raises((UsageError, DataError), match=told):
        submission.make_vectors(site, form, io.BytesIO(b"x.png,1\n"), [(name, io.BytesIO(data))])
    assert site.store.all() == []
    assert list((site.workspace.folder / "jobs").iterdir()) == []


@pytest.mark.parametrize("names", [("a", "a/b.png"), ("a/b.png", "a"), ("a", "a/b/c.png")])
def test_a_file_where_another_needs_a_folder(site: Site, names: tuple[str, ...]) -> None:
    images = [(name, io.BytesIO(png())) for name in names]
    with pytest.raises(UsageError, match=r"needs a folder|uploaded twice"):
        submission.make_vectors(site, forms.VectorsForm(name="v"), io.BytesIO(b"a,1\n"), images)
    assert site.store.all() == []
    assert list((site.workspace.folder / "jobs").iterdir()) == []


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ("x.png,1\n/etc/passwd,2\n", "not a valid name of an uploaded file"),
        ("x.png,1\n../../protonet.sqlite,2\n", "not a valid name of an uploaded file"),
        ("x.png,1\ny.png,2\n", "labels.csv:2: the image 'y.png' was not uploaded"),
        ("x.png,1\nx.png,many\n", "many"),
        ("", "no row"),
    ],
)
def test_tables_that_name_other_files(site: Site, table: str, told: str) -> None:
    images = [("x.png", io.BytesIO(png()))]
    with pytest.raises((UsageError, DataError), match=told):
        submission.make_vectors(
            site, forms.VectorsForm(name="v"), io.BytesIO(table.encode()), images
        )
    assert site.store.all() == []


def test_a_table_that_is_none_is_told_without_the_servers_folders(site: Site) -> None:
    images = [("x.png", io.BytesIO(png()))]
    with pytest.raises(DataError) as caught:
        submission.make_vectors(
            site, forms.VectorsForm(name="v"), io.BytesIO(b"x.png,many\n"), images
        )
    assert str(site.workspace.folder) not in str(caught.value)
    assert "labels.csv" in str(caught.value)


def test_uploads_of_nothing_and_of_too_much(tmp_path: Path) -> None:
    site = Site(Workspace.open(tmp_path / "w", limits=Limits(files=2)))
    form = forms.VectorsForm(name="v")
    with pytest.raises(UsageError, match="no images were uploaded with the table"):
        submission.make_vectors(site, form, io.BytesIO(b"x,1\n"), [])
    images = [(f"{n}.png", io.BytesIO(png())) for n in range(3)]
    with pytest.raises(UsageError, match="more than 2 files"):
        submission.make_vectors(site, form, io.BytesIO(b"x,1\n"), images)
    with pytest.raises(UsageError, match="21 rows are more than the 20 allowed in one upload"):
        submission.make_vectors(
            site, form, io.BytesIO(b"0.png,1\n" * 21), [("0.png", io.BytesIO(png()))]
        )
    site.store.close()


def test_class_folders(site: Site, tmp_path: Path) -> None:
    folder = site.workspace.folder / "flowers"
    for name in ("daisy", "rose"):
        (folder / name).mkdir(parents=True)
        for number in range(4):
            (folder / name / f"{number}.png").write_bytes(png(number))
    form = forms.FoldersForm(name="f", folder="flowers", width=4, height=5, fit="crop",
                             encoding="png")  # fmt: skip
    job = submission.make_folders(site, form)
    finish(site, job)
    job = site.store.get(job.id)
    assert (job.status, job.error) == ("done", "")
    assert site.databases(job).classes is not None
    for wrong in ("nowhere", "/etc"):
        with pytest.raises(UsageError):
            submission.make_folders(site, form.model_copy(update={"folder": wrong}))
    with pytest.raises(UsageError, match="larger than this server"):
        submission.make_folders(site, form.model_copy(update={"width": 9999, "height": 9999}))


def test_trainings(site: Site, gradients: Path) -> None:
    site.workspace = Workspace(site.workspace.folder, (gradients,), Limits())
    data = submission.name_databases(
        site,
        forms.DatabasesForm(name="d", train_images=str(gradients / "train_images"),
                            train_labels=str(gradients / "train_labels"),
                            mean=str(gradients / "train_mean.binaryproto")),
    )  # fmt: skip
    form = forms.TrainingForm(
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
            mean=str(gradients / "train_mean.binaryproto"), out=site.folder(jobs[1]) / "run",
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
    images = forms.DatabasesForm(name="d", train_images=str(gradients / "train_images"),
                                 train_labels=str(gradients / "train_labels"))  # fmt: skip
    data = submission.name_databases(site, images)
    form = forms.TrainingForm(name="t", network=NET, dataset=data.id)
    with pytest.raises(NetworkError, match="Powr"):
        run_train(site, form.model_copy(update={"network": NET.replace("Power", "Powr")}))
    with pytest.raises(UsageError, match="there is no job"):
        run_train(site, form.model_copy(update={"dataset": "x"}))
    waiting = submission.make_gradients(site, forms.GradientsForm())
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
    assert len(site.store.all()) == before
