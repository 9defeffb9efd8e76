"""``protonet convert-lists``: databases from lists of images and classes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from protonet.cli.examples import CommandWithExamples
from protonet.cli.options import Count
from protonet.cli.shared_work import ranks_option, shared_work
from protonet.cli.terminal import resumable_progress

_PATH = click.Path(path_type=Path)


@click.command(
    "convert-lists",
    cls=CommandWithExamples,
    short_help="Make a data set from lists of images and classes.",
    examples=[
        "protonet convert-lists train.txt data --val val.txt --root images --names labels.txt",
        "protonet convert-lists train.txt data --width 256 --height 256 --encoded jpg --shuffle",
    ],
)
@click.argument("train", metavar="TRAIN", type=_PATH)
@click.argument("folder", metavar="DIR", type=_PATH)
@click.option("--val", type=_PATH, help="List of the images for validation.")
@click.option(
    "--root", type=_PATH, default=Path(), help="Folder of relative paths. Default: this one."
)
@click.option("--names", type=_PATH, help="File with the name of each class, a line each.")
@click.option("--width", type=Count(1), metavar="N", help="Width of all images.")
@click.option("--height", type=Count(1), metavar="N", help="Height of all images.")
@click.option(
    "--fit",
    type=click.Choice(["squash", "crop", "fill", "half-crop"]),
    default="squash",
    show_default=True,
    help="How to resize images of another aspect ratio: squash, crop, fill with gray, or half crop "
    "and half fill.",
)
@click.option("--gray/--color", default=False, show_default=True, help="One channel, or three.")
@click.option("--encoded", metavar="KIND", help="Store png, jpg, bmp or webp instead of pixels.")
@click.option("--shuffle", is_flag=True, help="Shuffle the lines of each list.")
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of the shuffle."
)
@click.option("--restart", is_flag=True, help="Discard an interrupted conversion and start over.")
@ranks_option
def command(
    train: Path, folder: Path, encoded: str | None, ranks: int | None, **options: Any
) -> None:
    """Make databases in the new folder DIR from the list TRAIN: lines of an image and its class.

    DIR contains train_images and its mean image, with --val the same for validation, and
    with --names labels.txt. A class is a number from 0; relative paths are below --root.

    An interrupted or killed conversion is kept in DIR.partial: the same command continues it, with
    the same result.
    """
    from protonet.jobs.tasks.datasets import ConvertLists

    kind = None if encoded is None else encoded.lower().removeprefix(".")
    task = ConvertLists(train=train, folder=folder, encoding=kind, **options)
    with shared_work(ranks) as pool, resumable_progress("images", folder) as watch:
        parts = task.make(watch, pool)
    for part, count in parts.items():
        click.echo(f"{folder / part}_images: {count} images")
    val = f" --val-data {folder}/val_images" if "val" in parts else ""
    click.echo(f"next:\n  protonet train NETWORK.prototxt --data {folder}/train_images{val}")
