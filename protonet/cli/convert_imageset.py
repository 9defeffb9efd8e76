"""``protonet convert-imageset``: a database from a list of images and classes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from protonet.cli.gflags import GflagsCommand
from protonet.cli.options import C, Count, gathered
from protonet.cli.shared_work import ranks_option, shared_work
from protonet.cli.terminal import resumable_progress

if TYPE_CHECKING:
    from protonet.data.record_format import RecordFormat

_PATH = click.Path(path_type=Path)


def _form_argument(command: Callable[..., None]) -> Any:
    """Pass the options for storing images as one argument ``form``."""
    names = ("gray", "resize_width", "resize_height", "encoded", "encode_type")
    return gathered(command, "form", _form, names)


def _form(
    gray: bool, resize_width: int, resize_height: int, encoded: bool, encode_type: str
) -> RecordFormat:
    from protonet.data.datum import ENCODINGS
    from protonet.data.record_format import OWN, RecordFormat

    if bool(resize_width) != bool(resize_height):
        raise click.UsageError("--resize-width and --resize-height go together")
    kind = encode_type.lower().removeprefix(".")
    if kind and kind not in ENCODINGS:
        raise click.UsageError(f"--encode-type {encode_type}: expected {', '.join(ENCODINGS)}")
    size = (resize_height, resize_width) if resize_width else None
    return RecordFormat(size, not gray, kind or (OWN if encoded else None))


def _side_option(side: str) -> Callable[[C], C]:
    """``--resize-width``, ``--resize-height``."""
    return click.option(
        f"--resize-{side}",
        f"--resize_{side}",
        f"-resize_{side}",
        type=Count(0),
        default=0,
        metavar="N",
        help=f"{side.capitalize()} of all images; 0 keeps it.",
    )


@click.command(
    "convert-imageset",
    cls=GflagsCommand,
    short_help="Make a database of images and classes from a list.",
    examples=[
        "protonet convert-imageset images/ train.txt train_lmdb",
        "protonet convert-imageset -resize_width 64 -resize_height 64 images/ train.txt db",
        "protonet convert-imageset --gray --encoded --encode_type png images/ train.txt db",
    ],
)
@click.argument("root", metavar="ROOT")
@click.argument("listfile", metavar="LIST", type=_PATH)
@click.argument("database", metavar="DB", type=_PATH)
@click.option("--gray", "-gray", is_flag=True, help="Read images as grayscale.")
@click.option("--shuffle", "-shuffle", is_flag=True, help="Shuffle the lines.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the shuffle.")
@click.option(
    "--backend",
    "-backend",
    type=click.Choice(["lmdb", "leveldb"]),
    default="lmdb",
    show_default=True,
    help="Type of the database.",
)
@_side_option("width")
@_side_option("height")
@click.option(
    "--check-size",
    "--check_size",
    "-check_size",
    is_flag=True,
    help="Refuse images that differ in shape.",
)
@click.option(
    "--encoded",
    "-encoded",
    is_flag=True,
    help="Store image files instead of pixels, in their own format.",
)
@click.option(
    "--encode-type",
    "--encode_type",
    "-encode_type",
    metavar="KIND",
    default="",
    help="Store image files of this format: png, jpg, bmp or webp.",
)
@click.option("--restart", is_flag=True, help="Discard an interrupted conversion and start over.")
@ranks_option
@_form_argument
def command(
    root: str,
    listfile: Path,
    database: Path,
    form: RecordFormat,
    backend: str,
    ranks: int | None,
    **options: Any,
) -> None:
    """Make the database DB from the images in LIST: lines of a file and its class.

    ROOT is prepended to every name unchanged, so it usually ends in a slash. Keys are those of
    Caffe's convert_imageset: the number of the image and its name. With --encoded, files are copied
    byte by byte.

    An interrupted or killed conversion is kept in DB.partial: the same command continues it, with
    the same result. Lines of LIST that are not yet written may be corrected in between; if a
    written one has changed, it is reported, and --restart is needed.
    """
    from protonet.data.convert import convert_images
    from protonet.data.image_list import ImageList

    with shared_work(ranks) as pool:
        images = ImageList(listfile, root=root)
        with resumable_progress("images", database) as watch:
            count = convert_images(
                images, database, form, backend=backend, progress=watch, pool=pool, **options
            )
    click.echo(f"{database}: {count} images ({backend})")
