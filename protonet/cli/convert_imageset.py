"""``protonet convert-imageset``: a list of images and classes to a database."""

from __future__ import annotations

from pathlib import Path

import click

from protonet.cli.examples import Exemplified
from protonet.cli.terminal import progress

_PATH = click.Path(path_type=Path)


@click.command(
    "convert-imageset",
    cls=Exemplified,
    short_help="Make a database of images and classes from a list.",
    examples=[
        "protonet convert-imageset images/ train.txt train_lmdb",
        "protonet convert-imageset -resize_width 64 -resize_height 64 images/ train.txt db",
    ],
)
@click.argument("root", metavar="ROOT")
@click.argument("listfile", metavar="LIST", type=_PATH)
@click.argument("database", metavar="DB", type=_PATH)
@click.option("--gray", "-gray", is_flag=True, help="Read images as gray.")
@click.option("--shuffle", "-shuffle", is_flag=True, help="Bring the lines into another order.")
@click.option("--seed", type=int, default=0, show_default=True, help="Decides that order.")
@click.option(
    "--backend",
    "-backend",
    type=click.Choice(["lmdb"]),
    default="lmdb",
    show_default=True,
    help="The kind of database.",
)
@click.option(
    "--resize-width",
    "--resize_width",
    "-resize_width",
    type=click.IntRange(0),
    default=0,
    metavar="N",
    help="Width of all images; 0 keeps it.",
)
@click.option(
    "--resize-height",
    "--resize_height",
    "-resize_height",
    type=click.IntRange(0),
    default=0,
    metavar="N",
    help="Height of all images; 0 keeps it.",
)
@click.option(
    "--check-size",
    "--check_size",
    "-check_size",
    is_flag=True,
    help="Refuse images that differ in shape.",
)
@click.option("--encoded", "-encoded", is_flag=True, help="Store PNG instead of pixels.")
def command(
    root: str,
    listfile: Path,
    database: Path,
    gray: bool,
    shuffle: bool,
    seed: int,
    backend: str,
    resize_width: int,
    resize_height: int,
    check_size: bool,
    encoded: bool,
) -> None:
    """Make the LMDB DB of the images that LIST names: lines of a file and its class.

    ROOT is put before every name, as it is: it usually ends in a slash. Keys are those of
    Caffe's convert_imageset: the number of the image and its name.
    """
    from protonet.data.convert import ImageForm, convert_images
    from protonet.data.image_list import ImageList

    if bool(resize_width) != bool(resize_height):
        raise click.UsageError("--resize-width and --resize-height go together")
    size = (resize_height, resize_width) if resize_width else None
    images = ImageList(listfile, root=root)
    form = ImageForm(size, not gray, encoded)
    with progress("images") as watch:
        count = convert_images(
            images,
            database,
            form,
            shuffle=shuffle,
            seed=seed,
            check_size=check_size,
            progress=watch,
        )
    click.echo(f"{database}: {count} images ({backend})")
