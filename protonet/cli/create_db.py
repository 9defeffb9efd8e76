"""``protonet create-db``: make a data set."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from protonet.cli.examples import CommandWithExamples, GroupWithExamples
from protonet.cli.options import C, Count, with_options
from protonet.cli.terminal import progress


@click.group(
    "create-db",
    cls=GroupWithExamples,
    short_help="Make a data set to train on.",
    examples=[
        "protonet create-db gradients data",
        "protonet create-db gradients data -x 50 -y 50 -c 1000 --val-count 100 --seed 1",
    ],
)
def command() -> None:
    """Make a data set to train on."""


def _number(*names: str, kind: click.ParamType[Any], default: int | None, what: str) -> Any:
    return click.option(
        *names, type=kind, metavar="N", default=default, show_default=default is not None, help=what
    )


def _set_options(least: int, side: int, count: int, drawn: str) -> Callable[[C], C]:
    """The options of a drawn data set: size of images, numbers of them, seed of what is drawn.

    ``least`` and ``side`` are the least and the usual extent of an image, ``count`` the usual
    number.
    """
    options = [
        _number("-x", "--width", kind=Count(least), default=side,
                what="Width of an image in pixels."),
        _number("-y", "--height", kind=Count(least), default=side,
                what="Height of an image in pixels."),
        _number("-c", "--count", kind=Count(1), default=count, what="Number of training images."),
        _number("--val-count", kind=Count(1), default=None,
                what="Number of validation images; by default a fifth of the training images."),
        _number("--seed", kind=click.IntRange(0), default=0,
                what=f"Seed of the {drawn}: equal seeds give equal data."),
    ]  # fmt: skip
    return lambda command: with_options(command, options)


@command.command(
    "gradients",
    cls=CommandWithExamples,
    short_help="Grayscale images with their gradients as labels.",
    examples=[
        "protonet create-db gradients data",
        "protonet create-db gradients data -x 50 -y 40 -c 1000 --val-count 100 --seed 1",
        "protonet create-db gradients data --raw",
    ],
)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@_set_options(least=1, side=50, count=100, drawn="random slopes")
@click.option("--raw", is_flag=True, help="Store raw pixels instead of PNG.")
def gradients(
    folder: Path,
    width: int,
    height: int,
    count: int,
    val_count: int | None,
    seed: int,
    raw: bool,
) -> None:
    """Make grayscale images that brighten along x and y, labelled with the two slopes.

    Writes the LMDBs train_images, train_labels, val_images and val_labels into the new folder DIR,
    with the mean images of both sets, and test.png with both slopes 0.5. The slopes are drawn from
    [-0.5, 0.5).
    """
    from protonet.jobs.tasks.datasets import MakeGradients

    task = MakeGradients(
        folder=folder, width=width, height=height, count=count, val_count=val_count, seed=seed,
        raw=raw,
    )  # fmt: skip
    with progress("images") as watch:
        parts = task.make(watch)
    click.echo(
        f"{parts['train']} training and {parts['val']} validation images of {width}x{height} in "
        f"{folder}"
    )
    click.echo(
        "next: protonet train NETWORK.prototxt "
        f"--data {folder / 'train_images'} --labels {folder / 'train_labels'} "
        f"--val-data {folder / 'val_images'} --val-labels {folder / 'val_labels'}"
    )


@command.command(
    "shapes",
    cls=CommandWithExamples,
    short_help="Circles, squares and triangles with their boxes, for detection.",
    examples=[
        "protonet create-db shapes data",
        "protonet create-db shapes data -x 128 -y 96 -c 5000 --val-count 500 --seed 1",
    ],
)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@_set_options(least=16, side=64, count=1000, drawn="shapes")
@click.option(
    "--detectnet",
    is_flag=True,
    help="Write train_boxes and val_boxes too: the boxes as DIGITS stores them for DetectNet.",
)
def shapes(
    folder: Path,
    width: int,
    height: int,
    count: int,
    val_count: int | None,
    seed: int,
    detectnet: bool,
) -> None:
    """Make color images with one to four filled circles, squares and triangles on noise.

    Writes into the new folder DIR the LMDBs train_images and val_images, which AnnotatedData
    layers read, labelmap.prototxt with the classes (circle 1, square 2, triangle 3),
    test_name_size.txt with the sizes of the validation images, and four images for predictions,
    test0.png to test3.png, whose boxes are in test.json.
    """
    from protonet.jobs.tasks.datasets import MakeShapes

    task = MakeShapes(
        folder=folder, width=width, height=height, count=count, val_count=val_count, seed=seed,
        detectnet=detectnet,
    )  # fmt: skip
    with progress("images") as watch:
        parts = task.make(watch)
    click.echo(
        f"{parts['train']} training and {parts['val']} validation images of {width}x{height} in "
        f"{folder}"
    )
    click.echo(
        f"next: protonet train NETWORK.prototxt --data {folder / 'train_images'} "
        f"--val-data {folder / 'val_images'}"
    )
    if detectnet:
        click.echo(
            f"of DetectNet: --labels {folder / 'train_boxes'} --val-labels {folder / 'val_boxes'}"
        )


@command.command(
    "segments",
    cls=CommandWithExamples,
    short_help="Circles, squares and triangles with the class of each pixel.",
    examples=[
        "protonet create-db segments data",
        "protonet create-db segments data -x 128 -y 96 -c 5000 --val-count 500 --seed 1",
    ],
)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@_set_options(least=16, side=64, count=1000, drawn="shapes")
def segments(
    folder: Path, width: int, height: int, count: int, val_count: int | None, seed: int
) -> None:
    """Make the color images of `create-db shapes` with the class of each pixel, for segmentation.

    Writes into the new folder DIR the LMDBs train_images and val_images, and train_labels and
    val_labels with the classes (background 0, circle 1, square 2, triangle 3) as images of one
    channel; class_table.csv with the classes and their colors, train_mean.binaryproto, and four
    images for predictions, test0.png to test3.png, with their classes in test0_labels.png and so
    on.
    """
    from protonet.jobs.tasks.segmentation_datasets import MakeSegments

    task = MakeSegments(
        folder=folder, width=width, height=height, count=count, val_count=val_count, seed=seed
    )
    with progress("images") as watch:
        parts = task.make(watch)
    click.echo(
        f"{parts['train']} training and {parts['val']} validation images of {width}x{height} in "
        f"{folder}"
    )
    click.echo(
        "next: protonet train NETWORK.prototxt "
        f"--data {folder / 'train_images'} --labels {folder / 'train_labels'} "
        f"--val-data {folder / 'val_images'} --val-labels {folder / 'val_labels'}"
    )
