"""Options that conversions to boxes and to classes of pixels share."""

from __future__ import annotations

from collections.abc import Callable

import click

from protonet.cli.options import C, Count, Fraction, with_options

_STORAGE = (
    click.option("--gray/--color", default=False, show_default=True, help="One channel, or three."),
    click.option(
        "--encoded",
        metavar="KIND",
        default="own",
        show_default=True,
        help="Store png, jpg, bmp, webp, the kind of the image's file (own), or pixels (none).",
    ),
)
_SHARE = (
    click.option(
        "--val-share",
        type=Fraction(0, 1, max_open=True),
        help="Share of images for validation. Default: as the data set is divided, else 0.25.",
    ),
    click.option(
        "--seed",
        type=click.IntRange(0),
        default=0,
        show_default=True,
        help="Seed of the split and the order.",
    ),
)


def size_options(follow: str) -> Callable[[C], C]:
    """``--width``, ``--height`` and ``--fit``; ``follow`` names what changes with an image."""
    options = (
        click.option("--width", type=Count(1), metavar="N", help="Width of all images."),
        click.option("--height", type=Count(1), metavar="N", help="Height of all images."),
        click.option(
            "--fit",
            type=click.Choice(["squash", "crop", "fill", "half-crop"]),
            default="squash",
            show_default=True,
            help=f"How to resize images of another aspect ratio; {follow} follow.",
        ),
    )
    return lambda command: with_options(command, options)


def storage_options(command: C) -> C:
    """``--gray`` and ``--encoded``."""
    return with_options(command, _STORAGE)


def share_options(command: C) -> C:
    """``--val-share`` and ``--seed``."""
    return with_options(command, _SHARE)
