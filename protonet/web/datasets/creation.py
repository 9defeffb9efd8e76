"""New data sets from forms: each becomes a task in a job's folder."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from protonet.errors import DataError, UsageError
from protonet.jobs.tasks.datasets import ConvertFolders, ConvertVectors, MakeGradients
from protonet.web.datasets.forms import DatabasesForm, FoldersForm, GradientsForm, VectorsForm
from protonet.web.datasets.report import inspect
from protonet.web.site import Site
from protonet.web.store import DATASET, DONE, Job
from protonet.web.uploads import TABLE, check_image, check_table, make_folder, safe_name, store

DATA = Path("data")
"""The folder of a data set in the job's folder."""
_ROWS_A_FILE = 10
"""Rows of a table per file of an upload: an image may be in several."""

Uploaded = tuple[str, BinaryIO]
"""A file's name from the browser, and its bytes."""


def make_gradients(site: Site, form: GradientsForm) -> Job:
    """Submit the seed example's data set, as of ``create-db``.

    Raises:
        UsageError: for more pixels than the server allows.
    """
    pixels = form.width * form.height * (form.count + (form.val_count or form.count // 5))
    if pixels > 4 * site.workspace.limits.memory:
        raise UsageError(f"{pixels:,} pixels are more than this server allows")
    task = MakeGradients(
        folder=DATA, width=form.width, height=form.height, count=form.count,
        val_count=form.val_count, seed=form.seed,
    )  # fmt: skip
    return _dataset(site, form, task)


def make_folders(site: Site, form: FoldersForm) -> Job:
    """Submit a data set of class folders, as of ``convert-folders``.

    Raises:
        UsageError: for a folder that is absent or may not be read.
    """
    folder = site.workspace.inside(form.folder)
    if not folder.is_dir():
        raise UsageError(f"{form.folder}: no such folder")
    if form.width * form.height > site.workspace.limits.pixels:
        raise UsageError(f"{form.width}x{form.height} is larger than this server allows")
    task = ConvertFolders(
        root=folder, folder=DATA, width=form.width, height=form.height, fit=form.fit,
        gray=form.gray, encoding=form.encoding, val_share=form.val_share, seed=form.seed,
    )  # fmt: skip
    return _dataset(site, form, task)


def name_databases(site: Site, form: DatabasesForm) -> Job:
    """A data set of existing databases; nothing is copied.

    Raises:
        UsageError: when one is absent or may not be read.
        DataError: with all their problems.
    """
    given = form.model_dump(exclude={"name"})
    named = {}
    for key, value in given.items():
        path = site.workspace.inside(value) if value else None
        if path is not None and not path.exists():
            raise UsageError(f"{value}: no such file or folder")
        named[key] = str(path) if path else None
    if (form.val_labels is not None) and form.val_images is None:
        raise UsageError("validation labels need validation images")
    job = site.add(
        DATASET, form.name,
        settings={"form": form.model_dump(), "maker": "databases", "databases": named},
    )  # fmt: skip
    report = inspect(site.databases(job))
    if report.mistakes:
        site.delete(job)
        raise DataError("\n".join(report.mistakes))
    return site.store.update(job.id, status=DONE, error="")


def make_vectors(site: Site, form: VectorsForm, table: BinaryIO, images: Iterable[Uploaded]) -> Job:
    """Submit paired databases from an uploaded table and its images, as of ``convert-vectors``.

    Raises:
        UsageError: for paths outside of the upload, also in the table, or too many files.
        DataError: for an invalid table, or an image that is invalid or too large.
    """
    job = site.add(DATASET, form.name, settings={"form": form.model_dump(), "maker": "vectors"})
    folder = site.folder(job) / "uploaded"
    try:
        folder.mkdir()
        store(table, folder / TABLE)
        count = 0
        for count, (name, stream) in enumerate(images, 1):
            if count > site.workspace.limits.files:
                raise UsageError(f"more than {site.workspace.limits.files:,} files")
            path = folder / safe_name(name)
            make_folder(path.parent, name)
            store(stream, path)
            check_image(path, site.workspace.limits.pixels, name)
        if not count:
            raise UsageError("no images were uploaded with the table")
        check_table(folder, _ROWS_A_FILE * site.workspace.limits.files)
    except BaseException:
        site.delete(job)
        raise
    task = ConvertVectors(
        table=Path("uploaded", TABLE), folder=DATA, width=form.width, height=form.height,
        gray=form.gray, val_share=form.val_share, shuffle=form.shuffle, seed=form.seed,
    )  # fmt: skip
    return site.begin(job, task)


def _dataset(
    site: Site, form: GradientsForm | FoldersForm, task: MakeGradients | ConvertFolders
) -> Job:
    maker = "gradients" if isinstance(form, GradientsForm) else "folders"
    job = site.add(DATASET, form.name, settings={"form": form.model_dump(), "maker": maker})
    return site.begin(job, task)
