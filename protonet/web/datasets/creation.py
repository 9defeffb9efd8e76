"""New data sets from forms: each becomes a task in a job's folder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, overload

from protonet.errors import DataError, UsageError
from protonet.jobs.tasks.datasets import (
    ConvertDetection,
    ConvertFolders,
    ConvertLists,
    ConvertVectors,
    MakeGradients,
    MakeShapes,
)
from protonet.jobs.tasks.segmentation_datasets import ConvertSegmentation, MakeSegments
from protonet.jobs.tasks.task import MakeDataset
from protonet.web.datasets.forms import (
    DatabasesForm,
    DetectionForm,
    DrawnForm,
    FoldersForm,
    GradientsForm,
    ListsForm,
    NamedForm,
    SegmentationForm,
    SegmentsForm,
    ShapesForm,
    VectorsForm,
)
from protonet.web.site import Site
from protonet.web.store import DATASET, DONE, Job
from protonet.web.uploads import (
    TABLE,
    check_image,
    check_lists,
    check_table,
    make_folder,
    safe_name,
    store,
)

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
    return _drawn(site, form, "gradients", MakeGradients)


def make_shapes(site: Site, form: ShapesForm) -> Job:
    """Submit drawn shapes with boxes, as of ``create-db shapes``.

    Raises:
        UsageError: for more pixels than the server allows.
    """
    return _drawn(site, form, "shapes", MakeShapes)


def make_segments(site: Site, form: SegmentsForm) -> Job:
    """Submit drawn shapes with the class of each pixel, as of ``create-db segments``.

    Raises:
        UsageError: for more pixels than the server allows.
    """
    return _drawn(site, form, "segments", MakeSegments)


def _drawn(
    site: Site,
    form: GradientsForm | DrawnForm,
    maker: str,
    task: type[MakeGradients | MakeShapes | MakeSegments],
) -> Job:
    pixels = form.width * form.height * (form.count + (form.val_count or form.count // 5))
    if pixels > 4 * site.workspace.limits.memory:
        raise UsageError(f"{pixels:,} pixels are more than this server allows")
    made = task(folder=DATA, **form.model_dump(exclude={"name"}))
    return _begin(site, form, maker, made)


def make_folders(site: Site, form: FoldersForm) -> Job:
    """Submit a data set of class folders, as of ``convert-folders``.

    Raises:
        UsageError: for a folder that is absent or may not be read.
    """
    folder = _placed(site, form.folder)
    if not folder.is_dir():
        raise UsageError(f"{form.folder}: no such folder")
    _check_size(site, form.width, form.height)
    task = ConvertFolders(
        root=folder, folder=DATA, width=form.width, height=form.height, fit=form.fit,
        gray=form.gray, encoding=form.encoding, val_share=form.val_share, seed=form.seed,
    )  # fmt: skip
    return _begin(site, form, "folders", task)


def make_detection(site: Site, form: DetectionForm) -> Job:
    """Submit a data set of images with boxes, as of ``convert-detection``.

    Raises:
        UsageError: for files that are absent or may not be read, or options that exclude each
            other.
    """
    _check_size(site, form.width, form.height)
    task = ConvertDetection(
        root=_placed(site, form.folder), folder=DATA, form=form.form,
        images=_placed(site, form.images), width=form.width, height=form.height, fit=form.fit,
        gray=form.gray, encoding=form.encoding, classes=tuple(form.classes),
        label_map=_placed(site, form.label_map), train_list=_placed(site, form.train_list),
        val_list=_placed(site, form.val_list), val_share=form.val_share, seed=form.seed,
        repair=form.repair, within=_readable(site), pad_width=form.pad_width,
        pad_height=form.pad_height, val_least=form.val_least, detectnet=form.detectnet,
    )  # fmt: skip
    return _begin(site, form, "detection", task)


def make_segmentation(site: Site, form: SegmentationForm) -> Job:
    """Submit a data set of images with label pictures, as of ``convert-segmentation``.

    Raises:
        UsageError: for files that are absent or may not be read.
    """
    _check_size(site, form.width, form.height)
    task = ConvertSegmentation(
        root=_placed(site, form.folder), folder=DATA, form=form.form,
        labels=_placed(site, form.labels), base=_placed(site, form.base),
        classes=_placed(site, form.classes), colors=_placed(site, form.colors),
        ignore=form.ignore, coding=form.coding, only_pairs=form.only_pairs, width=form.width,
        height=form.height, fit=form.fit, gray=form.gray, encoding=form.encoding,
        train_list=_placed(site, form.train_list), val_list=_placed(site, form.val_list),
        val_share=form.val_share, seed=form.seed,
    )  # fmt: skip
    return _begin(site, form, "segmentation", task)


def name_databases(site: Site, form: DatabasesForm) -> Job:
    """A data set of existing databases; nothing is copied.

    Raises:
        UsageError: when one is absent or may not be read.
        DataError: with all their problems.
    """
    given = form.model_dump(exclude={"name"})
    paths = {key: _placed(site, value) for key, value in given.items()}
    named = {key: None if path is None else str(path) for key, path in paths.items()}
    if (form.val_labels is not None) and form.val_images is None:
        raise UsageError("validation labels need validation images")
    job = site.add(
        DATASET, form.name,
        settings={"form": form.model_dump(), "maker": "databases", "databases": named},
    )  # fmt: skip
    databases = site.databases(job)
    with suppress(DataError, UsageError):
        # The first look at the images comes next; a large database is opened but once.
        site.indexes.held.hold(databases.train_images)
    report = site.reports.of(databases)
    if report.mistakes:
        site.delete(job)
        raise DataError("\n".join(report.mistakes))
    with suppress(DataError, UsageError):  # whoever looks at the images is told
        site.indexes.of(site.index_folder(job.id), databases, "train")
    return site.store.update(job.id, status=DONE, error="")


def make_lists(site: Site, form: ListsForm, files: Mapping[str, BinaryIO]) -> Job:
    """Submit a data set of uploaded lists, as of ``convert-lists``.

    ``files`` are ``train`` and, if given, ``val`` (lists) and ``names`` (class names).

    Raises:
        UsageError: for a folder that is absent or may not be read, or no list.
        DataError: for a list that cannot be used.
    """
    if "train" not in files:
        raise UsageError("upload a list of training images")
    root = site.workspace.folder if form.folder is None else _placed(site, form.folder)
    _check_size(site, form.width, form.height)
    places = {part: Path("uploaded", f"{part}.txt") for part in files}
    with _new(site, form, "lists") as job:
        folder = site.folder(job)
        (folder / "uploaded").mkdir()
        for part, place in places.items():
            store(files[part], folder / place)
        check_lists(folder / "uploaded")
    task = ConvertLists(
        train=places["train"], folder=DATA, val=places.get("val"), root=root,
        names=places.get("names"), width=form.width, height=form.height, fit=form.fit,
        gray=form.gray, encoding=form.encoding, shuffle=form.shuffle, seed=form.seed,
        within=_readable(site),
    )  # fmt: skip
    return site.begin(job, task)


def make_vectors(site: Site, form: VectorsForm, table: BinaryIO, images: Iterable[Uploaded]) -> Job:
    """Submit paired databases from an uploaded table and its images, as of ``convert-vectors``.

    Raises:
        UsageError: for paths outside of the upload, also in the table, or too many files.
        DataError: for an invalid table, or an image that is invalid or too large.
    """
    with _new(site, form, "vectors") as job:
        folder = site.folder(job) / "uploaded"
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
    task = ConvertVectors(
        table=Path("uploaded", TABLE), folder=DATA, width=form.width, height=form.height,
        gray=form.gray, encoded=form.encoded, val_share=form.val_share, shuffle=form.shuffle,
        seed=form.seed,
    )  # fmt: skip
    return site.begin(job, task)


@contextmanager
def _new(site: Site, form: NamedForm, maker: str) -> Iterator[Job]:
    """A job with its folder, which is removed if the block fails."""
    job = site.add(DATASET, form.name, settings={"form": form.model_dump(), "maker": maker})
    try:
        yield job
    except BaseException:
        site.delete(job)
        raise


def _begin(site: Site, form: NamedForm, maker: str, task: MakeDataset) -> Job:
    with _new(site, form, maker) as job:
        return site.begin(job, task)


@overload
def _placed(site: Site, name: str) -> Path: ...


@overload
def _placed(site: Site, name: str | None) -> Path | None: ...


def _placed(site: Site, name: str | None) -> Path | None:
    """A file or folder on the server, which must exist."""
    if not name:
        return None
    path = site.workspace.inside(name)
    if not path.exists():
        raise UsageError(f"{name}: no such file or folder")
    return path


def _readable(site: Site) -> tuple[Path, ...]:
    """The folders whose files may be read."""
    return (site.workspace.folder, *site.workspace.allowed)


def _check_size(site: Site, width: int | None, height: int | None) -> None:
    if width is not None and height is not None and width * height > site.workspace.limits.pixels:
        raise UsageError(f"{width}x{height} is larger than this server allows")
