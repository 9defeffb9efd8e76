"""``protonet convert-detection``: databases of images with boxes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from protonet.cli.conversion_options import share_options, size_options, storage_options
from protonet.cli.examples import CommandWithExamples
from protonet.cli.options import Count
from protonet.cli.shared_work import ranks_option, shared_work
from protonet.cli.terminal import checked_progress

_PATH = click.Path(path_type=Path)


@click.command(
    "convert-detection",
    cls=CommandWithExamples,
    short_help="Make databases of images with boxes from KITTI, VOC, COCO or CSV.",
    examples=[
        "protonet convert-detection VOCdevkit/VOC2012 data",
        "protonet convert-detection kitti data --classes car,pedestrian --val-share 0.1",
        "protonet convert-detection coco data --width 300 --height 300 --encoded jpg --repair",
        "protonet convert-detection boxes.csv data --images photos",
        "protonet convert-detection kitti data --pad-width 1248 --pad-height 384 --val-min-box 25 "
        "--classes car --detectnet",
    ],
)
@click.argument("root", metavar="ROOT", type=_PATH)
@click.argument("folder", metavar="DIR", type=_PATH)
@click.option(
    "--form",
    type=click.Choice(["kitti", "voc", "coco", "csv"]),
    help="Form of the data set. Default: by what is in ROOT.",
)
@click.option("--images", type=_PATH, help="Folder of the images, for COCO and CSV.")
@size_options("boxes")
@click.option("--pad-width", type=Count(1), metavar="N", help="Extend images to this width first.")
@click.option(
    "--pad-height",
    type=Count(1),
    metavar="N",
    help="Extend images to this height first: black, on the right and below.",
)
@storage_options
@click.option(
    "--classes", metavar="NAMES", default="", help="Only these classes, numbered in this order."
)
@click.option("--label-map", type=_PATH, help="Label map that numbers the classes.")
@click.option("--train-list", type=_PATH, help="List of image names for training.")
@click.option("--val-list", type=_PATH, help="List of image names for validation.")
@share_options
@click.option(
    "--val-min-box",
    "val_least",
    type=Count(0),
    default=0,
    show_default=True,
    metavar="N",
    help="Leave out boxes of validation images with a side of fewer pixels. DIGITS: 25.",
)
@click.option(
    "--detectnet",
    is_flag=True,
    help="Write train_boxes and val_boxes too: the boxes as DIGITS stores them for DetectNet.",
)
@click.option("--repair", is_flag=True, help="Clip boxes to their images, leave out empty ones.")
@click.option("--restart", is_flag=True, help="Discard an interrupted conversion and start over.")
@ranks_option
def command(
    root: Path, folder: Path, encoded: str, classes: str, ranks: int | None, **options: Any
) -> None:
    """Make databases for AnnotatedData layers in the new folder DIR from ROOT, images with boxes.

    ROOT is a folder with images and labels (KITTI, as DIGITS reads it; or train/images and so
    on), with JPEGImages and Annotations (VOC), with annotations/instances_train*.json (COCO), a
    JSON file of COCO, or a CSV file with lines of image,label,xmin,ymin,xmax,ymax[,difficult].

    DIR contains train_images, val_images, labelmap.prototxt, and test_name_size.txt with the sizes
    of the validation images.

    An interrupted or killed conversion is kept in DIR.partial: the same command continues it, with
    the same result.
    """
    from protonet.jobs.tasks.datasets import ConvertDetection

    kind = encoded.lower().removeprefix(".")
    task = ConvertDetection(
        root=root,
        folder=folder,
        encoding=None if kind == "none" else kind,
        classes=tuple(name.strip() for name in classes.split(",") if name.strip()),
        **options,
    )
    with (
        shared_work(ranks) as pool,
        checked_progress("images checked", folder) as (checking, writing),
    ):
        made = task.make(writing, checking, pool)
    for part, count in made.parts.items():
        click.echo(f"{folder / part}_images: {count} images")
    click.echo(f"{made.boxes} boxes of {made.classes} class(es)")
    for what, count in made.counts.items():
        click.echo(f"{what}: {count}")
    val = f" --val-data {folder / 'val_images'}" if "val" in made.parts else ""
    click.echo(f"next: protonet train NETWORK.prototxt --data {folder / 'train_images'}{val}")
