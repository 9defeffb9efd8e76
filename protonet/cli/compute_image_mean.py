"""``protonet compute-image-mean``: the mean image of a database."""

from __future__ import annotations

from pathlib import Path

import click

from protonet.cli.gflags import GflagsCommand
from protonet.cli.shared_work import ranks_option, shared_work
from protonet.cli.terminal import progress

_PATH = click.Path(path_type=Path)


@click.command(
    "compute-image-mean",
    cls=GflagsCommand,
    short_help="Compute the mean image of a database.",
    examples=["protonet compute-image-mean train_lmdb mean.binaryproto"],
)
@click.argument("database", metavar="DB", type=_PATH)
@click.argument("out", metavar="[OUT]", type=_PATH, required=False)
@click.option(
    "--backend",
    "-backend",
    type=click.Choice(["lmdb", "leveldb"]),
    help="Type of DB. Default: detected.",
)
@ranks_option
def command(database: Path, out: Path | None, backend: str | None, ranks: int | None) -> None:
    """Average the images of the database DB; write the mean to OUT: a .npy, or for any other name a
    .binaryproto.

    Prints the mean of each channel, as Caffe's compute_image_mean does.
    """
    import io

    import numpy as np

    from protonet.data.create import compute_mean
    from protonet.errors import UsageError
    from protonet.formats.atomic import write_atomic
    from protonet.formats.blobs import from_array

    del backend
    if out is not None and out.suffix.lower() in (".bmp", ".jpeg", ".jpg", ".png"):
        raise UsageError(f"{out}: is not a picture: expected a name ending in .binaryproto or .npy")
    with shared_work(ranks) as pool, progress("images") as watch:
        mean = compute_mean(database, watch, pool)
    if out is not None and out.suffix == ".npy":
        buffer = io.BytesIO()
        np.save(buffer, mean, allow_pickle=False)
        write_atomic(out, buffer.getvalue())
    elif out is not None:
        write_atomic(out, from_array(mean[None]).SerializeToString())
    for channel, value in enumerate(mean.mean(axis=(1, 2))):
        click.echo(f"mean_value channel [{channel}]: {value:g}")
