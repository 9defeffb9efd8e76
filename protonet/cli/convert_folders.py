"""``protonet convert-folders``: databases from a folder of images per class."""

from __future__ import annotations

from pathlib import Path

import click

from protonet.cli.examples import CommandWithExamples
from protonet.cli.options import Count, Fraction
from protonet.cli.shared_work import ranks_option, shared_work
from protonet.cli.terminal import progress

_PATH = click.Path(path_type=Path)
_FITS = ("squash", "crop", "fill", "half-crop")


@click.command(
    "convert-folders",
    cls=CommandWithExamples,
    short_help="Make databases from a folder of class folders.",
    examples=[
        "protonet convert-folders flowers data",
        "protonet convert-folders flowers data --width 256 --height 256 --fit crop --val-share 0.1",
    ],
)
@click.argument("root", metavar="ROOT", type=_PATH)
@click.argument("folder", metavar="DIR", type=_PATH)
@click.option("--width", type=Count(1), default=256, show_default=True, help="In pixels.")
@click.option("--height", type=Count(1), default=256, show_default=True, help="In pixels.")
@click.option(
    "--fit",
    type=click.Choice(_FITS),
    default="squash",
    show_default=True,
    help="How to resize images of another aspect ratio: squash, crop, fill with gray, or half crop "
    "and half fill.",
)
@click.option("--gray/--color", default=False, show_default=True, help="One channel, or three.")
@click.option("--encoded", metavar="KIND", help="Store png, jpg, bmp or webp instead of pixels.")
@click.option(
    "--val-share",
    type=Fraction(0, 1, max_open=True),
    default=0.25,
    show_default=True,
    help="Share of each class for validation.",
)
@click.option(
    "--seed", type=int, default=0, show_default=True, help="Seed of the split and the order."
)
@ranks_option
def command(
    root: Path,
    folder: Path,
    width: int,
    height: int,
    fit: str,
    gray: bool,
    encoded: str | None,
    val_share: float,
    seed: int,
    ranks: int | None,
) -> None:
    """Make databases in the new folder DIR from ROOT, which has a folder of images per class.

    DIR contains train_images, val_images, their mean images, labels.txt with the class names in the
    order of their numbers, and the lists of files train.txt and val.txt.

    The same command continues an interrupted conversion.
    """
    from protonet.jobs.tasks.datasets import ConvertFolders

    task = ConvertFolders(
        root=root, folder=folder, width=width, height=height, fit=fit, gray=gray,
        encoding=None if encoded is None else encoded.lower().removeprefix("."),
        val_share=val_share, seed=seed,
    )  # fmt: skip
    with shared_work(ranks) as pool, progress("images") as watch:
        parts = task.make(watch, pool)
    for part, count in parts.items():
        click.echo(f"{folder / part}_images: {count} images")
    val = f" --val-data {folder}/val_images" if "val" in parts else ""
    click.echo(f"next:\n  protonet train NETWORK.prototxt --data {folder}/train_images{val}")
