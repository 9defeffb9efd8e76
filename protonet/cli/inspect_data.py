"""``protonet inspect-data``: what a data set contains, and what is wrong with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from protonet.cli.examples import CommandWithExamples
from protonet.cli.terminal import print_table, progress

if TYPE_CHECKING:
    from protonet.data.record_index import ClassCount
    from protonet.web.datasets import Databases, Report

_PATH = click.Path(path_type=Path)
_THINGS = {"detection": "boxes", "segmentation": "pixels"}
_PARTS = {"train": "training", "val": "validation"}
_MISTAKES = 4
"""The exit code of a data set with mistakes, as of a DataError."""


@click.command(
    "inspect-data",
    cls=CommandWithExamples,
    short_help="Show what a data set contains, and its mistakes.",
    examples=["protonet inspect-data data", "protonet inspect-data data --json"],
)
@click.argument("folder", metavar="DIR", type=_PATH)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, as GET /api/datasets/ID does.")
def command(folder: Path, as_json: bool) -> None:
    """Show the parts of the data set in DIR, which the commands for data sets have made: number and
    shape of the images, kind of the labels, and the images of each class; and all mistakes.

    All records are read for the classes. The exit code is 4 where there are mistakes.
    """
    from protonet.errors import UsageError
    from protonet.jobs.json_form import to_json
    from protonet.web.datasets import Databases, inspect

    databases = Databases.of_folder(folder)
    if not databases.train_images.exists():
        raise UsageError(f"{folder}: expected a folder with train_images in it")
    report = inspect(databases)
    counts = {} if report.mistakes else _counts(databases)
    if as_json:
        classes = {part: [to_json(each) for each in found] for part, found in counts.items()}
        click.echo(json.dumps({**to_json(report), "class_counts": classes}))
    else:
        _print(databases, report, counts)
    if report.mistakes:
        raise click.exceptions.Exit(_MISTAKES)


def _counts(databases: Databases) -> dict[str, tuple[ClassCount, ...]]:
    """The classes of each part."""
    from tempfile import TemporaryDirectory

    from protonet.data.record_index import RecordIndex, build_index

    found = {}
    for part in _PARTS:
        images, labels = databases.part(part)
        if images is not None and databases.form != "regression":
            with TemporaryDirectory() as work, progress(f"{_PARTS[part]} images") as watch:
                build_index(Path(work, part), images, labels, databases.form, watch)
                found[part] = RecordIndex(Path(work, part), images, labels).classes
    return found


def _print(databases: Databases, report: Report, counts: dict[str, tuple[ClassCount, ...]]) -> None:
    from protonet.web.datasets.classes import Classes

    click.echo(f"{databases.train_images.parent}: {report.form}")
    rows = []
    for part in report.parts:
        shape = " x ".join(map(str, part.shape))
        stored = "encoded" if part.encoded else "pixels"
        label = "" if part.label is None else " x ".join(map(str, part.label))
        rows.append([_PARTS[part.name], f"{part.count:,}", shape, stored, label])
    print_table(["part", "images", "first image", "stored as", "label"], rows)
    sizes = {part.name: part.count for part in report.parts}
    names = Classes() if report.mistakes else Classes.of(databases)
    things = _THINGS.get(report.form)
    for place, found in counts.items():
        columns = ["class", "name", f"{_PARTS[place]} images", "share"]
        table = [
            [
                str(each.number), names.name(each.number), f"{each.records:,}",
                f"{100 * each.records / sizes[place]:.1f} %",
                *([f"{each.things:,}"] if things else []),
            ]
            for each in found
        ]  # fmt: skip
        print_table([*columns, *([things] if things else [])], table, numbers=["share"])
    for mistake in report.mistakes:
        click.echo(f"mistake: {mistake}")
