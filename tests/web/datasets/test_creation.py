"""Data sets from forms; uploads that lead elsewhere or are bombs."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from protonet.errors import DataError, UsageError
from protonet.jobs.tasks.datasets import ConvertVectors, MakeGradients
from protonet.web.datasets import creation, forms
from protonet.web.site import Site
from protonet.web.store import DONE, WAIT
from protonet.web.workspace import Limits, Workspace
from tests.web.test_submission import finish, png, task_of
from tests.web.test_uploads import bomb


def test_gradients(site: Site) -> None:
    job = creation.make_gradients(site, forms.GradientsForm(count=30, val_count=4, seed=5))
    assert job.status == WAIT
    assert task_of(job) == MakeGradients(folder=Path("data"), count=30, val_count=4, seed=5)
    assert site.folder(job).is_dir()
    with pytest.raises(UsageError, match="more than this server allows"):
        creation.make_gradients(
            site, forms.GradientsForm(width=10_000, height=10_000, count=1_000_000)
        )


def test_databases(site: Site, gradients: Path, tmp_path: Path) -> None:
    allowed = Workspace(site.workspace.folder, (gradients,), site.workspace.limits)
    site.workspace = allowed
    form = forms.DatabasesForm(
        name="named", train_images=str(gradients / "train_images"),
        train_labels=str(gradients / "train_labels"),
    )  # fmt: skip
    job = creation.name_databases(site, form)
    assert job.status == DONE
    assert site.databases(job).train_labels == gradients / "train_labels"
    before = len(site.store.all())
    wrong = form.model_copy(update={"train_labels": str(gradients / "val_labels")})
    with pytest.raises(DataError, match="do not pair up"):
        creation.name_databases(site, wrong)
    for name, told in (("/etc", "outside"), (str(gradients / "nowhere"), "no such file")):
        with pytest.raises(UsageError, match=told):
            creation.name_databases(site, form.model_copy(update={"train_images": name}))
    alone = form.model_copy(update={"val_labels": str(gradients / "val_labels")})
    with pytest.raises(UsageError, match="need validation images"):
        creation.name_databases(site, alone)
    assert len(site.store.all()) == before


def test_uploads(site: Site) -> None:
    table = "image,x,y\n" + "".join(f"sub/{n}.png,{n / 9},{n}\n" for n in range(9))
    images = [(f"sub/{n}.png", io.BytesIO(png(n))) for n in range(9)]
    form = forms.VectorsForm(name="v", val_share=0.3, width=5, height=4, shuffle=True, gray=True)
    job = creation.make_vectors(site, form, io.BytesIO(table.encode()), images)
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
        creation.make_vectors(site, form, io.BytesIO(b"x.png,1\n"), [(name, io.BytesIO(data))])
    assert site.store.all() == []
    assert list((site.workspace.folder / "jobs").iterdir()) == []


@pytest.mark.parametrize("names", [("a", "a/b.png"), ("a/b.png", "a"), ("a", "a/b/c.png")])
def test_a_file_where_another_needs_a_folder(site: Site, names: tuple[str, ...]) -> None:
    images = [(name, io.BytesIO(png())) for name in names]
    with pytest.raises(UsageError, match=r"needs a folder|uploaded twice"):
        creation.make_vectors(site, forms.VectorsForm(name="v"), io.BytesIO(b"a,1\n"), images)
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
        creation.make_vectors(site, forms.VectorsForm(name="v"), io.BytesIO(table.encode()), images)
    assert site.store.all() == []


def test_a_table_that_is_none_is_told_without_the_servers_folders(site: Site) -> None:
    images = [("x.png", io.BytesIO(png()))]
    with pytest.raises(DataError) as caught:
        creation.make_vectors(
            site, forms.VectorsForm(name="v"), io.BytesIO(b"x.png,many\n"), images
        )
    assert str(site.workspace.folder) not in str(caught.value)
    assert "labels.csv" in str(caught.value)


def test_uploads_of_nothing_and_of_too_much(tmp_path: Path) -> None:
    site = Site(Workspace.open(tmp_path / "w", limits=Limits(files=2)))
    form = forms.VectorsForm(name="v")
    with pytest.raises(UsageError, match="no images were uploaded with the table"):
        creation.make_vectors(site, form, io.BytesIO(b"x,1\n"), [])
    images = [(f"{n}.png", io.BytesIO(png())) for n in range(3)]
    with pytest.raises(UsageError, match="more than 2 files"):
        creation.make_vectors(site, form, io.BytesIO(b"x,1\n"), images)
    with pytest.raises(UsageError, match="21 rows are more than the 20 allowed in one upload"):
        creation.make_vectors(
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
    job = creation.make_folders(site, form)
    finish(site, job)
    job = site.store.get(job.id)
    assert (job.status, job.error) == ("done", "")
    assert site.databases(job).classes is not None
    for wrong in ("nowhere", "/etc"):
        with pytest.raises(UsageError):
            creation.make_folders(site, form.model_copy(update={"folder": wrong}))
    with pytest.raises(UsageError, match="larger than this server"):
        creation.make_folders(site, form.model_copy(update={"width": 9999, "height": 9999}))
