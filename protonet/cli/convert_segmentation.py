"""``protonet convert-segmentation``: databases of images and the classes of their pixels."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from protonet.cli.conversion_options import share_options, size_options, storage_options
from protonet.cli.examples import CommandWithExamples
from protonet.cli.shared_work import ranks_option, shared_work
from protonet.cli.terminal import checked_progress, print_table

if TYPE_CHECKING:
    from protonet.data.segmentation import Converted

_PATH = click.Path(path_type=Path)


@click.command(
    "convert-segmentation",
    cls=CommandWithExamples,
    short_help="Make databases of images and label pictures.",
    examples=[
        "protonet convert-segmentation VOCdevkit/VOC2012 data --width 256 --height 256",
        "protonet convert-segmentation photos data --labels masks --classes classes.csv",
        "protonet convert-segmentation pairs.txt data --val-list val.txt --ignore 255",
        "protonet convert-segmentation camvid data --coding colors --classes class_table.csv",
    ],
)
@click.argument("root", metavar="ROOT", type=_PATH)
@click.argument("folder", metavar="DIR", type=_PATH)
@click.option(
    "--form",
    type=click.Choice(["folders", "voc", "list"]),
    help="Form of the data set. Default: by what is in ROOT.",
)
@click.option("--labels", type=_PATH, help="Folder of the label pictures of the images in ROOT.")
@click.option("--base", type=_PATH, help="Folder of the files that a list names.")
@click.option("--classes", type=_PATH, help="Class table, or text with a name in each line.")
@click.option("--colors", type=_PATH, help="Text with red, green and blue of a class in each line.")
@click.option(
    "--ignore",
    metavar="N",
    default="auto",
    help="Number of pixels without a class, or none. Default: that of the class table; 255 for "
    "VOC.",
)
@click.option(
    "--coding",
    type=click.Choice(["numbers", "colors"]),
    help="What label pictures contain. Default: numbers if gray or with a palette, else colors.",
)
@click.option("--only-pairs", is_flag=True, help="Leave out files without a partner.")
@size_options("labels")
@storage_options
@click.option("--train-list", type=_PATH, help="List of image names for training.")
@click.option(
    "--val-list", type=_PATH, help="List of image names for validation; of pairs if ROOT is a list."
)
@share_options
@click.option("--restart", is_flag=True, help="Discard an interrupted conversion and start over.")
@ranks_option
def command(root: Path, folder: Path, encoded: str, ranks: int | None, **options: Any) -> None:
    """Make databases for segmentation in the new folder DIR from ROOT, images with label pictures.

    ROOT is a folder of images, with --labels; a folder with images and labels (or masks,
    annotations) in it, or train and val with these; a folder with JPEGImages and
    SegmentationClass (VOC); or a list with an image and a label picture in each line.

    A class table is a CSV file with lines of index,name,red,green,blue, where a row named ignore
    has the number of pixels without a class. Without classes they are numbered as in the label
    pictures.

    DIR contains train_images, train_labels, val_images, val_labels, class_table.csv and
    train_mean.binaryproto.

    An interrupted or killed conversion is kept in DIR.partial: the same command continues it, with
    the same result.
    """
    from protonet.jobs.tasks.segmentation_datasets import ConvertSegmentation

    kind = encoded.lower().removeprefix(".")
    encoding = None if kind == "none" else kind
    task = ConvertSegmentation(root=root, folder=folder, encoding=encoding, **options)
    with (
        shared_work(ranks) as pool,
        checked_progress("label pictures checked", folder) as (checking, writing),
    ):
        made = task.make(writing, checking, pool)
    _report(folder, made)


def _report(folder: Path, made: Converted) -> None:
    for part, count in made.parts.items():
        click.echo(f"{folder / part}_images and {part}_labels: {count} images")
    for what, count in made.counts.items():
        click.echo(f"{what}: {count}")
    total = sum(made.pixels.values())
    print_table(
        ("class", "name", "pixels"),
        [
            (str(number), name, f"{made.pixels.get(number, 0) / total:.2%}")
            for number, name, _ in made.table.rows()
        ],
        numbers=("pixels",),
    )
    val = f" --val-data {folder / 'val_images'} --val-labels {folder / 'val_labels'}"
    click.echo(
        f"next: protonet train NETWORK.prototxt --data {folder / 'train_images'} "
        f"--labels {folder / 'train_labels'}" + (val if "val" in made.parts else "")
    )
