"""Options for how a training reads its images."""

from __future__ import annotations

import click

from protonet.cli.options import C, with_options

_IMAGES = (
    click.option(
        "--mean",
        metavar="image|pixel|none|FILE|V[,V...]",
        help="Mean to subtract: the mean image of the training images, the mean of each channel, "
        "none, a .binaryproto or .npy file, or a number for each channel. Default: the network's "
        "own, else the mean image.",
    ),
    click.option(
        "--crop",
        type=click.IntRange(0),
        metavar="N",
        help="Side of a square crop: at random in training, central in validation and inference; "
        "0: none. Default: that of the network.",
    ),
    click.option(
        "--mirror/--no-mirror",
        default=None,
        help="Mirror half of the training images at random, or none. Default: as the network says.",
    ),
    click.option("--shuffle", is_flag=True, help="Shuffle the training data each epoch."),
    click.option(
        "--threads",
        type=click.IntRange(1),
        metavar="N",
        help="Threads that read and decode images. Default: by the number of processors.",
    ),
)


def image_options(command: C) -> C:
    """``--mean``, ``--crop``, ``--mirror``, ``--shuffle`` and ``--threads``."""
    return with_options(command, _IMAGES)
