"""``protonet convert-vectors``: paired databases from images and label vectors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from protonet.cli.examples import CommandWithExamples
from protonet.cli.options import Count, Fraction
from protonet.cli.shared_work import ranks_option, shared_work
from protonet.cli.terminal import resumable_progress

if TYPE_CHECKING:
    from protonet.data.vector_table import VectorTable

_PATH = click.Path(path_type=Path)


@click.command(
    "convert-vectors",
    cls=CommandWithExamples,
    short_help="Make paired databases of images and label vectors from a CSV file.",
    examples=[
        "protonet convert-vectors angles.csv data",
        "protonet convert-vectors angles.csv data --width 64 --height 64 --gray --val-share 0.2",
    ],
)
@click.argument("table", metavar="CSV", type=_PATH)
@click.argument("folder", metavar="DIR", type=_PATH)
@click.option("--root", type=_PATH, help="Folder of the images. Default: that of the CSV file.")
@click.option("--width", type=Count(1), metavar="N", help="Width of all images.")
@click.option("--height", type=Count(1), metavar="N", help="Height of all images.")
@click.option("--gray/--color", default=None, help="Convert to one channel, or three.")
@click.option("--encoded", is_flag=True, help="Store PNG instead of pixels.")
@click.option(
    "--val-share",
    type=Fraction(0, 1, max_open=True),
    default=0.0,
    show_default=True,
    help="Share of images for validation: the last ones.",
)
@click.option("--shuffle", is_flag=True, help="Shuffle the rows first.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the shuffle.")
@click.option("--restart", is_flag=True, help="Discard an interrupted conversion and start over.")
@ranks_option
def command(
    table: Path,
    folder: Path,
    root: Path | None,
    width: int | None,
    height: int | None,
    gray: bool | None,
    encoded: bool,
    val_share: float,
    shuffle: bool,
    seed: int,
    restart: bool,
    ranks: int | None,
) -> None:
    """Make databases in the new folder DIR from the images and numbers in CSV.

    Each line of CSV has an image file and the numbers of its label; a header is skipped. DIR
    contains train_images and train_labels, paired by key, and the mean image; with --val-share
    the same for validation.

    An interrupted or killed conversion is kept in DIR.partial: the same command continues it, with
    the same result.
    """
    from protonet.data.vector_table import read_table
    from protonet.jobs.tasks.datasets import ConvertVectors

    task = ConvertVectors(
        table=table, folder=folder, root=root, width=width, height=height, gray=gray,
        encoded=encoded, val_share=val_share, shuffle=shuffle, seed=seed, restart=restart,
    )  # fmt: skip
    with shared_work(ranks) as pool:
        found = read_table(table)
        with resumable_progress("images", folder) as watch:
            parts = task.make_of(found, watch, pool)
    _print_parts(folder, found, parts)


def _print_parts(folder: Path, found: VectorTable, parts: Mapping[str, int]) -> None:
    """Print the databases, and the command that trains on them."""
    names = f" ({', '.join(found.columns)})" if found.columns else ""
    for part, count in parts.items():
        click.echo(f"{folder / part}_images, _labels: {count} images")
    click.echo(f"{len(found.rows[0][2])} number(s) a label{names}; next:")
    val = f" --val-data {folder}/val_images --val-labels {folder}/val_labels"
    click.echo(
        f"  protonet train NETWORK.prototxt --data {folder}/train_images "
        f"--labels {folder}/train_labels{val if 'val' in parts else ''}"
    )
